"""The pictures of sweeps, drawn and looked at: lines, labels, scales, crosses, and the pixels of each panel."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fastgd.inputs.grid import expand
from fastgd.results.plots import plot_histories, plot_losses
from fastgd.results.scores import Scores
from fastgd.results.sweep_results import CrossValidation, SweepResult

RATES = np.geomspace(1e-4, 10, 64).tolist()


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def descent(rate, scale=1.0, epochs=10):
    """The losses of plain descent on a parabola: a crawl at small rates, above 2 a blow-up that ends in infinity."""
    with np.errstate(over="ignore"):
        return scale * (1 + 1e3 * (1 - np.float64(rate)) ** (60 * np.arange(1, epochs + 1)))


def swept(given, scale=1.0, epochs=10, product=True):
    """A sweep of descents; other settings than the rate shift the losses."""
    grid = expand(given, product)
    others = [
        sum(
            sorted(set(map(str, of))).index(str(of[k])) for name, of in grid.settings.items() if name != "learning_rate"
        )
        for k in range(len(grid.points))
    ]
    runs, losses, status = [], [], []
    for point, other in zip(grid.points, others, strict=True):
        rate = point.get("learning_rate", 0.1)
        course = descent(rate if isinstance(rate, float) else 0.1, scale, epochs) + scale * 0.1 * other
        runs.append(SimpleNamespace(history=SimpleNamespace(loss=course, validation_loss=np.full(epochs, np.nan))))
        losses.append(course[-1])
        status.append("max_epochs" if course[-1] <= course[0] else "diverged")
    return SweepResult(runs, grid.settings, np.array(losses), status)


def crossed(given, folds=5, **options):
    """Its cross-validation, with more loss the further a fold is."""
    s = swept(given, **options)
    losses = s.losses[:, None] * np.linspace(0.5, 1.5, folds)
    statuses = [[status] * folds for status in s._statuses]
    order = s.settings.get("alpha", [0.0] * len(statuses))
    return CrossValidation(
        [[run] * folds for run in s.results], s.settings, None, statuses, scores=Scores(losses), _order=order
    )


def drawn(result, panels):
    """The axes of a picture whose panels are neither blank nor beyond its edges."""
    figure = Figure(figsize=(6 * panels, 5), dpi=60, layout="constrained")
    axes = figure.subplots(ncols=panels)
    assert result.plot(axes) is axes
    looked_at(figure, np.ravel(axes))
    return axes


def looked_at(figure, axes):
    """Render a picture and look at its pixels."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    pixels = plt.imread(file)[..., :3]
    height, width = pixels.shape[:2]
    found = figure.get_tightbbox()
    assert 0 <= found.x0 < found.x1 <= figure.get_figwidth() + 0.01
    assert 0 <= found.y0 < found.y1 <= figure.get_figheight() + 0.01
    for ax in axes:
        box = ax.get_position()
        inside = pixels[int((1 - box.y1) * height) + 3 : int((1 - box.y0) * height) - 3]
        inside = inside[:, int(box.x0 * width) + 3 : int(box.x1 * width) - 3]
        assert inside.shape[0] > 0.4 * height, "labels or legends leave the panel no room"
        assert inside.shape[1] > 0.25 * width
        assert (inside < 0.9).any(axis=2).mean() > 1e-4, "a blank panel"


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def crosses(ax):
    """Where the runs that diverged are marked."""
    return [x for mark in ax.collections if mark.get_label() == "diverged" for x, _ in mark.get_offsets()]


def marked(ax, word):
    """Where a setting is marked."""
    (found,) = [mark.get_offsets()[0] for mark in ax.collections if mark.get_label().startswith(word)]
    return found


