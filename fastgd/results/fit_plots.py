"""Plots of one fit: its losses epoch by epoch, and its coefficients."""

import numpy as np

from ..wording import count
from .coefficients import Coefficients
from .plots import FEW_POINTS, LEGEND, RING, drawable, legend_below, new_axes, scale_of, whole_numbers

EPS = np.finfo(np.float64).eps
REST = "C7"  # the colour of what is summed up
ROW_HEIGHT, MOST_HEIGHT = 0.28, 12.0  # inches
PLACE = 0.8  # of a row's height, which the marks of all outputs take


def plot_course(result, ax, options):
    """Draw the training and validation losses of a fit, and what is still possible of quasi-Newton steps."""
    ax = new_axes() if ax is None else ax
    history, unit = result.state.history, unit_of(result)
    outputs = history["loss"].shape[1]
    many = outputs > 1
    for k in range(outputs):
        colour = {"color": f"C{k}"} if outputs <= LEGEND else {"color": "C0", "alpha": 0.4}
        name = "training" if not many else f"target {k}" if outputs <= LEGEND else "_" if k else f"{outputs} targets"
        own = {"label": name, **colour, **marker(result), **options}
        line(ax, history["loss"][:, k], 0 if result.state.resolved["batch_size"] >= result.state.rows else 1, own)
        after = {**own, "linestyle": ":", "label": "_" if k else "after the epoch"}
        line(ax, history["objective"][:, k], 1, after)
        held = {**own, "linestyle": "--", "label": "_" if k else "validation"}
        held |= {} if many else {"color": "C1"}
        line(ax, history["validation_loss"][:, k], 1, held)
    if not many and outputs == 1 and drawable(np.array([result.loss])).all() and starts_before(result):
        last = {**marker(result), "color": ax.lines[0].get_color() if ax.lines else "C0", "label": "_"}
        curve = history["loss"][-1:, 0]
        ends = range(result.n_epochs - curve.size, result.n_epochs + 1)  # one point of a run without a step
        ax.plot(ends, [*curve, result.loss], **last)
    mark_best_epoch(ax, result)
    limit(ax, result)
    ax.set(xlabel=unit, ylabel="objective" if starts_before(result) else "mean loss of an epoch")
    whole_numbers(ax)
    ax.set_title(f"{result.status} after {count(result.n_epochs, 'step' if unit.startswith('step') else 'epoch')}")
    decrement(ax, result)
    legend_below(ax)
    return ax


def starts_before(result):
    """Whether losses are those before each step of all rows, so that the first is that of the start."""
    return result.state.resolved["batch_size"] >= result.state.rows


def unit_of(result):
    """What the history has an entry for."""
    return "steps over all rows" if starts_before(result) else "epoch"


def marker(result):
    """Markers, where points are few."""
    return {"marker": "o", "markersize": 4} if result.n_epochs <= FEW_POINTS else {}


def line(ax, values, first, options):
    """Draw the values that can be drawn, where there are any."""
    good = drawable(values)
    if good.any():
        ax.plot(first + np.arange(values.size), np.where(good, values, np.nan), **options)


def mark_best_epoch(ax, result):
    """A ring about the validation loss of the best epoch."""
    if result.best_epoch is None:
        return
    held = result.history.validation_loss[result.best_epoch - 1]
    if drawable(np.array([held])).all():
        ax.axvline(result.best_epoch, color="0.6", linewidth=1, zorder=0)
        ax.scatter([result.best_epoch], [held], marker="*", label=f"best epoch: {result.best_epoch}", **RING)


def limit(ax, result):
    """A logarithmic axis where losses are positive and wide apart; a run that diverged shows where it left."""
    drawn = np.concatenate([np.asarray(one.get_ydata(), float) for one in ax.lines] or [np.empty(0)])
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size and scale_of(drawn) == "log":
        ax.set_yscale("log")


def decrement(ax, result):
    """The decrease that was still possible after each step, on an axis of its own."""
    left = result.history.decrement
    shown = np.isfinite(left) & (left > 0) & drawable(left)
    if not shown.any():
        return
    other = ax.twinx()
    steps = np.arange(1, left.size + 1)[shown]
    style = {"color": "C3", "linestyle": "-.", "marker": "s", "markersize": 4, "label": "decrease still possible"}
    least = EPS * abs(result.loss) if np.isfinite(result.loss) else 0.0  # below that is rounding
    other.plot(steps, np.maximum(left[shown], least), **style)
    ax.plot([], [], **style)  # for the legend
    other.set(yscale="log", ylabel="decrease still possible")
    other.yaxis.label.set_color("C3")
    tol = result.options["tol"]
    if tol is not None and result.loss > 0:
        other.axhline(tol * result.loss, color="C3", linewidth=0.8, linestyle=":")
        ax.plot([], [], color="C3", linewidth=0.8, linestyle=":", label=f"tolerance: {tol:g} of the loss")


# Coefficients -------------------------------------------------------------------------------------------------------


def plot_coefficients(result, ax, top, scaled, level):
    """Draw the largest coefficients by name, with their bootstrap intervals, and one line for all others."""
    found = Coefficients.of(result)
    scaled = scaled and found.spread is not None
    values = found.scaled if scaled else found.values
    columns = found.columns_by_size(scaled)
    rows, rest = columns[:top], columns[top:]
    low, high = intervals(result, level, found.spread if scaled else None)
    outputs = len(values)
    height = ROW_HEIGHT * max(1.0, outputs / 3) * (len(rows) + bool(len(rest)))
    ax = new_axes(figsize=(6.4, 1.6 + min(height, MOST_HEIGHT))) if ax is None else ax
    places = PLACE * ((np.arange(outputs) + 0.5) / outputs - 0.5)
    at = np.arange(len(rows))
    for k in range(outputs):
        style = {"fmt": "o", "markersize": 5 if outputs == 1 else 4, "capsize": 2, "color": f"C{k % 10}"}
        error = None if low is None else np.abs(np.stack([low[k, rows], high[k, rows]]) - values[k, rows])
        ax.errorbar(values[k, rows], at + places[k], xerr=error, label=verbatim(found.outputs[k]) or "_", **style)
    labels = [verbatim(found.names[j]) for j in rows]
    if len(rest):
        others = values[:, rest]
        ax.plot([others.min(), others.max()], [len(rows)] * 2, color=REST, linewidth=3, solid_capstyle="butt")
        labels.append(f"{len(rest)} others")
    ax.axvline(0.0, color="0.6", linewidth=1, zorder=0)
    if outputs > 1:
        for edge in at[1:]:
            ax.axhline(edge - 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.set_yticks(np.arange(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_xlabel("coefficient times the spread of its column" if scaled else "coefficient")
    ax.set_title(f"{level:.0%} bootstrap intervals" if low is not None else "")
    legend_below(ax)
    return ax


def verbatim(text):
    """Text that matplotlib draws as it is, where two dollars would make it mathematics."""
    return text.replace("$", r"\$")


def intervals(result, level, spread):
    """The ends (outputs, d) of bootstrap intervals, or two Nones."""
    if result.replicates is None:
        return None, None
    ends = [np.atleast_2d(end) for end in result.coef_interval(level)]
    return ends if spread is None else [end * spread for end in ends]
