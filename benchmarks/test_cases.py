"""Every case of the registry in its smallest size, under pytest-benchmark (``--benchmark-enable`` times them)."""

import numpy as np
import pytest

import fastgd

from .cases import CASES, loss_rows, optimizer_rows

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(benchmark, case):
    runs = case.make(*case.small)
    benchmark.group = case.name
    value = benchmark(runs["fastgd"])
    others = [run() for run in runs.values()]
    assert all(other is None or abs(other - value) <= max(case.within, 0.05) * abs(value) for other in others)


@pytest.mark.parametrize(("make", "parts"), [(optimizer_rows, fastgd.optimizers), (loss_rows, fastgd.losses)])
def test_every_part_is_timed(make, parts):
    runs = make(10, 2, np.float64)
    assert len(runs) == sum(not getattr(getattr(parts, name), "joint", False) for name in parts.__all__)
    assert {name for case in CASES if case.make is make for name in case.limits} < set(runs)
