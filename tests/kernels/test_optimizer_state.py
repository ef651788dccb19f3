"""What optimizers keep of a weight whose gradient has ended."""

import numpy as np
import pytest

import fastgd
from fastgd.optimizers import Lion, Rmsprop


@pytest.mark.parametrize(
    ("optimizer", "dtype", "steps"),
    [
        ("adam", np.float32, 1200),
        ("adam", np.float64, 8000),
        (Rmsprop(decay=0.9), np.float32, 1200),
        (Lion(beta2=0.9), np.float32, 1200),
    ],
)
def test_no_mean_stays_subnormal(optimizer, dtype, steps):
    """The least subnormal number times 0.9 is rounded to itself: a mean would stay there for ever, and be slow."""

    def fun(params, x):
        return float(x[0]) * params.sum(), np.full(2, x[0])

    x = np.zeros(steps, dtype)
    x[0] = 1.0  # after the first step no gradient is left
    o = fastgd.minimize(
        fun, np.full(2, 3.0, dtype), True, data=x, batch_size=1, epochs=1, shuffle=False, optimizer=optimizer,
        check_gradient=False, learning_rate=1e-3,
    )  # fmt: skip
    assert o.nit == steps
    slots = o.state.slots
    assert (slots[0, 0] == 0).all()
    assert not ((slots != 0) & (np.abs(slots) < np.finfo(dtype).tiny)).any()
