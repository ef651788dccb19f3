"""How messages are made: what they call things, and the line that a warning points to."""

import sys


def brief(value, most=200):
    """The beginning of a value's repr, for a message; its type where there is none."""
    try:
        words = repr(value)
    except Exception:  # of the user's own, and the digits of an integer may be too many
        return f"<{type(value).__name__}>"
    return words if len(words) <= most else f"{words[:most]}..."


def count(number, what):
    """A number of things in words: ``1 epoch``, ``2 epochs``.

    Examples
    --------
    >>> count(1, "epoch"), count(1200, "step"), count(2, "class")
    ('1 epoch', '1200 steps', '2 classes')
    """
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def level_outside():
    """The ``stacklevel`` of the line outside of fastgd that a call of it came from, for ``warnings.warn``."""
    frame, level = sys._getframe(1), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("fastgd."):
        frame, level = frame.f_back, level + 1
    return level
