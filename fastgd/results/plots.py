"""Plots: what all of them share, and those of sweeps: losses against a setting, and the history of each run."""

from typing import NamedTuple

import numpy as np

LEGEND = 8  # lines that a legend names; more get a colour bar
SHOWN = 1e100  # losses beyond it are drawn as if diverged: matplotlib's ticks overflow near 1e300
LEAST = 1e-190  # values that are all smaller have no logarithmic axis, for the same reason
WIDE = 5  # positive values that span such a factor are drawn on a logarithmic axis
DASHES = ("-", "--", ":", "-.")
FEW_POINTS = 30  # of a curve, up to which they have markers
EDGE, BELOW = (
    0.97,
    0.045,
)  # of the axis's height: where crosses of runs that diverged are, and the next at the same place
MOST_CROSSES = 4  # below each other
LETTERS = 80  # of the labels in a row of a legend
CROSS = {"marker": "x", "color": "tab:red", "label": "diverged", "zorder": 5}
RING = {"facecolors": "none", "edgecolors": "black", "s": 130, "zorder": 6}


# Shared by all plots ------------------------------------------------------------------------------------------------


def new_axes(**options):
    """The axes of a new figure (matplotlib): one, or an array of them."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("plot() needs matplotlib: python -m pip install 'fastgd[plot]'") from None
    return plt.subplots(layout="constrained", **options)[1]


def scale_of(values):
    """The scale on which finite values can be told apart: "linear", "log", or "symlog" where zero is among them."""
    positive = values[values > 0]
    if not positive.size or values.min() < 0 or positive.max() < max(WIDE * positive.min(), LEAST):
        return "linear"
    return "log" if positive.size == values.size else "symlog"


def log_where_wide(ax):
    """A logarithmic axis where the drawn losses are positive and span a wide range."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    if scale_of(drawn[np.isfinite(drawn)]) == "log":
        ax.set_yscale("log")


def mark_best(ax, x, y, label="best", marker="*"):
    """A ring about the best run."""
    ax.scatter(x, y, label=label, marker=marker, **RING)


def mark_diverged(ax, x):
    """A cross at the upper edge for each run that diverged, those at one place below each other."""
    x, seen = np.asarray(x, float), {}
    heights = []
    for value in x.tolist():
        heights.append(EDGE - BELOW * min(seen.get(value, 0), MOST_CROSSES - 1))
        seen[value] = seen.get(value, 0) + 1
    if x.size:
        ax.scatter(x, heights, transform=ax.get_xaxis_transform(), **CROSS)


def whole_numbers(ax):
    """Ticks of the horizontal axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def legend_below(ax, handles=None):
    """A legend below the axes, where it covers no curve; none without labels."""
    handles = ax.get_legend_handles_labels()[0] if handles is None else handles
    if not handles:
        return
    labels = [handle.get_label() for handle in handles]
    size = ax.xaxis.label.get_size() * 0.83
    columns = max(1, min(len(handles), int(LETTERS / (max(map(len, labels)) + 6))))
    box = ax.xaxis.get_tightbbox()
    height = 0.0 if box is None else box.height * 72 / ax.figure.dpi
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        borderaxespad=height / size + 1.0,
        ncols=columns,
        fontsize=size,
        frameon=False,
    )


def drawable(losses):
    """Which losses can be drawn."""
    return np.abs(losses) < SHOWN  # NaN is not


def short(value):
    """A value of a setting in a few letters."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


# Sweeps -------------------------------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """The axis of the runs: the first numeric setting that varies, else the numbers of the runs, with words."""

    name: str
    values: np.ndarray
    words: list | None = None  # of each run, where its number says nothing

    @classmethod
    def of(cls, result):
        """The axis of a sweep."""
        varying, numbers = _varying(result), np.arange(len(result.results), dtype=float)
        for name, values in varying.items():
            if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
                return cls(name, np.array(values, float))
        if len(varying) == 1:
            (name,) = varying
            return cls(name, numbers, [short(value) for value in varying[name]])
        return cls("run", numbers, _words(result))

    def groups(self, result):
        """The runs (indices) that differ along the axis only, by the rest of their settings in words."""
        groups, every = {}, np.arange(len(self.values))
        for k, words in enumerate([] if self.words else _words(result, but=self.name)):
            groups.setdefault(words, []).append(k)
        if len(groups) in (0, len(every)):  # settings in pairs
            return {"": every}
        return {words: np.array(runs) for words, runs in groups.items()}


