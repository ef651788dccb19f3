"""Write the tables of parts into README, from the classes: ``python docs/tables.py``."""

import re
from pathlib import Path

from fastgd import losses, optimizers, schedules
from fastgd.parts.registry import snake_case

README = Path(__file__).parent.parent / "README.md"
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


def written(text):
    """README's text with each table of parts anew."""
    for module, name in MARKS.items():
        text = placed(text, name, table(module))
    return text


def placed(text, name, body):
    """README's text with a table between its marks."""
    begin, end = f"<!-- table of {name} -->\n", "\n<!-- end -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    text, count = re.subn(pattern, lambda _: begin + body + end, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"README lacks the marks of the table of {name}.")
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
