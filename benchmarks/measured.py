"""What the races of a case or a comparison measured, and how it is printed: for the table of peers and the report."""

import math
from typing import NamedTuple

import numpy as np

from . import measure, race, registry


class Measured(NamedTuple):
    """One race: numbers and words alone, so that a file can hold it."""

    size: str
    target: str  # of a race to an objective
    shape: tuple  # rows, columns, data type
    seconds: dict  # of everyone who ran, turn by turn
    objectives: dict  # lists; None is a number that is not finite
    agree: bool
    out: dict  # of everyone who did not run, why

    @property
    def ratios(self):
        """How many times faster than each peer fastgd was."""
        peers = [name for name in self.seconds if name != "fastgd" and "fastgd" in self.seconds]
        return {name: measure.ratio(self.seconds["fastgd"], self.seconds[name]) for name in peers}

    @property
    def label(self):
        return f"{self.size} {self.target}".strip()


def words_of(size):
    """A size in words: numbers, a data type, the name of a loop."""
    if isinstance(size, registry.Data):
        return str(size)
    return " x ".join(f"{part:,}" if isinstance(part, int) else name_of(part) for part in size)


def name_of(part):
    return getattr(part, "__name__", str(part))


def shape_of(size):
    """Rows, columns and the data type of a size, where it has them."""
    if isinstance(size, registry.Data):
        return size.n, size.d, size.dtype
    if size and isinstance(size[0], registry.Data):
        return shape_of(size[0])
    return tuple(part if isinstance(part, int) else name_of(part) for part in size[:3])


def races(case, sizes, repeats, most=math.inf):
    """What every race of a case or a comparison measures, at each of some sizes; a size that fails is one too."""
    for size in sizes:
        try:
            if isinstance(case, registry.Case):
                groups = race.groups(case, size)
            else:
                groups = {"": case.make(*size)}
        except Exception as error:
            groups = {"": {"fastgd": registry.failure(error)}}
        for target, runs in groups.items():
            yield measured(case, size, target, runs, repeats, most)


def measured(case, size, target, runs, repeats, most=math.inf):
    """Run everyone once for the objective, which warms them, then in turn those whose objective is fastgd's."""
    runs, out = registry.parted(runs)
    values = {}
    with registry.limited(case):
        for name in list(runs):
            try:
                values |= registry.reached({name: runs[name]})
            except Exception as error:
                out[name] = registry.failure(error)
        elsewhere = unlike(values, race.within(case, target))
        runs = {name: run for name, run in runs.items() if name not in out | elsewhere}
        seconds = measure.interleave(runs, repeats, most, warm=True)
    agree = "fastgd" in runs and not elsewhere
    objectives = {name: plain(value) for name, value in values.items()}
    return Measured(words_of(size), target, shape_of(size), seconds, objectives, agree, out | elsewhere)


def unlike(values, within):
    """Of everyone who ends too far from fastgd's objective, how far, in words; nobody without one of fastgd's."""
    ours = values.get("fastgd")
    others = (
        {} if ours is None else {n: v for n, v in values.items() if not registry.agree({"fastgd": ours, n: v}, within)}
    )
    return {name: f"ends {registry.apart(ours, value):+.0e} from fastgd's objective" for name, value in others.items()}


def plain(values):
    """A list of numbers, with None for those that are not finite."""
    return [value if math.isfinite(value) else None for value in np.ravel(values).astype(float).tolist()]


# Lines --------------------------------------------------------------------------------------------------------------


def print_race(case, found, checked=True):
    """A line for each peer, with what is promised beside it where that is checked; whether all is well."""
    head = f"{case.name:32} {found.label:36}"
    floors, limits = (case.floors, getattr(case, "limits", {})) if checked else ({}, {})
    for peer, why in found.out.items():
        print(f"{head} {peer} is not compared: it {why}")
    for peer, ratio in found.ratios.items():
        verdict = verdict_on(ratio.median, floors.get(peer), limits.get(peer))
        print(
            f"{head} {min(found.seconds['fastgd']) * 1e3:9.1f} ms  "
            f"{ratio.median:7.2f} x {peer:22} ({ratio.low:.2f} to {ratio.high:.2f})  {verdict}",
            flush=True,
        )
    if getattr(case, "grows", None) and found.seconds:
        print(f"{head} grows as the power {measure.power(case.grows, found.seconds):.2f}")
    if found.seconds and not found.agree:
        print(f"  the objectives differ: {found.objectives}")
    return found.agree


def verdict_on(ratio, floor, limit):
    """Whether a ratio keeps what is promised of it, in words."""
    if floor is not None:
        return f"floor {floor:g} {'reached' if ratio >= floor else 'MISSED'}"
    return "" if limit is None else f"limit {limit:g} {'reached' if ratio <= limit else 'MISSED'}"


def print_limit(limit, value):
    verdict = "reached" if value <= limit.limit else "MISSED"
    print(f"{limit.name:40} {value:9.3f} {limit.unit:5}  limit {limit.limit:g} {verdict}", flush=True)
