"""The ladder: rates from 1e-8 to 1e8 on data from 1e-150 to 1e150. Every run ends with finite weights and a true
status, or refuses the data by name."""

import re

import numpy as np
import pytest
from conftest import diverges

import fastgd
from fastgd import optimizers
from fastgd.parts.registry import snake_case

WIDE = np.longdouble  # squares of 1e150 and their sums, and to more digits
pytestmark = [
    diverges,
    pytest.mark.jit,
    pytest.mark.slow,
    pytest.mark.skipif(np.finfo(WIDE).maxexp < 4096, reason="needs a longdouble that is wider than float64"),
]

RATES = [*(10.0 ** np.arange(-8, 9, 2)), "auto"]
SCALES = {"float64": 10.0 ** np.arange(-150, 151, 25), "float32": 10.0 ** np.arange(-30, 31, 10)}
SCALED = {"X": (1, 0), "y": (0, 1), "X and y": (1, 1), "X against y": (1, -1)}
BATCHES = (None, 16, 1)
EPOCHS = 4
NAMES = [snake_case(name) for name in optimizers.__all__]
rng = np.random.default_rng(5)
X = rng.standard_normal((24, 2))
y = X @ [1.0, -2.0] + 0.3 + 0.1 * rng.standard_normal(24)


def objective(data, target, coef, intercept):
    residual = data.astype(WIDE) @ coef.astype(WIDE) + WIDE(intercept) - target.astype(WIDE)
    return np.mean(residual**2) / 2


def untrue(data, target, rate, **options):
    """What is wrong with how a run ends, or nothing."""
    # Of the parts of the objective that a run can see, the largest must not overflow.
    limit = np.finfo(data.dtype).max
    try:
        r = fastgd.fit(data, target, learning_rate=rate, epochs=EPOCHS, random_state=0, **options)
    except ValueError as error:
        large = max(np.max(np.abs(values).astype(WIDE)) ** 2 for values in (data, target)) * 1e8 > limit
        return "" if large and re.search(r"\b[Xy]\b.*overflow", str(error)) else f"ValueError: {error}"
    if not (np.isfinite(r.coef).all() and np.isfinite(r.intercept)):
        return f"weights {r.coef} {r.intercept}"
    constants = [0.0] if rate != "auto" else [np.mean(target, dtype=WIDE), np.median(target.astype(WIDE))]
    start = min(objective(data, target, 0 * r.coef, constant) for constant in constants)
    end = objective(data, target, r.coef, r.intercept)
    rounding = 1e-4 if data.dtype == np.float32 else 1e-5
    if r.status == "diverged":
        # What became infinite is not in the result: it takes a rate or data that are far too large.
        told = "ended above its start" in r.message
        return f"diverged, from {start:.3g} to {end:.3g}" if told and end <= start * (1 - rounding) else ""
    if r.status not in ("converged", "max_epochs"):
        return r.status
    return f"{r.status}, from {start:.3g} to {end:.3g}" if end > start * (1 + rounding) else ""


def wrong(rates, scales, dtype, turn=None, **options):
    """What is wrong with the runs of all rates and scales, or of every other pair of them, as ``turn`` is 0 or 1."""
    found = []
    for name, (of_X, of_y) in SCALED.items():
        for k, scale in enumerate(scales):
            data = (X * scale**of_X).astype(dtype)
            target = (y * scale**of_y).astype(dtype)
            for rate in rates if turn is None else rates[(k + turn) % 2 :: 2]:
                said = untrue(data, target, rate, **options)
                if said:
                    found.append(f"{name} times {scale:g}, rate {rate}: {said}")
    return found


# A loop over single rows is compiled for each optimizer, and without slots and with two is enough.
LADDERS = [
    pytest.param(optimizer, batch, marks=[pytest.mark.long] if (optimizer, batch) == ("momentum", 1) else [])
    for optimizer in ("sgd", "momentum", "adam")
    for batch in BATCHES
]


@pytest.mark.parametrize("dtype", SCALES)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("optimizer", "batch"), LADDERS)
def test_every_run_ends_with_finite_weights_and_a_true_status(optimizer, batch, standardize, dtype):
    options = {"optimizer": optimizer, "batch_size": batch, "standardize": standardize}
    # Raw and scaled columns take turns, and so do a loop and the next.
    assert not wrong(RATES, SCALES[dtype], dtype, turn=(standardize + BATCHES.index(batch)) % 2, **options)


@pytest.mark.parametrize("optimizer", NAMES)
def test_so_does_every_other_optimizer(optimizer):
    options = {"optimizer": optimizer, "bounds": (None, None)}  # no bounds, but compiled as with a penalty
    for standardize in (False, True):
        assert not wrong(RATES[::2], SCALES["float64"][::3], "float64", standardize=standardize, **options)
