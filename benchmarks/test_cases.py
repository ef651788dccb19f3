"""Every case of the registry in its smallest size, under pytest-benchmark (``--benchmark-enable`` times them)."""

import pytest

from .cases import CASES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(benchmark, case):
    runs = case.make(*case.small)
    benchmark.group = case.name
    value = benchmark(runs["fastgd"])
    others = [run() for run in runs.values()]
    assert all(other is None or abs(other - value) <= max(case.within, 0.05) * abs(value) for other in others)
