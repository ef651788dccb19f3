"""The pictures of a report, as SVG in a data URI: nothing has to be fetched to see them."""

import base64
import io
import statistics
from typing import NamedTuple

import numpy as np

from . import measure
from .report_tables import found_in

# Okabe and Ito's colours, told apart by most eyes, each with a marker of its own.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F"
STYLES = tuple(zip(COLOURS, "osD^vP*X", strict=True))
RULER = {"color": "#888888", "linewidth": 1}


class Picture(NamedTuple):
    """A title, what one sees in words, and the picture."""

    title: str
    words: str
    uri: str
    wide: bool = True


def pictures(results):
    """All pictures that there are numbers for."""
    entries = results["entries"]
    made = [ratios(entries), to_objectives(entries), *bandwidths(entries), *map(growth, *growths(entries))]
    return [picture for picture in made if picture]


def growths(entries):
    """Names and entries of what grows."""
    found = [(name, entry) for name, entry in entries.items() if entry["kind"] == "growth" and entry["races"]]
    return [name for name, _ in found], [entry for _, entry in found]


def canvas(width, height, title):
    """A figure with axes and a title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, which="major")
    axes.set_axisbelow(True)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure, axes


def picture(title, words, figure, wide=True):
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "fastgd"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(title, words, "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode(), wide)


def safe(text):
    """A name as matplotlib writes it as it is: a dollar would begin mathematics."""
    return str(text).replace("$", r"\$")


def plain_numbers(axis):
    """Label a logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 5e3 else (1,), numticks=30))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


# Peers --------------------------------------------------------------------------------------------------------------


def dots(rows, points, spans, label, title):
    """A row for each label, and on it a dot for each name: ``points`` has {name: (places, values)}."""
    figure, axes = canvas(11, 1.8 + 0.27 * len(rows), title)
    for k, (name, (places, values)) in enumerate(points.items()):
        colour, marker = STYLES[k % len(STYLES)]
        face = colour if k < len(STYLES) else "white"
        style = {"color": colour, "marker": marker, "markerfacecolor": face, "linestyle": "", "capsize": 2}
        style["markersize"], style["zorder"] = (10, 3) if name == "fastgd" else (6.5, 4)
        axes.errorbar(values, places, xerr=spans.get(name), label=safe(name), elinewidth=1.2, **style)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [safe(row) for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    plain_numbers(axes.xaxis)
    axes.tick_params(axis="x", top=True, labeltop=True)
    axes.set(xlabel=label)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure, axes


def ratios(entries):
    """How many times faster, of every case of equal steps."""
    rows, points, spans = [], {}, {}
    for row, race in shown_races(entries, "steps"):
        rows.append(row)
        for peer, ratio in race.ratios.items() if race else ():
            places, values = points.setdefault(peer, ([], []))
            places.append(len(rows) - 1)
            values.append(ratio.median)
            low, high = spans.setdefault(peer, ([], []))
            low.append(max(0.0, ratio.median - ratio.low))
            high.append(max(0.0, ratio.high - ratio.median))
    if not points:
        return None
    title = "How many times faster than each peer, the same steps"
    label = "times faster than the peer (bars: quartiles); left of the line fastgd is slower"
    figure, axes = dots(rows, points, spans, label, title)
    axes.axvline(1.0, **RULER)
    return picture(title, f"{len(rows)} races with a dot for each peer, on a logarithmic axis.", figure)


def shown_races(entries, kind):
    """Words and the race, of each that a picture has a row for; of an entry that failed, words and nothing."""
    for name, entry in entries.items():
        if entry["kind"] == kind:
            for race in map(found_in, entry["races"]):
                odd = "" if race.agree else " (somebody ends elsewhere)" if race.seconds else " (failed)"
                yield f"{name}: {race.label}{odd}", race
            if entry["failed"]:
                yield f"{name} (failed)", None


def to_objectives(entries):
    """Seconds to an objective, of everyone who gets there."""
    rows, points = [], {}
    for row, race in shown_races(entries, "objective"):
        rows.append(row)
        for who, seconds in race.seconds.items() if race else ():
            places, values = points.setdefault(who, ([], []))
            places.append(len(rows) - 1)
            values.append(statistics.median(seconds))
    if not points:
        return None
    title = "Seconds until the objective is within a target of the optimum"
    figure, _ = dots(rows, points, {}, "seconds (medians), everyone by the way of its own", title)
    return picture(title, f"{len(rows)} races with a dot for each solver, on a logarithmic axis.", figure)


# The machine --------------------------------------------------------------------------------------------------------


def bandwidths(entries):
    """Gigabytes a second that a pass over all rows takes in, beside a plain sum over the same array."""
    for name, entry in entries.items():
        races = [race for race in map(found_in, entry["races"]) if race.seconds] if entry["kind"] == "bandwidth" else ()
        if races:
            yield bandwidth(name, races)


def gigabytes(race):
    """Gigabytes of the array a second, of everyone."""
    n, d, dtype = race.shape
    return {who: n * d * np.dtype(dtype).itemsize / statistics.median(s) / 1e9 for who, s in race.seconds.items()}


def bandwidth(name, races):
    """Bars of gigabytes a second."""
    title, found = f"Bandwidth: one {name}, all threads", [gigabytes(race) for race in races]
    names = {"read": "a plain sum: the limit that was measured", "numpy": "NumPy"}
    figure, axes = canvas(11, 1.8 + 0.6 * len(races), title)
    for k, who in enumerate(sorted({who for one in found for who in one}, key=("fastgd", "read", "numpy").index)):
        places = np.arange(len(races)) + 0.27 * (k - 1)
        bars = axes.barh(
            places, [one.get(who, 0) for one in found], 0.25, color=STYLES[k][0], label=names.get(who, who)
        )
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set_yticks(range(len(races)), [f"{race.shape[0]:,} x {race.shape[1]:,}, {race.shape[2]}" for race in races])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="GB/s of the table, read once (NumPy reads it twice)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    words = "; ".join(f"{race.label}: {gigabytes(race)['fastgd']:.1f} GB/s" for race in races if race.ratios)
    return picture(title, words, figure)


def growth(name, entry):
    """How time grows with work, on axes of powers, with the power that was fitted."""
    work, told = entry["grows"], []
    figure, axes = canvas(8, 5, f"Time: {name}")
    for k, race in enumerate(race for race in map(found_in, entry["races"]) if set(work) <= set(race.seconds)):
        colour, marker = STYLES[k % len(STYLES)]
        x = np.array(list(work.values()), float)
        y = np.array([statistics.median(race.seconds[who]) for who in work])
        slope = measure.power(work, race.seconds)
        low, high = (np.array([np.quantile(race.seconds[who], q) for who in work]) for q in (0.25, 0.75))
        told.append(f"{race.size}: power {slope:.2f}")
        axes.errorbar(x, y, [y - low, high - y], color=colour, marker=marker, linestyle="", label=safe(told[-1]))
        middle = np.exp(np.log(x).mean()), np.exp(np.log(y).mean())
        axes.plot(x, middle[1] * (x / middle[0]) ** slope, color=colour, linewidth=1.5, linestyle="--")
    if not told:
        return None
    axes.set(xscale="log", yscale="log", xlabel=entry["axis"] or "work", ylabel="seconds (medians, quartiles)")
    axes.set_xticks(x, [f"{value:,g}" for value in x])
    axes.minorticks_off()
    plain_numbers(axes.yaxis)
    figure.legend(loc="outside lower center", frameon=False)
    return picture(f"Time: {name}", "; ".join(told), figure, wide=False)
