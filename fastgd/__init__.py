"""fastgd: gradient descent at memory speed, many models at once, with no learning rate to guess."""

import importlib

__version__ = "0.1.0"

# Each public name and the module it loads from on first use: importing fastgd imports neither Numba nor anything optional.
_PLACES = {
    "fit": "fit",
    "FitResult": "results",
    "History": "results",
    "losses": None,
    "optimizers": None,
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


def __dir__():
    return sorted({*globals(), *__all__})
