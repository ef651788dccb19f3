"""README's snippets run as written, in order, in one namespace."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.slow
def test_snippets(capsys):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    namespace = {}
    assert len(SNIPPETS) >= 4
    for snippet in SNIPPETS:
        exec(compile(snippet, str(README), "exec"), namespace)
    out = capsys.readouterr().out
    shown = re.search(r"```text\n(FitResult.*?)```", README.read_text(), flags=re.DOTALL)[1]
    for line in shown.splitlines():  # up to the first number: the rest is the machine's rounding
        assert re.split(r"\d", line)[0] in out, line
    assert "diverged" in out
    matplotlib.pyplot.close("all")


def test_files_named():
    text = README.read_text()
    for name in re.findall(r"\]\((\S+?)\)", text):
        assert (README.parent / name).exists(), name
    package = README.parent / "fastgd"
    for path in package.glob("*.py"):
        if not path.name.startswith("_"):
            assert path.name in text, f"README's map lacks {path.name}"
