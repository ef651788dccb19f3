"""What losses, optimizers and schedules have in common: their string names and the limits of their fields."""

import difflib
import functools
import re

# What ``checks.number`` is asked for a field.
POSITIVE = {"above": 0.0}
BELOW_ONE = {"low": 0.0, "below": 1.0}


@functools.cache
def snake_case(name):
    """``SquaredError`` -> ``squared_error``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def catalogue(namespace, methods, traits):
    """The names of a module's part classes: those it defines itself that have one of ``methods``; traits filled."""
    names = [
        name
        for name, value in namespace.items()
        if isinstance(value, type)
        and value.__module__ == namespace["__name__"]
        and any(hasattr(value, method) for method in methods)
    ]
    for name in names:
        complete(namespace[name], traits)
    return names


def complete(part, traits):
    """Give a part class the traits that it does not define itself: a dict of attributes and their usual values."""
    for name, usual in traits.items():
        if not hasattr(part, name):
            setattr(part, name, usual)


def brief(value, most=200):
    """The beginning of a value's repr, for a message; its type where there is none."""
    try:
        words = repr(value)
    except Exception:  # of the user's own, and the digits of an integer may be too many
        return f"<{type(value).__name__}>"
    return words if len(words) <= most else f"{words[:most]}..."


def unknown(argument, given, valid):
    """The error for a name that is not one of ``valid``, with the nearest one."""
    near = difflib.get_close_matches(given.lower()[:200], [name for name in valid if isinstance(name, str)], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"{argument}={brief(given)} is not known.{hint} Valid are: {', '.join(map(repr, valid))}.")
