"""Losses by name: :mod:`fastgd.parts.losses`."""

from .parts.losses import *  # noqa: F403
from .parts.losses import __all__


def __dir__():
    return __all__
