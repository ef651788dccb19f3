"""fastgd: gradient descent at memory speed, many models at once, with no learning rate to guess."""

import importlib
import sys
import types

__version__ = "0.1.0"

# Each public name and the module it loads from on first use: importing fastgd imports neither Numba nor an extra.
_PLACES = {
    "fit": "fit",
    "partial_fit": "partial_fit",
    "load": "saved",
    "lr_find": "lr_find",
    "FitResult": "results",
    "History": "results",
    "LrFind": "lr_find",
    "MinimizeResult": "results",
    "CrossValidation": "sweep_results",
    "SweepResult": "sweep_results",
    "minimize": "minimize",
    "minimize_sweep": "minimize_sweep",
    "sweep": "sweep",
    "SGDClassifier": "estimators",
    "SGDRegressor": "estimators",
    "SweepCV": "sweep_cv",
    "show_config": "config",
    "warmup": "config",
    "losses": None,
    "optimizers": None,
    "reference": None,
    "schedules": None,
}
__all__ = sorted(_PLACES)


def __getattr__(name):
    if name not in _PLACES:
        raise AttributeError(f"module 'fastgd' has no attribute {name!r}")
    place = _PLACES[name]
    module = importlib.import_module(f".{place or name}", __name__)
    value = module if place is None else getattr(module, name)
    globals()[name] = value
    return value


class _Package(types.ModuleType):
    """A package whose functions keep their names when the modules of the same names are imported."""

    def __setattr__(self, name, value):
        # The import of fastgd/fit.py sets ``fastgd.fit`` to the module: the function belongs there.
        if _PLACES.get(name) == name and isinstance(value, types.ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__():
    return sorted({*globals(), *__all__})