def _varying(result):
    """The settings of which there is more than one value, or all where there is none."""
    return {k: of for k, of in result.settings.items() if len(set(map(str, of))) > 1} or result.settings


def _words(result, but=None):
    """The settings of each run in words."""
    settings = {name: values for name, values in _varying(result).items() if name != but}
    return [", ".join(f"{name}={short(of[k])}" for name, of in settings.items()) for k in range(len(result.results))]


def _marked(result):
    """The runs to mark: their number, what they are, and a marker."""
    found = [("best", "best_index", "*"), ("simplest within one standard error", "simplest_index", "D")]
    try:
        marks = [(getattr(result, index), words, marker) for words, index, marker in found if hasattr(result, index)]
    except ValueError:  # no loss is finite
        return []
    return marks if len(result.results) > 1 else []


def plot_losses(ax, result, error=None, ylabel=None, what="runs", values=None):
    """Draw the loss of each run, or other values, with standard errors where given, against the axis of the sweep."""
    axis, losses = Axis.of(result), np.asarray(result.losses if values is None else values, float)
    ylabel = ylabel or _names(result)[1]
    good = drawable(losses) & (np.array(result.status) != "diverged")
    error = np.zeros(len(losses)) if error is None else np.where(good, np.nan_to_num(error), 0.0)
    marks = [mark for mark in _marked(result) if good[mark[0]]]
    groups = axis.groups(result)
    for words, runs in groups.items():
        runs = runs[good[runs]]
        runs = runs[np.argsort(axis.values[runs], kind="stable")]
        # Of many lines only that of the best run is drawn in full colour.
        plain = len(groups) <= LEGEND or (marks and marks[0][0] in runs)
        style = {"label": words or "_"} if plain else {"label": "_", "color": "0.8", "zorder": 1}
        (line,) = ax.plot(axis.values[runs], losses[runs], "." if axis.words else ".-", **style)
        if error[runs].any():
            bars = {"fmt": "none", "ecolor": line.get_color(), "capsize": 3, "alpha": 0.6, "zorder": line.get_zorder()}
            ax.errorbar(axis.values[runs], losses[runs], error[runs], **bars)
    mark_diverged(ax, axis.values[~good])
    for k, words, marker in marks:
        mark_best(ax, axis.values[k], losses[k], f"{words}: {_words(result)[k]}", marker)
    _set_x(ax, axis)
    _set_y(ax, losses[good], error[good], above=not good.all())
    diverged = result.status.count("diverged")
    count = f"{len(losses)} {what if len(losses) > 1 else what[:-1]}"
    title = count + (f", {diverged} diverged" if diverged else "")
    ax.set(ylabel=ylabel, title=title + (", in units of their losses" if result.comparability.refusal else ""))
    legend_below(ax)


