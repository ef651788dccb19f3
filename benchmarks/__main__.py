"""``python -m benchmarks``: every case against its peers, interleaved, with the floors beside them.

``python -m benchmarks autotune`` fits real tables with nothing tuned; ``python -m benchmarks dropins`` holds the
estimators against scikit-learn's on real data; ``python -m benchmarks bandwidth`` compares a gradient with how fast
memory is read; ``python -m benchmarks solvers`` times the default fit to the optimum over a grid of tables;
``python -m benchmarks cluster`` times passes on a cluster, and simulates larger ones; ``python -m benchmarks sources``
fits Parquet files against what users would pick; ``python -m benchmarks report`` measures everything and draws it.
"""

import argparse
import importlib
import os
import sys

from fastgd.kernels.threads import available_threads

from . import cases, comparisons, measured
from .arguments import chosen, positive


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("words", nargs="*", help="run only what has one of these words in its name")
    parser.add_argument("--repeats", type=positive, default=7)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one repeat: is everything alive?")
    given = parser.parse_args(arguments)
    raced, limits = cases.CASES + comparisons.COMPARISONS, () if given.smoke else cases.LIMITS
    wanted = chosen([what.name for what in raced + limits], given.words)
    print(f"{os.cpu_count()} CPUs, {available_threads()} threads; times are the least, ratios medians of turns.")
    fine = True
    for case in (case for case in raced if case.name in wanted):
        sizes, repeats = ((case.small,), 1) if given.smoke else (case.sizes, given.repeats)
        for found in measured.races(case, sizes, repeats):
            fine &= measured.print_race(case, found, checked=not given.smoke)
    for limit in (limit for limit in limits if limit.name in wanted):
        measured.print_limit(limit, limit.make())
    return 0 if fine else 1


# Modules with a main of their own
OTHERS = {
    name: name for name in ("autotune", "bandwidth", "cluster", "dropins", "gate", "report", "sources", "streams")
} | {"solvers": "solver_grid"}

if __name__ == "__main__":
    try:
        if sys.argv[1:2] and sys.argv[1] in OTHERS:
            main = importlib.import_module(f".{OTHERS[sys.argv.pop(1)]}", __package__).main
        raise SystemExit(main(sys.argv[1:]))
    except ModuleNotFoundError as error:
        print(f'{error}: python -m pip install ".[test]"', file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        raise SystemExit(130) from None
