"""Learning-rate schedules by name: :mod:`fastgd.parts.schedules`."""

from .parts.schedules import *  # noqa: F403
from .parts.schedules import (
    __all__,
    in_steps,  # noqa: F401
)


def __dir__():
    return __all__
