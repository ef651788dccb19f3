"""Parts as dicts of their name and fields, which files can hold, and back."""

from ..parts.registry import snake_case
from . import arguments, custom_parts


def part_to_dict(part):
    """The name and fields of a part as a dict; of a user's own class also the stamp of its code."""
    fields = {name: _field(value) for name, value in part._asdict().items()}
    if custom_parts.is_custom(part):
        return {"name": type(part).origin.name, "fields": fields, "stamp": type(part).__name__}
    return {"name": snake_case(type(part).__name__), "fields": fields}


def _field(value):
    if hasattr(value, "_asdict"):
        return part_to_dict(value)
    return value if isinstance(value, float) else f"<{type(value).__name__}>"  # of a user's schedule


def part_from_dict(given, module, argument):
    """The part of such a dict; raises for a user's own class, which has to be passed again."""
    known = {snake_case(name): getattr(module, name) for name in module.__all__}
    if "stamp" in given or given["name"] not in known:
        raise ValueError(f"The run was started with your own {argument} {given['name']!r}: pass {argument}= again.")
    fields = {
        name: part_from_dict(value, module, argument) if isinstance(value, dict) else float(value)
        for name, value in given["fields"].items()
    }
    return arguments.part(argument, known[given["name"]](**fields), module)


def part_of_run(state, name, module):
    """The loss, optimizer or schedule, by ``name``, of a run: itself if it is at hand, else from its dict."""
    if name in state.parts:
        return state.parts[name]
    return part_from_dict(getattr(state, name, None) or state.options[name], module, name)
