"""How messages are made: what they call things, and the line that a warning points to."""

import sys


def level_outside():
    """The ``stacklevel`` of the line outside of fastgd that a call of it came from, for ``warnings.warn``."""
    frame, level = sys._getframe(1), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("fastgd."):
        frame, level = frame.f_back, level + 1
    return level
