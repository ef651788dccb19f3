"""What a run keeps of its options: plain values, which a file can hold and a run that goes on is compared with."""

from ..inputs import arrays
from ..inputs.options import FIELDS, names
from ..inputs.part_serialization import part_of_run, part_to_dict

KEPT = names(kept=True)
PARTS = {name: FIELDS[name].metadata["part"] for name in KEPT if FIELDS[name].metadata["part"]}


def described(options):
    """The options that a resumed run must keep, as plain values: a file holds them, and ``Resumed.agree`` compares."""
    found = {name: getattr(options, name) for name in KEPT}
    if found["optimizer"] == "newton":  # the same steps
        found["optimizer"] = "auto"
    found |= {name: part_to_dict(found[name]) for name in PARTS if found[name] != "auto"}
    if isinstance(options.validation, tuple):
        found["validation"] = "data"
    return found


def options_before(past, given):
    """The options that the run ``past`` started with; in a new process custom parts come from ``given``."""
    return {
        name: part_of_run(past, name, PARTS[name]) if isinstance(fact, dict) and name not in given else fact
        for name, fact in past.options.items()
    }


def shown(fact):
    """A plain value as the user would write it, for a message."""
    if not isinstance(fact, dict):
        return repr(fact)
    fields = ", ".join(f"{name}={shown(value)}" for name, value in fact["fields"].items() if value != "")
    return f"{fact['name']}({fields})"


def bounds_shown(low, high):
    """Bounds (d,), or None, as the user would write them, for a message."""
    return None if low is None else f"([{arrays.shown(low)}], [{arrays.shown(high)}])"
