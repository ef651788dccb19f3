"""Every case of the registry in its smallest size, under pytest-benchmark (``--benchmark-enable`` times them)."""

import numpy as np
import pytest

import fastgd

from .cases import CASES
from .fit_cases import loss_rows, optimizer_rows
from .registry import agree, reached

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(benchmark, case):
    runs = {name: run for name, run in case.make(*case.small).items() if run is not None}
    benchmark.group = case.name
    benchmark(runs["fastgd"])
    assert agree(reached(runs), max(case.within, 0.05))
    assert set(case.grows) <= set(runs)


@pytest.mark.parametrize(("make", "parts"), [(optimizer_rows, fastgd.optimizers), (loss_rows, fastgd.losses)])
def test_every_part_is_timed(make, parts):
    runs = make(10, 2, np.float64)
    assert len(runs) == sum(not getattr(getattr(parts, name), "joint", False) for name in parts.__all__)
    assert {name for case in CASES if case.make is make for name in case.limits} < set(runs)