# Sweeps -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_64_rates():
    s = swept({"learning_rate": RATES})
    lost = [rate for rate, status in zip(RATES, s.status, strict=True) if status == "diverged"]
    assert 5 < len(lost) < 30
    losses, courses = drawn(s, 2)
    (line,) = losses.lines
    np.testing.assert_array_equal(line.get_xdata(), RATES[: -len(lost)])
    np.testing.assert_array_equal(line.get_ydata(), s.losses[: -len(lost)])
    assert losses.get_xscale() == losses.get_yscale() == courses.get_yscale() == "log"
    assert (losses.get_xlabel(), losses.get_ylabel()) == ("learning_rate", "objective")
    assert losses.get_title() == f"64 runs, {len(lost)} diverged"
    np.testing.assert_array_equal(crosses(losses), lost)
    assert losses.get_xlim()[0] < RATES[0] < RATES[-1] < losses.get_xlim()[1]
    best = s.best_index
    np.testing.assert_array_equal(marked(losses, "best"), [RATES[best], s.losses[best]])
    assert legend(losses) == ["diverged", f"best: learning_rate={RATES[best]:.4g}"]
    assert len(courses.lines) == 64
    assert len({tuple(line.get_color()) for line in courses.lines}) == 64
    assert (courses.get_xlabel(), courses.get_ylabel()) == ("epoch", "training loss")
    assert len(crosses(courses)) == len(lost)
    (bar,) = [ax for ax in courses.figure.axes if ax not in (losses, courses)]
    assert (bar.get_ylabel(), bar.get_yscale()) == ("learning_rate", "log")


@pytest.mark.jit
def test_runs_that_diverge_leave_the_picture_and_flatten_nothing():
    s = swept({"learning_rate": [1e-3, 1e-2, 2.1, 5.0]})
    courses = drawn(s, 2)[1]
    good = np.concatenate([run.history.loss for run in s.results[:2]])
    low, high = courses.get_ylim()
    assert good.max() < high < 5 * good.max()
    assert good.min() / 5 < low < good.min()
    for line in courses.lines[2:]:
        assert high < np.max(line.get_ydata()) < 1e20
        assert np.isfinite(line.get_ydata()).all()
    assert crosses(courses) == [1, 1]
    assert legend(courses)[:4] == [f"learning_rate={rate}" for rate in ("0.001", "0.01", "2.1", "5")]


@pytest.mark.slow
def test_few_groups_have_a_line_and_a_dash_each():
    s = swept({"learning_rate": RATES[:40:4], "alpha": [0.0, 1e-3, 1e-1]})
    losses, courses = drawn(s, 2)
    assert legend(losses)[:3] == ["alpha=0", "alpha=0.001", "alpha=0.1"]
    assert [line.get_xdata().size for line in losses.lines] == [10, 10, 10]
    assert {line.get_linestyle() for line in courses.lines} == {"-", "--", ":"}
    assert legend(courses)[-3:] == ["alpha=0", "alpha=0.001", "alpha=0.1"]


@pytest.mark.slow
def test_of_many_groups_the_best_stands_out():
    losses = drawn(swept({"learning_rate": RATES[:40:4], "alpha": [0.1 * k for k in range(12)]}), 2)[0]
    assert len(losses.lines) == 12
    assert [line.get_label() for line in losses.lines if line.get_color() != "0.8"] == ["alpha=0"]
    assert legend(losses)[0] == "alpha=0"


def test_zero_is_on_the_axis():
    losses, courses = drawn(swept({"alpha": [0.0, *np.geomspace(1e-5, 1, 11).tolist()]}), 2)
    assert losses.get_xscale() == "symlog"
    assert losses.get_xlim()[0] < 0
    bar = courses.figure.axes[-1]
    assert bar.get_ylabel() == "alpha"
    assert losses.lines[0].get_xdata().size == 12


def test_settings_without_numbers_are_named_below():
    losses = drawn(swept({"optimizer": ["sgd", "adam", "nesterov"]}), 2)[0]
    assert losses.get_xlabel() == "optimizer"
    assert [label.get_text() for label in losses.get_xticklabels()] == ["sgd", "adam", "nesterov"]
    losses = drawn(swept({"optimizer": ["sgd", "adam"], "loss": ["mse", "huber"]}), 2)[0]
    assert losses.get_xlabel() == "run"
    assert losses.get_xticklabels()[1].get_text() == "optimizer=sgd,\nloss=huber"


def test_pairs_are_one_line():
    losses = drawn(swept({"learning_rate": [1e-3, 1e-2, 0.1], "alpha": [0.0, 1.0, 2.0]}, product=False), 2)[0]
    assert len(losses.lines) == 1
    assert len(legend(losses)) == 1


def test_one_run():
    losses, courses = drawn(swept({}), 2)
    assert legend(losses) == legend(courses) == []
    assert losses.get_title() == "1 run"
    assert len(courses.lines) == 1


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1e120, 1e-120])
def test_sizes_that_are_hard_to_draw(scale):
    losses = drawn(swept({"learning_rate": [1e-3, 1e-2, 5.0]}, scale), 2)[0]
    assert len(crosses(losses)) == (1 if scale < 1e100 else 3)
    assert losses.get_title() == "3 runs, 1 diverged"


