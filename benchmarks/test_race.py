"""Every case of the registry under pytest-benchmark: fastgd and its peers, a row each, where objectives are equal.

``python -m pytest benchmarks`` times them (by the settings in ``pytest.ini``, here); where timing is disabled, as in
the whole suite, those of equal steps run at their smallest sizes.
"""

from functools import cache

import numpy as np
import pytest

from fastgd.kernels.threads import available_threads

from . import cases, machine, measure, race, registry

pytestmark = pytest.mark.slow

versions = cache(machine.versions)

ROUNDS, SECONDS = 5, 6.0  # of one row: what takes long has fewer rounds, down to one


def pytest_generate_tests(metafunc):
    """A test for each case, size, label and entrant; the data are made when the first of a size runs."""
    option = metafunc.config.getoption
    small = option("benchmark_disable") and not option("benchmark_enable")
    # Untimed, races to an objective are left to test_solvers.py: every worker would climb anew for a row of its own
    sizes = [(case, case.small) for case in cases.CASES if case.race == registry.STEPS]
    if not small:
        sizes = [(case, data) for case in cases.CASES for data in case.sizes]
    rows = [(size, label, name) for size in sizes for label in race.labels(size[0]) for name in race.entrants(size[0])]
    names = [f"{titled(*size, label)}-{name}" for size, label, name in rows]
    metafunc.parametrize(("entered", "label", "name"), rows, ids=names, indirect=["entered"])


def titled(case, data, label):
    return " ".join(filter(None, (f"{case.name}, {data}", label)))


@pytest.fixture(scope="module")
def entered(request):
    """A case at one size, with all of its groups."""
    return *request.param, race.groups(*request.param)


def clock():
    """The seconds of all runs so far: what pytest-benchmark reads before and after each."""
    return clock.seconds


clock.seconds = 0.0


def on_clock(run):
    """The run, with its seconds put on the `clock`: some are timed by a clock of their own."""

    def once():
        seconds, result = measure.timed(run)
        clock.seconds += seconds
        return result

    return once


@pytest.mark.benchmark(timer=clock)
def test_race(benchmark, entered, label, name):
    case, data, groups = entered
    runs, out = registry.parted(groups[label])
    assert "fastgd" in runs, out
    if name in out:
        assert not out[name].startswith(registry.FAILS), out[name]
        pytest.skip(f"{name} {out[name]}")
    with registry.limited(case):
        seconds, result = measure.timed(runs[name])  # compiles
        values = registry.reached({"fastgd": runs["fastgd"], name: lambda: result})
        assert registry.agree(values, race.within(case, label)), f"the objectives differ: {values}"
        benchmark.group, benchmark.name = titled(case, data, label), name
        benchmark.extra_info |= described(case, data, values[name])
        rounds = int(max(1, min(ROUNDS, SECONDS / seconds)))
        with measure.no_compiling():
            benchmark.pedantic(on_clock(runs[name]), setup=measure.rest, rounds=rounds, warmup_rounds=int(rounds > 1))


def described(case, data, objective):
    """What a row's time is a time of, in numbers and words."""
    X = race.Work.of(case, data).X
    return {
        "n": data.n,
        "d": data.d,
        "nnz": int(X.size),
        "steps": case.steps(data),
        "lanes": case.lanes,
        "objective": float(np.min(objective)),
        "threads": case.threads or available_threads(),
        "versions": ", ".join(f"{package} {version}" for package, version in versions().items()),
    }
