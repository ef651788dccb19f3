"""Every comparison at its smallest size; ``test_race.py`` has the cases."""

import numpy as np
import pytest

import fastgd

from .comparisons import COMPARISONS
from .fit_comparisons import loss_rows, optimizer_rows
from .registry import agree, parted, reached

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_comparison(comparison):
    runs, _ = parted(comparison.make(*comparison.small))
    assert agree(reached(runs), max(comparison.within, 0.05))
    assert set(comparison.grows) <= set(runs)


@pytest.mark.parametrize(("make", "parts"), [(optimizer_rows, fastgd.optimizers), (loss_rows, fastgd.losses)])
def test_every_part_is_timed(make, parts):
    runs = make(10, 2, np.float64)
    assert len(runs) == sum(not getattr(getattr(parts, name), "joint", False) for name in parts.__all__)
    assert {name for case in COMPARISONS if case.make is make for name in case.limits} < set(runs)
