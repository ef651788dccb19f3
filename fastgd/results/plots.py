"""The pictures of sweeps: losses against a setting, the course of each run, folds with their errors."""

from typing import NamedTuple

import numpy as np

LEGEND = 8  # lines that a legend names; a colour bar tells of more
SHOWN = 1e100  # losses beyond it are drawn as if diverged: matplotlib's ticks overflow near 1e300
WIDE = 5  # values that span such a factor are drawn on a logarithmic axis
DASHES = ("-", "--", ":", "-.")
EDGE = 0.97  # of the axis's height: where the crosses of runs that diverged are
CROSS = {"marker": "x", "color": "tab:red", "label": "diverged", "zorder": 5}
RING = {"facecolors": "none", "edgecolors": "black", "s": 130, "zorder": 6}


def new_axes(**options):
    """The axes of a new figure (matplotlib): one, or an array of them."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("plot() needs matplotlib: python -m pip install 'fastgd[plot]'") from None
    return plt.subplots(layout="constrained", **options)[1]


def log_where_wide(ax):
    """A logarithmic axis for losses that are positive and span more than a factor of 50."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size and drawn.min() > 0 and drawn.max() > 50 * drawn.min():
        ax.set_yscale("log")


# What is drawn ------------------------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """What runs are drawn along: the first setting of numbers that varies, else the runs' own numbers with words."""

    name: str
    values: np.ndarray
    words: list | None = None  # of each run, where its number says nothing


class Course(NamedTuple):
    """What a run is compared by, as it ran."""

    losses: np.ndarray
    start: int  # the number of the first
    xlabel: str
    ylabel: str


def axis_of(result):
    """The axis of a sweep."""
    varying, numbers = _varying(result), np.arange(len(result.results), dtype=float)
    for name, values in varying.items():
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            return Axis(name, np.array(values, float))
    if len(varying) == 1:
        (name,) = varying
        return Axis(name, numbers, [short(value) for value in varying[name]])
    return Axis("run", numbers, words_of(result))


def words_of(result, but=()):
    """The settings of each run in words."""
    settings = {name: values for name, values in _varying(result).items() if name not in but}
    return [
        ", ".join(f"{name}={short(values[k])}" for name, values in settings.items()) for k in range(len(result.results))
    ]


def groups_of(result, axis):
    """The runs that differ along an axis only, under what the others of their settings are."""
    if axis.words:
        return {"": np.arange(len(axis.values))}
    groups = {}
    for k, words in enumerate(words_of(result, but=axis.name)):
        groups.setdefault(words, []).append(k)
    if len(groups) == len(axis.values):  # settings in pairs
        return {"": np.arange(len(axis.values))}
    return {words: np.array(runs) for words, runs in groups.items()}


def course_of(run):
    """The course of a fit, or of a minimisation."""
    history = run.history
    if history is None:
        raise ValueError("The courses need each run's history: sweep with history=True, or call plot() without axes.")
    if hasattr(history, "fun"):
        return Course(np.asarray(history.fun, float), 0, "iteration", "fun")
    if np.isfinite(history.validation_loss).any():
        return Course(history.validation_loss, 1, "epoch", "validation loss")
    return Course(history.loss, 1, "epoch", "loss")


def marks_of(result):
    """The runs to mark: their number, what they are, and a marker."""
    if len(result.results) == 1:
        return []
    found = [("best", "best_index", "*"), ("simplest within one standard error", "simplest_index", "D")]
    try:
        return [(getattr(result, index), words, marker) for words, index, marker in found if hasattr(result, index)]
    except ValueError:  # no loss is finite
        return []


def drawable(losses):
    """Which losses can be drawn."""
    return np.abs(losses) < SHOWN  # NaN is not


