"""Losses: one small class each, elementwise in the score ``p`` and the target ``y``.

``value(p, y)`` is the loss and ``slope(p, y)`` its derivative in ``p``; the gradient in the weights is ``slope * x``.
The methods are plain NumPy: the reference runs them on arrays, the kernels compile them. Optional methods and traits:
``PROTOCOLS["losses"]`` in :mod:`fastgd.parts.registry`.

To add a loss, write one class in a module of this folder: its name in ``snake_case`` becomes its string name.
"""

from ..registry import catalogue, snake_case
from .joint import of_rows  # noqa: F401

globals().update(classes := catalogue(__name__, __path__))
__all__ = list(classes)


def names_with(method):
    """The string names of the losses that have an optional method."""
    return [snake_case(name) for name, loss in classes.items() if getattr(loss, method)]
