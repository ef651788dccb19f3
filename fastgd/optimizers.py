"""Optimizers by name: :mod:`fastgd.parts.optimizers`."""

from .parts.optimizers import *  # noqa: F403
from .parts.optimizers import __all__


def __dir__():
    return __all__