def short(value):
    """A value of a setting in a few letters."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _varying(result):
    """The settings of which there is more than one value, or all where there is none."""
    varying = {name: values for name, values in result.settings.items() if len(set(map(str, values))) > 1}
    return varying or result.settings


# Pictures -----------------------------------------------------------------------------------------------------------


def plot_losses(ax, result, error=None, ylabel="loss", what="runs"):
    """Draw the loss of each run, with its standard error where given, against the axis of the sweep."""
    axis, losses = axis_of(result), np.asarray(result.losses, float)
    good = drawable(losses) & (np.array(result.status) != "diverged")
    error = np.zeros(len(losses)) if error is None else np.where(good, np.nan_to_num(error), 0.0)
    marks = [mark for mark in marks_of(result) if good[mark[0]]]
    groups = groups_of(result, axis)
    for words, runs in groups.items():
        runs = runs[good[runs]]
        runs = runs[np.argsort(axis.values[runs], kind="stable")]
        # Of many lines only the one of the best run stands out.
        plain = len(groups) <= LEGEND or (marks and marks[0][0] in runs)
        colour = {} if plain else {"color": "0.8", "zorder": 1}
        (line,) = ax.plot(axis.values[runs], losses[runs], "." if axis.words else ".-", label=words or "_", **colour)
        if error[runs].any():
            bars = {"fmt": "none", "ecolor": line.get_color(), "capsize": 3, "alpha": 0.6, "zorder": line.get_zorder()}
            ax.errorbar(axis.values[runs], losses[runs], error[runs], **bars)
        if not plain:
            line.set_label("_")
    lost = axis.values[~good]
    if lost.size:
        ax.scatter(lost, np.full(lost.size, EDGE), transform=ax.get_xaxis_transform(), **CROSS)
    for k, words, marker in marks:
        ax.scatter(axis.values[k], losses[k], label=f"{words}: {words_of(result)[k]}", marker=marker, **RING)
    _set_x(ax, axis)
    _set_y(ax, losses[good], error[good], above=lost.size > 0)
    diverged = result.status.count("diverged")
    ax.set(ylabel=ylabel, title=_title(len(losses), what, diverged))
    _legend(ax)


def plot_courses(ax, result):
    """Draw the course of each run, coloured along the axis of the sweep."""
    from matplotlib.ticker import MaxNLocator

    axis, marks = axis_of(result), marks_of(result)
    courses = [course_of(run) for run in result.results]
    good = np.array([s != "diverged" and drawable(c.losses).any() for s, c in zip(result.status, courses, strict=True)])
    kept = [course.losses for course, stays in zip(courses, good, strict=True) if stays]
    # Runs that diverged leave the picture: to show them whole would flatten all others.
    seen = np.concatenate(kept or [course.losses[:1] for course in courses])
    seen = seen[drawable(seen)]
    top = _set_y(ax, seen, above=not good.all())
    colours, norm, each = _colours(axis.values)
    groups = groups_of(result, axis)
    dash = _dashes(groups)
    lost = []
    for k, (course, words) in enumerate(zip(courses, words_of(result), strict=True)):
        numbers = course.start + np.arange(course.losses.size)
        losses = np.where(drawable(course.losses), course.losses, np.nan if good[k] else np.inf)
        style = {"marker": "." if losses.size <= 12 else None, "linestyle": dash[k], "color": each[k]}
        ax.plot(numbers, losses if good[k] else np.minimum(losses, top), label=words or "_", **style)
        if not good[k]:
            gone = np.flatnonzero(losses > ax.get_ylim()[1])
            lost.append(course.start + (gone[0] if gone.size else max(losses.size - 1, 0)))
    if lost:
        ax.scatter(lost, np.full(len(lost), EDGE), transform=ax.get_xaxis_transform(), **CROSS)
    if marks and good[k := marks[0][0]] and courses[k].losses.size:
        last = courses[k].start + courses[k].losses.size - 1
        ax.scatter(last, courses[k].losses[-1], label="best", marker="*", **RING)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel=courses[0].xlabel, ylabel=courses[0].ylabel)
    _explain(ax, axis, groups, colours, norm)


def _title(count, what, diverged):
    """How many runs, and how many of them diverged."""
    return f"{count} {what if count > 1 else what[:-1]}" + (f", {diverged} diverged" if diverged else "")


def _explain(ax, axis, groups, colours, norm):
    """A legend of a few lines; a colour bar for many, with a legend of their dashes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.lines import Line2D

    if len(axis.values) <= LEGEND:
        _legend(ax)
        return
    ax.figure.colorbar(ScalarMappable(norm, colours), ax=ax, label=axis.name)
    handles = [mark for mark in ax.collections if not mark.get_label().startswith("_")]
    if 1 < len(groups) <= len(DASHES):
        dashes = zip(groups, DASHES, strict=False)
        handles += [Line2D([], [], color="0.3", linestyle=dash, label=words) for words, dash in dashes]
    _legend(ax, handles)


