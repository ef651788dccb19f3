"""Write what follows from the code: ``python docs/tables.py``.

The tables of parts on the pages of the guide, and the stub ``fastgd/__init__.pyi``: editors, which run nothing, see
neither names that are loaded on first use nor signatures that are computed.
"""

import inspect
import re
from itertools import groupby
from pathlib import Path

import fastgd
from fastgd import losses, optimizers, schedules
from fastgd.parts.registry import JOINT_LOSS, PROTOCOLS, snake_case

README = Path(__file__).parent.parent / "README.md"
PARTS = Path(__file__).parent / "guide" / "parts.md"
STUB = Path(fastgd.__file__).with_suffix(".pyi")
RETURNED = {
    "fit": "FitResult",
    "lr_find": "LrFind",
    "minimize": "MinimizeResult",
    "minimize_sweep": "SweepResult",
    "partial_fit": "FitResult",
    "sweep": "SweepResult",
}
MARKS = {losses: "losses", optimizers: "optimizers", schedules: "schedules"}


def table(module):
    """A Markdown table of a module's part classes: string name, fields with their defaults, what it is."""
    lines = [f"| {MARKS[module]} | fields | |", "|---|---|---|"]
    for name in module.__all__:
        part = getattr(module, name)
        fields = ", ".join(f"`{field}={_shown(value)}`" for field, value in part()._asdict().items())
        paragraph = part.__doc__.strip().partition("\n\n")[0]
        sentence = re.split(r"(?<!al)\.(?:\s|$)", paragraph)[0].rstrip(":")
        lines.append(f"| `{snake_case(name)}` | {fields} | {plain(sentence)} |")
    return "\n".join(lines)


def _shown(value):
    return f"{value:g}" if isinstance(value, float) else type(value).__name__ + "()"


def plain(sentence):
    """A docstring's sentence without the markup of reStructuredText."""
    sentence = re.sub(r":math:`([^`]*)`", r"$\1$", " ".join(sentence.split()))
    sentence = re.sub(r":class:`([^`]*)`", r"\1", sentence)
    return sentence.replace("``", "`").replace("|", "\\|")


def protocol_table(protocol):
    """A Markdown table of the methods and the traits of a kind of part."""
    lines = ["| | |", "|---|---|"]
    for name, method in protocol.methods.items():
        lines.append(f"| `{name}({method.arguments})`{'' if method.required else ', optional'} | {method.meaning} |")
    for name, trait in protocol.traits.items():
        default = "inf" if trait.default == float("inf") else repr(trait.default)
        lines.append(f"| `{name} = {default}` | {trait.meaning} |")
    return "\n".join(lines)


def written(text):
    """README's text with each table of parts anew."""
    for module, name in MARKS.items():
        text = placed(text, name, table(module))
    return text


def written_protocols(text):
    """The text of docs/guide/parts.md with each table of methods and traits anew."""
    for name in MARKS.values():
        text = placed(text, name, protocol_table(PROTOCOLS[name]))
    own = {k: m for k, m in JOINT_LOSS.methods.items() if k not in PROTOCOLS["losses"].methods}
    joint = JOINT_LOSS._replace(methods=own, traits={})
    return placed(text, "joint losses", protocol_table(joint))


def stub():
    """The text of the stub: each public name, and in full the signatures of functions with options."""
    submodules = [name for name in fastgd.__all__ if name not in fastgd._MODULES]
    plain = {name: module for name, module in fastgd._MODULES.items() if name not in RETURNED}
    lines = ['"""Written by ``python docs/tables.py``."""', ""]
    lines += [f"from . import {name} as {name}" for name in submodules]
    lines += sorted(f"from .{module} import {name} as {name}" for name, module in plain.items())
    lines += ["", "__version__: str"]
    for name, returned in RETURNED.items():
        function, lists = getattr(fastgd, name), []
        for kind, listed in groupby(inspect.signature(function).parameters.values(), lambda one: one.kind):
            lists += ["*"] * (kind is inspect.Parameter.KEYWORD_ONLY) + [str(one).replace("'", '"') for one in listed]
        summary = inspect.getdoc(function).partition("\n")[0]
        lines += ["", f"def {name}(", *(f"    {one}," for one in lists), f") -> {returned}:", f'    """{summary}"""']
    return "\n".join(lines) + "\n"


def placed(text, name, body):
    """A page's text with a table between its marks."""
    begin, end = f"<!-- table of {name} -->\n", "\n<!-- end -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    text, count = re.subn(pattern, lambda _: begin + body + end, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"The page lacks the marks of the table of {name}.")
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
    PARTS.write_text(written_protocols(PARTS.read_text()))
    STUB.write_text(stub())
