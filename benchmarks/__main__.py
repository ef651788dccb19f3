"""``python -m benchmarks``: every case against its peers, interleaved, with the floors beside them.

``python -m benchmarks autotune`` fits real tables with nothing tuned; ``python -m benchmarks dropins`` holds the
estimators against scikit-learn's on real data.
"""

import argparse
import importlib
import os
import sys

from fastgd.threads import available_threads

from . import cases, measure, promises, race, registry


def verdict_on(ratio, floor, limit):
    """Whether a ratio keeps what is promised of it, in words."""
    if floor is not None:
        return f"floor {floor:g} {'reached' if ratio >= floor else 'MISSED'}"
    return "" if limit is None else f"limit {limit:g} {'reached' if ratio <= limit else 'MISSED'}"


def words_of(size):
    """A size in words: numbers, a data type, the name of a loop."""
    return " x ".join(getattr(part, "__name__", f"{part:,}" if isinstance(part, int) else str(part)) for part in size)


def races(case, small):
    """(label, runs, how far apart their objectives may lie) of every size of a case or a comparison."""
    sizes = (case.small,) if small else case.sizes
    for size in sizes:
        if isinstance(case, registry.Case):
            for label, runs in race.groups(case, size).items():
                yield f"{size} {label}", runs, race.within(case, label)
        else:
            yield words_of(size), case.make(*size), case.within


def report_race(case, label, runs, within, repeats, floors, limits):
    """Time who is in a race and print a line for each peer; returns whether all objectives agree."""
    runs, out = registry.parted(runs)
    for peer, why in out.items():
        print(f"{case.name:32} {label:36} {peer} is not compared: it {why}")
    if "fastgd" in out:
        return False
    reached = registry.reached(runs)
    agree = registry.agree(reached, within)
    seconds = measure.interleave(runs, repeats)
    for peer in runs:
        if peer == "fastgd":
            continue
        ratio = measure.ratio(seconds["fastgd"], seconds[peer])
        verdict = verdict_on(ratio.median, floors.get(peer), limits.get(peer))
        print(
            f"{case.name:32} {label:36} {min(seconds['fastgd']) * 1e3:9.1f} ms  "
            f"{ratio.median:7.2f} x {peer:22} ({ratio.low:.2f} to {ratio.high:.2f})  {verdict}",
            flush=True,
        )
    if getattr(case, "grows", None):
        print(f"{case.name:32} {label:36} grows as the power {measure.power(case.grows, seconds):.2f}")
    if not agree:
        print(f"  the objectives differ: {reached}")
    return agree


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("words", nargs="*", help="run only what has one of these words in its name")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one repeat: is everything alive?")
    given = parser.parse_args(arguments)

    def wanted(name):
        return not given.words or any(word.lower() in name.lower() for word in given.words)

    print(f"{os.cpu_count()} CPUs, {available_threads()} threads; times are the least, ratios are of medians.")
    fine = True
    for case in filter(lambda case: wanted(case.name), cases.CASES + promises.COMPARISONS):
        floors, limits = ({}, {}) if given.smoke else (case.floors, getattr(case, "limits", {}))
        for label, runs, within in races(case, given.smoke):
            fine &= report_race(case, label, runs, within, 1 if given.smoke else given.repeats, floors, limits)
    if not given.smoke:
        for limit in filter(lambda limit: wanted(limit.name), promises.LIMITS):
            value = limit.make()
            verdict = "reached" if value <= limit.limit else "MISSED"
            print(f"{limit.name:40} {value:9.3f} {limit.unit:5}  limit {limit.limit:g} {verdict}", flush=True)
    return 0 if fine else 1


OTHERS = "autotune", "dropins", "gate"  # modules with a main of their own

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        main = importlib.import_module(f".{sys.argv.pop(1)}", __package__).main
    raise SystemExit(main(sys.argv[1:]))
