"""The docstrings of SGDRegressor and SGDClassifier: their own, completed by what ``Parameters`` says of both."""

import inspect
import re

from ..parts.registry import known_options
from .parameters import Parameters


def with_inherited_docs(cls):
    """The class, its docstring completed by the base's sections: parameters in the order of the signature.

    An unknown parameter is answered with the nearest one.
    """
    cls.__init__ = known_options(cls.__init__, cls.__name__)
    own, base = sections(cls), sections(Parameters)
    if "Parameters" in own:  # no docstrings under python -OO
        known = entries(base["Parameters"]) | entries(own["Parameters"])
        own["Parameters"] = "\n".join(known[name] for name in inspect.signature(cls).parameters)
        own["Attributes"] += f"\n{base['Attributes']}"
        examples = own.pop("Examples")
        own |= {"Notes": base["Notes"], "Examples": examples}
        cls.__doc__ = own.pop("") + "".join(f"\n\n{name}\n{'-' * len(name)}\n{text}" for name, text in own.items())
    return cls


def sections(cls):
    """The sections of a class's numpydoc docstring by their titles; "" is what comes before the first."""
    pieces = re.split(r"^(\w+)\n-+$", inspect.cleandoc(cls.__doc__), flags=re.MULTILINE)
    return dict(zip(["", *pieces[1::2]], map(str.strip, pieces[::2]), strict=True))


def entries(section):
    """The entries of a section by their names."""
    return {entry.split(" ", 1)[0]: entry for entry in re.split(r"\n(?=\S)", section)}