# Their axes ---------------------------------------------------------------------------------------------------------


def _set_x(ax, axis):
    """The scale of the axis of the sweep and its name; what runs are, where they have no number but their own."""
    values = axis.values
    kind = "linear" if axis.words else _scale(values)
    if kind == "symlog":
        least = values[values > 0].min()
        ax.set_xscale("symlog", linthresh=least, linscale=0.5)
        ax.set_xlim(-0.3 * least, 1.5 * values.max())
    else:
        ax.set_xscale(kind)
        ax.set_xlim(_limits(values, kind == "log")[:2])
    if axis.words and len(values) <= 2 * LEGEND and any(axis.words):
        words = [text.replace(", ", ",\n") for text in axis.words]
        letters = len(words) * max(len(line) for text in words for line in text.split("\n"))
        ax.set_xticks(values, words, rotation=0 if letters <= 45 else 90)
    ax.set_xlabel(axis.name)


def _set_y(ax, losses, error=0.0, above=False):
    """The scale and the limits of losses, with room for crosses ``above``; returns what is beyond the limits."""
    if not losses.size:
        words = f"every run diverged, or is beyond {SHOWN:g}"
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center")
        ax.set(ylim=(0, 1), yticks=[])
        return 2.0
    log = _scale(losses) == "log"
    ax.set_yscale("log" if log else "linear")
    low = losses - error
    low, high, beyond = _limits(np.append(np.where(low > 0, low, losses) if log else low, losses + error), log, above)
    ax.set_ylim(low, high)
    return beyond


def _scale(values):
    """The scale on which values can be told apart."""
    positive = values[values > 0]
    if not positive.size or values.min() < 0 or positive.max() < WIDE * positive.min():
        return "linear"
    return "log" if positive.size == values.size else "symlog"


def _limits(values, log, above=False):
    """The limits of an axis, and a value as far above them as they are apart."""
    values = np.log10(values) if log else values
    low, high = values.min(), values.max()
    room = high - low or 0.1 * abs(high) or 1.0
    limits = low - 0.06 * room, high + (0.14 if above else 0.06) * room, high + room
    return 10.0 ** np.clip(limits, -200, 200) if log else limits


def _colours(values):
    """A colour map, its norm, and a colour for each value."""
    from matplotlib import colormaps, colors

    kind, ends = _scale(values), {"vmin": values.min(), "vmax": values.max()}
    if kind == "symlog":
        norm = colors.SymLogNorm(values[values > 0].min(), linscale=0.5, **ends)
    else:
        norm = (colors.LogNorm if kind == "log" else colors.Normalize)(**ends)
    return colormaps["viridis"], norm, colormaps["viridis"](norm(values))


def _dashes(groups):
    """The dash of each run: its group's where there are few."""
    few = len(groups) <= len(DASHES)
    return {k: DASHES[g] if few else "-" for g, runs in enumerate(groups.values()) for k in runs.tolist()}


def _legend(ax, handles=None):
    """A legend where there is something to say."""
    handles = ax.get_legend_handles_labels()[0] if handles is None else handles
    if handles:
        ax.legend(handles=handles, loc="best", fontsize="small")
