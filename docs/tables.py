"""Write what follows from the code: ``python docs/tables.py``.

The tables of parts on the pages of the guide, and the stubs of :mod:`stubs`: editors, which run nothing, see neither
names that are loaded on first use nor signatures that are computed.
"""

import re
from pathlib import Path

from fastgd import losses, optimizers, schedules
from fastgd.parts.registry import JOINT_LOSS, PROTOCOLS, snake_case

CHOOSING = Path(__file__).parent / "guide" / "choosing.md"
PARTS = CHOOSING.with_name("parts.md")
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
    """The text of the page on choosing, with each table of parts anew."""
    for module, name in MARKS.items():
        text = placed(text, name, table(module))
    return text


def written_protocols(text):
    """The text of the page on parts with each table of methods and traits anew."""
    for name in MARKS.values():
        text = placed(text, name, protocol_table(PROTOCOLS[name]))
    own = {k: m for k, m in JOINT_LOSS.methods.items() if k not in PROTOCOLS["losses"].methods}
    joint = JOINT_LOSS._replace(methods=own, traits={})
    return placed(text, "joint losses", protocol_table(joint))


def placed(text, name, body):
    """A page's text with a table between its marks."""
    begin, end = f"<!-- table of {name} -->\n", "\n<!-- end -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    text, count = re.subn(pattern, lambda _: begin + body + end, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"The page lacks the marks of the table of {name}.")
    return text


if __name__ == "__main__":
    from stubs import stubs

    CHOOSING.write_text(written(CHOOSING.read_text()))
    PARTS.write_text(written_protocols(PARTS.read_text()))
    for path, text in stubs().items():
        path.write_text(text)
