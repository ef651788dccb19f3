"""The snippets of a Markdown page: run in order, their output compared with what the page shows, by value.

A block of ```` ```python ```` is run in the page's namespace, the ``fastgd`` commands of a block of ```` ```sh ```` by
the command line's own ``main``. What Python prints has to be shown in a ```` ```text ```` block, the next one; what
commands print may be.
A comment ``<!-- not run: why -->`` before a block leaves it out, ``<!-- needs: torch -->`` where a package is missing.

``python tests/snippets.py PAGE...`` runs pages and writes what they print into them; ``...`` stays what it is.
"""

import contextlib
import importlib.util
import io
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|\d\.?)(?:e[+-]?\d+)?(?![\w])"
TOKEN = re.compile(rf"[A-Za-z_]\w*|(?<![\w.]){NUMBER}|\S")
RELATIVE = 1e-4  # what the rounding of another processor may change of a number with a fraction


@dataclass
class Block:
    """A block of code, the output that is shown for it, and why it is not run."""

    language: str
    code: str
    line: int
    end: int
    shown: str | None = None
    shown_at: tuple | None = None
    skipped: str | None = None


def pages():
    """All pages with snippets, README first."""
    found = sorted(page for page in DOCS.rglob("*.md") if not {"auto_gallery", "generated"} & {*page.parts})
    return [page for page in (DOCS.parent / "README.md", *found) if any(blocks(page.read_text()))]


def blocks(text):
    """The blocks of Python and of the shell of a page's text, in order."""
    fences = [*FENCE.finditer(text), None]
    for fence, following in pairwise(fences):
        if fence[1] not in ("python", "sh"):
            continue
        block = Block(fence[1], fence[2], text.count("\n", 0, fence.start()) + 2, fence.end())
        if following and following[1] == "text":
            block.shown, block.shown_at = following[2], following.span(2)
        before = text[: fence.start()].rstrip().rpartition("\n")[2]
        if mark := re.fullmatch(r"<!-- (not run|needs): (.+) -->", before):
            missing = [name for name in mark[2].split(", ") if not importlib.util.find_spec(name)]
            block.skipped = mark[2] if mark[1] == "not run" else ", ".join(missing) or None
        yield block


def run(page, names=None, check=True):
    """Run a page's blocks in the current folder; yield each with what it printed, compared with what is shown."""
    names = {} if names is None else names
    names["__name__"] = "__main__"
    for block in blocks(page.read_text()):
        if block.skipped:
            continue
        where = f"{page.name}, line {block.line}"
        printed = run_python(block, names, page) if block.language == "python" else run_commands(block.code)
        if check:
            if block.shown is None and printed.strip() and block.language == "python":
                raise AssertionError(f"{where}: the page does not show what is printed:\n{printed}")
            if block.shown is not None and (found := difference(block.shown, printed)):
                raise AssertionError(f"{where}: {found}\n--- shown\n{block.shown}\n--- printed\n{printed}")
        yield block, printed


def run_python(block, names, page):
    """What a block of Python prints; line numbers of errors are the page's."""
    code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    return out.getvalue()


def run_commands(code):
    """What the ``fastgd`` commands of a block print; each must end well. Other commands are left out."""
    from fastgd.__main__ import main

    with contextlib.redirect_stdout(io.StringIO()) as out:
        for command in code.replace("\\\n", " ").splitlines():
            words = shlex.split(command, comments=True)
            if words[:1] == ["fastgd"] and (status := main(words[1:])):
                raise AssertionError(f"{command}: exit code {status}\n{out.getvalue()}")
    return out.getvalue()


def difference(shown, printed):
    """What differs between two texts, or None: words are equal, numbers alike; ``...`` stands for anything."""
    found, parts = TOKEN.findall(printed), [TOKEN.findall(part) for part in shown.split("...")]
    begin = 0
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if number == 0:
            places = [0]
        elif last and part:
            places = [len(found) - len(part)]
        else:
            places = range(begin, len(found) - len(part) + 1)
        place = next((at for at in places if at >= begin and alike(part, found[at : at + len(part)])), None)
        if place is None:
            pairs = zip(part, found[begin:], strict=False)
            told = next((f"{a} is now {b}" for a, b in pairs if not same(a, b)), "the lengths differ")
            return told if number == 0 else f"not printed: {' '.join(part)[:200]}"
        begin = place + len(part)
    return (
        None if begin == len(found) or shown.rstrip().endswith("...") else f"not shown: {' '.join(found[begin:])[:200]}"
    )


def alike(shown, printed):
    """Whether tokens are equal; numbers with a fraction within one and a half of the last digit shown."""
    return len(shown) == len(printed) and all(map(same, shown, printed))


def same(shown, printed):
    if shown == printed:
        return True
    if not (re.fullmatch(NUMBER, shown) and re.fullmatch(NUMBER, printed)):
        return False
    if not re.search(r"[.e]", shown):  # counts are exact
        return False
    digits, _, power = shown.partition("e")
    unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    a, b = (float(text.replace(",", "")) for text in (shown, printed))
    return abs(a - b) <= max(1.5 * unit, RELATIVE * abs(a), 1e-12)


def written(page):
    """The page's text with what its blocks print; outputs with ``...`` are kept if they still hold."""
    text, shift = page.read_text(), 0
    for block, printed in run(page, check=False):
        printed = re.sub(r" +$", "", printed, flags=re.MULTILINE)
        if block.shown is None and (block.language == "sh" or not printed.strip()):
            continue
        if block.shown is None:
            at, new = (block.end, block.end), f"\n\n```text\n{printed.rstrip()}\n```"
        elif "..." in block.shown and difference(block.shown, printed) is None:
            continue
        else:
            at, new = block.shown_at, printed.rstrip() + "\n"
        text = text[: at[0] + shift] + new + text[at[1] + shift :]
        shift += len(new) - (at[1] - at[0])
    return text


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    for name in sys.argv[1:]:
        path = Path(name).absolute()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            text = written(path)
        path.write_text(text)