def test_where_every_run_diverged():
    losses, courses = drawn(swept({"learning_rate": [5.0, 10.0, 50.0]}), 2)
    assert [text.get_text() for text in losses.texts] == ["every run diverged, or is beyond 1e+100"]
    assert crosses(losses) == [5.0, 10.0, 50.0]
    assert len(courses.lines) == 3


def test_one_axes_is_for_the_courses():
    ax = drawn(swept({"learning_rate": RATES[:3]}), 1)
    assert ax.get_xlabel() == "epoch"
    assert plt.get_fignums() == []
    assert len(swept({"learning_rate": RATES[:3]}).plot()) == 2


def test_runs_without_a_history_have_no_courses():
    s = swept({"learning_rate": RATES[:3]})
    for run in s.results:
        run.history = None
    ax = s.plot()
    looked_at(ax.figure, [ax])
    assert (ax.get_xlabel(), ax.get_xscale()) == ("learning_rate", "linear")
    with pytest.raises(ValueError, match="sweep with history=True"):
        s.plot(ax)


def test_what_is_held_out_is_drawn_where_it_is_known():
    s = swept({"learning_rate": [1e-3, 1e-2]})
    for run in s.results:
        run.history.validation_loss = run.history.loss / 2
    courses = drawn(s, 2)[1]
    assert courses.get_ylabel() == "validation loss"
    np.testing.assert_array_equal(courses.lines[1].get_ydata(), s.results[1].history.loss / 2)


# Cross-validation ---------------------------------------------------------------------------------------------------


def test_folds_have_errors_and_two_marks():
    s = crossed({"learning_rate": [1e-2, 0.1, 0.5, 5.0], "alpha": [1e-4, 1e-3, 1e-1]})
    ax = drawn(s, 1)
    bars = [bar for bar in ax.containers if bar.has_yerr]
    assert len(bars) == 3
    good = [3 * k + 1 for k in range(3)]
    for bar, y, error in zip(bars[1][2][0].get_segments(), s.losses[good], s.scores.standard_error[good], strict=True):
        np.testing.assert_allclose(bar[:, 1], [y - error, y + error])
    for word, k in (("best", s.best_index), ("simplest", s.simplest_index)):
        np.testing.assert_allclose(marked(ax, word), [s.settings["learning_rate"][k], s.losses[k]])
    assert s.simplest_index != s.best_index
    assert crosses(ax) == [5.0] * 3
    assert ax.get_title() == "12 settings, 3 diverged"
    assert ax.get_ylabel() == "mean loss of 5 folds"
    assert len([text for text in legend(ax) if text.startswith("alpha")]) == 3


def test_one_fold_has_no_errors():
    ax = drawn(crossed({"alpha": [1e-3, 1e-2, 0.1]}, folds=1), 1)
    assert not ax.containers
    assert len(ax.lines) == 1


def test_folds_of_scores_below_zero():
    s = crossed({"alpha": [0.1, 0.2]})
    s = CrossValidation(
        s.results, s.settings, None, s._statuses, scores=Scores(s.scores.losses, scored=True), _order=[0.1, 0.2]
    )
    ax = drawn(s, 1)
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim()[1] < 0
    assert ax.get_ylabel() == "mean score of 5 folds"
    assert s.plot() is not ax


@pytest.mark.slow
@settings(max_examples=12)
@example([1e-219, 1e-300], ["diverged"] * 9)
@given(
    st.lists(st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf, 0.0, 1e-300]), min_size=2, max_size=9),
    st.lists(st.sampled_from(["diverged", "converged"]), min_size=9, max_size=9),
)
def test_any_losses_can_be_drawn(losses, status):
    n = len(losses)
    history = [SimpleNamespace(fun=np.array(losses[k:] + losses[:k])) for k in range(n)]
    runs = [SimpleNamespace(history=of) for of in history]
    s = SweepResult(runs, {"alpha": np.linspace(0, 1, n).tolist()}, np.array(losses), status[:n])
    figure = Figure(layout="constrained")
    axes = figure.subplots(ncols=2)
    plot_losses(axes[0], s)
    plot_histories(axes[1], s)
    figure.savefig(io.BytesIO(), dpi=30)
    assert all(np.isfinite(ax.get_ylim()).all() for ax in axes)
    kept = [v for v, k in zip(losses, status, strict=False) if k == "converged" and abs(v) < 1e100]
    assert len(crosses(axes[0])) == n - len(kept)
