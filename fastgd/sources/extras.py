"""Packages that only some sources, and some files, need."""

import importlib


def needed(module, extra, what="This source needs"):
    """A module of a package that an extra of fastgd installs; ``what`` begins the message where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        text = f"{what} {package}: python -m pip install 'fastgd[{extra}]'"
        raise ImportError(text, name=package) from None
