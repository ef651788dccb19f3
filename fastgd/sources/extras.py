"""Packages that only some sources need."""

import importlib


def needed(module, extra):
    """A module of a package that an extra of fastgd installs."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        text = f"This source needs {package}: python -m pip install 'fastgd[{extra}]'"
        raise ImportError(text, name=package) from None
