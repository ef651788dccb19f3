"""The learning rate that the curvature of the data allows."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastgd
from fastgd.solvers.learning_rate import MARGIN, mean_smoothness


def test_the_smoothness_of_a_batch_lies_between_the_datas_and_the_largest_rows():
    statistics = SimpleNamespace(curvature=lambda standardize: 2.0, largest_row=lambda standardize: 10.0)
    found = [mean_smoothness(statistics, True, batch, 32) for batch in (1, 4, 31, 32, 40)]
    assert found[0] == 10.0
    assert (np.diff(found[:4]) < 0).all()
    assert found[3] == found[4] == MARGIN * 2.0
    assert mean_smoothness(statistics, True, 32, 1) == MARGIN * 2.0


@pytest.mark.parametrize("rows", [1, 5])
def test_a_chunk_may_be_shorter_than_a_batch(rows):
    X = np.arange(3.0 * rows).reshape(rows, 3)
    r = fastgd.partial_fit(X, X[:, 0], optimizer="sgd")
    assert np.isfinite(r.coef).all() and r.n_steps == 1
