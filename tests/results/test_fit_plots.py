"""The pictures of one fit, drawn and looked at: courses, decrements, best epochs, coefficients."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
from conftest import diverges
from test_plots import legend, looked_at, marked

import fastgd

RNG = np.random.default_rng(2)
X = RNG.standard_normal((60, 4)) * [1.0, 10.0, 0.1, 1.0]
Y = X @ [1.0, 0.2, 5.0, 0.0] + RNG.standard_normal(60)
Z = X / X.std(axis=0)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def lines(ax):
    return {line.get_label(): line for line in ax.lines if len(line.get_xdata())}


def is_below(ax):
    """Whether the legend is below the axes, where it covers nothing."""
    ax.figure.canvas.draw()
    return ax.get_legend().get_window_extent().y1 < ax.get_window_extent().y0


def test_two_newton_steps():
    r = fastgd.fit(X, Y)
    ax = r.plot()
    looked_at(ax.figure, [ax])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("steps over all rows", "objective")
    assert ax.get_title() == f"converged after {r.n_steps} step{'s' * (r.n_steps > 1)}"
    np.testing.assert_array_equal(lines(ax)["training"].get_ydata(), r.history.loss)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [r.history.loss[-1], r.loss])
    assert all(tick == int(tick) for tick in ax.get_xticks())
    (other,) = [one for one in ax.figure.axes if one is not ax]
    assert (other.get_ylabel(), other.get_yscale()) == ("decrease still possible", "log")
    assert legend(ax) == ["training", "decrease still possible", "tolerance: 1e-06 of the loss"]
    assert is_below(ax)


def test_the_validation_loss_and_the_best_epoch():
    r = fastgd.fit(Z, Y, validation=0.3, learning_rate=0.5, batch_size=10, epochs=12, random_state=0)
    ax = r.plot()
    looked_at(ax.figure, [ax])
    np.testing.assert_array_equal(lines(ax)["validation"].get_ydata(), r.history.validation_loss)
    np.testing.assert_array_equal(lines(ax)["training"].get_xdata(), np.arange(1, r.n_epochs + 1))
    found = [r.best_epoch, r.history.validation_loss[r.best_epoch - 1]]
    np.testing.assert_array_equal(marked(ax, f"best epoch: {r.best_epoch}"), found)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "mean loss of an epoch")


def test_each_target_is_drawn():
    r = fastgd.fit(X, np.column_stack([Y, 3 * Y, 5 * Y + X[:, 0]]))
    ax = r.plot()
    assert legend(ax)[:3] == ["target 0", "target 1", "target 2"]
    for k in range(3):
        np.testing.assert_array_equal(lines(ax)[f"target {k}"].get_ydata(), r.state.history["loss"][:, k])


@diverges
def test_a_run_that_diverged_can_be_drawn():
    for epochs in (10, 500):
        ax = fastgd.fit(Z, Y, learning_rate=5.0, epochs=epochs).plot()
        looked_at(ax.figure, [ax])
        assert ax.get_title().startswith("diverged after")
        assert ax.get_yscale() == "log"


def test_options_and_axes_are_the_users():
    ax = plt.figure().subplots()
    assert fastgd.fit(Z, Y, learning_rate=0.1, epochs=3).plot(ax, color="red", label="mine") is ax
    assert lines(ax)["mine"].get_color() == "red"


# Coefficients -------------------------------------------------------------------------------------------------------


def names(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def test_coefficients_by_size():
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    r = fastgd.fit(frame, Y)
    ax = r.coef_plot(top=2)
    looked_at(ax.figure, [ax])
    scaled = r.coef * X.std(axis=0)
    order = np.argsort(-abs(scaled))
    assert names(ax) == ["abcd"[j] for j in order[:2]] + ["2 others"]
    np.testing.assert_allclose(ax.containers[0].lines[0].get_xdata(), scaled[order[:2]], rtol=1e-9)
    assert ax.yaxis_inverted()
    assert ax.get_xlabel() == "coefficient times the spread of its column"
    raw = r.coef_plot(scaled=False)
    assert raw.get_xlabel() == "coefficient"
    np.testing.assert_allclose(raw.containers[0].lines[0].get_xdata(), r.coef[np.argsort(-abs(r.coef))], rtol=1e-9)
    with pytest.raises(ValueError, match="top=0"):
        r.coef_plot(top=0)


def test_bootstrap_intervals():
    r = fastgd.fit(X, Y, bootstrap=30, random_state=0)
    ax = r.coef_plot(level=0.8, scaled=False)
    assert ax.get_title() == "80% bootstrap intervals"
    low, high = r.coef_interval(0.8)
    order = np.argsort(-abs(r.coef))
    ends = [bar[:, 0] for bar in ax.containers[0].lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, np.column_stack([low, high])[order], rtol=1e-9)


def test_each_target_has_a_colour():
    ax = fastgd.fit(X, np.column_stack([Y, -Y])).coef_plot()
    looked_at(ax.figure, [ax])
    assert legend(ax) == ["target 0", "target 1"]
    assert len({bar.lines[0].get_color() for bar in ax.containers}) == 2
    assert names(ax)[0].startswith("column ")


# Histories ----------------------------------------------------------------------------------------------------------


def test_a_history_as_a_frame_and_in_a_line():
    pd = pytest.importorskip("pandas")
    history = fastgd.fit(Z, Y, learning_rate=0.1, epochs=3).history
    frame = history.to_dataframe()
    assert frame.index.tolist() == [1, 2, 3] and frame.index.name == "epoch"
    assert list(frame) == ["loss", "learning_rate", "gradient_norm", "seconds"]
    pd.testing.assert_series_equal(frame["loss"], pd.Series(history.loss, frame.index, name="loss"))
    first, last = history.loss[[0, -1]]
    assert repr(history).startswith(f"History: 3 epochs; loss {first:.6g} to {last:.6g}, learning_rate 0.1, ")


def test_a_run_without_a_step():
    ax = fastgd.fit(X, Y, epochs=0).plot()
    ax.figure.canvas.draw()
    assert ax.get_title() == "max_epochs after 0 steps"


def test_names_are_drawn_as_they_are():
    pd = pytest.importorskip("pandas")
    r = fastgd.fit(pd.DataFrame(X, columns=["$a_{$", "two\nlines", "c", "x" * 500]), Y)
    ax = r.coef_plot()
    ax.figure.canvas.draw()
    shown = [label.get_text().replace(r"\$", "$") for label in ax.get_yticklabels()]
    assert sorted(shown) == sorted(["$a_{$", "two lines", "c", "x" * 39 + "…"])
    assert max(map(len, repr(r).splitlines())) < 200
    assert "two lines" in repr(r)