def plot_histories(ax, result):
    """Draw the losses of each run, epoch by epoch, coloured along the axis of the sweep."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.lines import Line2D

    axis, marks = Axis.of(result), _marked(result)
    curves, start, xlabel, ylabel = _curves(result)
    good = np.array([s != "diverged" and drawable(c).any() for s, c in zip(result.status, curves, strict=True)])
    # Runs that diverged leave the axes: limits that hold them would flatten all others.
    seen = np.concatenate([c for c, stays in zip(curves, good, strict=True) if stays] or [c[:1] for c in curves])
    top = _set_y(ax, seen[drawable(seen)], above=not good.all())
    colours, norm = _colours(axis.values)
    groups = axis.groups(result)
    dashes = dict(zip(groups, DASHES, strict=False)) if len(groups) <= len(DASHES) else {}
    dash = {k: dashes.get(words, "-") for words, runs in groups.items() for k in runs.tolist()}
    few = len(curves) <= LEGEND
    if few and len(groups) == 1:  # curves that cover each other are told apart by their dashes
        dash = {k: DASHES[k % len(DASHES)] for k in range(len(curves))}
    lost = []
    for k, (curve, words) in enumerate(zip(curves, _words(result), strict=True)):
        losses = np.minimum(np.where(drawable(curve), curve, np.nan if good[k] else np.inf), top)
        style = {
            "marker": "." if curve.size <= 12 else None,
            "linestyle": dash[k],
            "color": f"C{k}" if few else colours(norm(axis.values[k])),
        }
        ax.plot(start + np.arange(curve.size), losses, label=words or "_", **style)
        if not good[k]:
            gone = np.flatnonzero(losses > ax.get_ylim()[1])
            lost.append(start + (gone[0] if gone.size else max(curve.size - 1, 0)))
    mark_diverged(ax, lost)
    if marks and good[k := marks[0][0]] and curves[k].size:
        mark_best(ax, start + curves[k].size - 1, curves[k][-1])
    whole_numbers(ax)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    handles = None
    if not few:  # a colour bar, and a legend of the dashes
        ax.figure.colorbar(ScalarMappable(norm, colours), ax=ax, label=axis.name)
        handles = [mark for mark in ax.collections if not mark.get_label().startswith("_")]
        if len(dashes) > 1:
            handles += [Line2D([], [], color="0.3", linestyle=dash, label=words) for words, dash in dashes.items()]
    legend_below(ax, handles)


def _curves(result):
    """The losses that runs are compared by, per epoch; the number of the first; the labels of the axes."""
    histories = [run.history for run in result.results]
    if None in histories:
        raise ValueError("The runs have no history: sweep with history=True, or call plot() without axes.")
    name, reached = _names(result)
    curves = [np.asarray(getattr(history, name), float) for history in histories]
    iterations = name == "fun" and not hasattr(histories[0], "validation_fun")
    return curves, int(not iterations), "iteration" if iterations else "epoch", _COURSES.get(reached, reached)


_COURSES = {"objective": "training loss"}  # what the course of a run is called, by what it reaches


def _names(result):
    """The history that runs are compared by, and what its end is called."""
    histories = [run.history for run in result.results if not isinstance(run, list)]
    if not histories or histories[0] is None:
        return "fun", "fun"
    kind = "fun" if hasattr(histories[0], "fun") else "loss"
    held = [getattr(history, f"validation_{kind}", np.full(1, np.nan)) for history in histories]
    if all(np.isfinite(one).any() for one in held):
        return f"validation_{kind}", f"validation {kind}"
    return kind, "fun" if kind == "fun" else "objective"


# Axes of sweeps -----------------------------------------------------------------------------------------------------


def _set_x(ax, axis):
    """The scale of the axis of the sweep and its name; what runs are, where they have no number but their own."""
    values = axis.values
    scale = "linear" if axis.words else scale_of(values)
    if scale == "symlog":
        least = values[values > 0].min()
        ax.set_xscale("symlog", linthresh=least, linscale=0.5)
        ax.set_xlim(-0.3 * least, 1.5 * values.max())
    else:
        ax.set_xscale(scale)
        ax.set_xlim(_limits(values, scale)[:2])
    if axis.words and len(values) <= 2 * LEGEND and any(axis.words):
        words = [text.replace(", ", ",\n") for text in axis.words]
        letters = len(words) * max(len(line) for text in words for line in text.split("\n"))
        ax.set_xticks(values, words, rotation=0 if letters <= 45 else 90)
    ax.set_xlabel(axis.name)


def _set_y(ax, losses, error=0.0, above=False):
    """The scale and the limits of losses, with room for crosses ``above``; returns which are beyond."""
    if not losses.size:
        words = f"every run diverged, or is beyond {SHOWN:g}"
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center")
        ax.set(ylim=(0, 1), yticks=[])
        return 2.0
    scale = "log" if scale_of(losses) == "log" else "linear"
    low = losses - error
    low = np.where(low > 0, low, losses) if scale == "log" else low
    *limits, beyond = _limits(np.append(low, losses + error), scale, above)
    ax.set_yscale(scale)
    ax.set_ylim(*limits)
    return beyond


def _limits(values, scale, above=False):
    """The limits of an axis, and a value as far above them as they are apart."""
    values = np.log10(values) if scale == "log" else values
    low, high = values.min(), values.max()
    room = high - low or 0.1 * abs(high) or 1.0
    limits = low - 0.06 * room, high + (0.14 if above else 0.06) * room, high + room
    return 10.0 ** np.clip(limits, -200, 200) if scale == "log" else limits


def _colours(values):
    """A colour map, and its norm on the scale of the values."""
    from matplotlib import colormaps, colors

    scale, ends = scale_of(values), {"vmin": values.min(), "vmax": values.max()}
    if scale == "symlog":
        return colormaps["viridis"], colors.SymLogNorm(values[values > 0].min(), linscale=0.5, **ends)
    return colormaps["viridis"], (colors.LogNorm if scale == "log" else colors.Normalize)(**ends)
