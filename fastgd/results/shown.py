"""What ``print`` and a notebook show of a result: a title, facts and tables, as lines of text or as plain HTML."""

from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple


class ShownTable(NamedTuple):
    """A table of texts with a caption."""

    caption: str
    head: tuple
    rows: list

    def lines(self):
        """The caption, and the rows with aligned columns; numbers, as all but the first are, to the right."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        first, *others = widths
        for row in (self.head, *self.rows):
            cells = [row[0].ljust(first), *(text.rjust(width) for text, width in zip(row[1:], others, strict=True))]
            yield "  ".join(cells).rstrip()

    def html(self):
        """A table with a caption."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.head)
        rows = [
            f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(text)}</td>" for text in others)}</tr>'
            for first, *others in self.rows
        ]
        body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
        return f"<table><caption>{escape(self.caption)}</caption>{body}</table>"


@dataclass
class Shown:
    """What is shown of a result."""

    title: str
    facts: dict = field(default_factory=dict)  # words by what they are about; None as a key for those of their own
    tables: list = field(default_factory=list)  # of both
    notebook: list = field(default_factory=list)  # tables of notebooks alone
    details: dict = field(default_factory=dict)  # facts below the tables

    def text(self):
        """Lines for a terminal."""
        lines = [self.title]
        lines += [f"  {words}" if name is None else f"  {name}: {words}" for name, words in self.facts.items()]
        for table in self.tables:
            lines += [f"  {table.caption}:", *(f"    {line}" for line in table.lines())]
        return "\n".join([*lines, *(f"  {name}: {words}" for name, words in self.details.items())])

    def html(self):
        """HTML without a style, so that a notebook's own, light or dark, holds."""
        parts = [f"<p><strong>{escape(self.title)}</strong></p>"]
        words = [said for name, said in self.facts.items() if name is None]
        parts += [f"<p>{escape(said)}</p>" for said in words]
        parts += _facts({name: said for name, said in self.facts.items() if name is not None})
        parts += [table.html() for table in (*self.tables, *self.notebook)]
        parts += _facts(self.details)
        return f"<div>{''.join(parts)}</div>"


def _facts(facts):
    """A table of facts, or nothing."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(said)}</td></tr>' for name, said in facts.items()
    )
    return [f"<table><tbody>{rows}</tbody></table>"] if rows else []


def number(value):
    """A number in a few digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
