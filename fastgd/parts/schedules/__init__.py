"""Schedules: the learning rate as a pure function of the step ``t`` = 1, 2, ...

``rate(t)`` is called on an array of steps, a slice ahead of the kernel, so a schedule is never compiled (inside the
kernel a power costs as much as a whole row). A rate may fall to zero at a run's end; callers floor it at the smallest
float.

Users give durations in epochs, and 0 is the rest of the run. What runs is ``in_steps`` of what they gave: the same
class with its durations in steps, as ``rate`` takes them. ``minimize`` counts an iteration as an epoch. A field called
``then`` is another schedule, which follows after ``period``. Optional methods and traits: ``PROTOCOLS["schedules"]`` in
:mod:`fastgd.parts.registry`.

To add a schedule, write one class in a module of this folder: its name in ``snake_case`` becomes its string name.
"""

from ..registry import catalogue
from .run import horizon, in_steps, rates, watched  # noqa: F401

globals().update(classes := catalogue(__name__, __path__))
__all__ = list(classes)
