"""fastgd: gradient descent at memory speed, many models at once, with no learning rate to guess."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names for editors, which find docstrings by them
    from .config import show_config, warmup
    from .estimators.sgd import SGDClassifier, SGDRegressor
    from .estimators.sweep_cv import SweepCV
    from .functions.minimize import minimize
    from .functions.minimize_sweep import minimize_sweep
    from .linear.fit import fit
    from .linear.local_sgd import local_sgd
    from .linear.lr_find import lr_find
    from .linear.partial_fit import partial_fit
    from .linear.sweep import sweep
    from .results.divergence import DivergenceWarning
    from .results.fit_result import FitResult
    from .results.history import History
    from .results.loading import load
    from .results.lr_find import LrFind
    from .results.minimize_result import MinimizeResult
    from .results.sweep_results import CrossValidation, SweepResult

__version__ = "0.2.0"

# Each public name and the module it loads from on first use: importing fastgd imports neither Numba nor an extra.
_MODULES = {
    "fit": "linear.fit",
    "partial_fit": "linear.partial_fit",
    "sweep": "linear.sweep",
    "lr_find": "linear.lr_find",
    "local_sgd": "linear.local_sgd",
    "LrFind": "results.lr_find",
    "load": "results.loading",
    "FitResult": "results.fit_result",
    "History": "results.history",
    "MinimizeResult": "results.minimize_result",
    "DivergenceWarning": "results.divergence",
    "CrossValidation": "results.sweep_results",
    "SweepResult": "results.sweep_results",
    "minimize": "functions.minimize",
    "minimize_sweep": "functions.minimize_sweep",
    "SGDClassifier": "estimators.sgd",
    "SGDRegressor": "estimators.sgd",
    "SweepCV": "estimators.sweep_cv",
    "show_config": "config",
    "warmup": "config",
}
_SUBMODULES = ("engines", "losses", "optimizers", "reference", "schedules", "sources")
__all__ = sorted([*_MODULES, *_SUBMODULES])


def __getattr__(name):
    if name in _SUBMODULES:
        value = importlib.import_module(f".{name}", __name__)
    elif name in _MODULES:
        value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    else:
        raise AttributeError(f"module 'fastgd' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return [*__all__, "__all__", "__doc__", "__version__"]
