"""The scores of cross-validation: means, standard errors, the best and the simplest setting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgd.results.scores import Scores

LOSSES = np.array([[4.0, 6.0, 5.0], [1.0, 3.0, 2.0], [2.0, 3.0, 2.5], [np.nan, 1.0, 1.0], [0.0, -np.inf, 0.0]])


def test_mean_and_standard_error():
    s = Scores(LOSSES)
    np.testing.assert_array_equal(s.mean, [5.0, 2.0, 2.5, np.inf, np.inf])
    finite = LOSSES[:3]
    by_hand = np.sqrt(((finite - finite.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / 2 / 3)
    np.testing.assert_allclose(s.standard_error, [*by_hand, np.nan, np.nan], rtol=1e-14)
    assert s.best == 1


def test_a_mean_that_overflows_is_infinite():
    np.testing.assert_array_equal(Scores(np.array([[1e308] * 2, [-1e308] * 2])).mean, np.inf)


def test_one_fold_has_no_standard_error_and_only_the_best_is_near_it():
    s = Scores(np.array([[3.0], [2.0], [2.0], [2.1]]))
    assert np.isnan(s.standard_error).all()
    assert s.best == 1
    assert s.simplest([9.0, 1.0, 2.0, 9.0]) == 2


# The best mean is 2.0 in setting 1, its standard error 0.577: settings 1 and 2 are near, 0 is not.
SIMPLEST = {
    "larger is simpler": ([0.1, 0.2, 0.3, 9, 9], 2),
    "the best is the simplest": ([9.0, 3.0, 2.0, 9, 9], 1),
    "equals go to the smaller mean": ([9.0, 1.0, 1.0, 9, 9], 1),
    "infinite keys": ([0, -np.inf, np.inf, 0, 0], 2),
    "unsigned keys": (np.array([0, 1, 2, 3, 4], np.uint8), 2),
}


@pytest.mark.parametrize("name", SIMPLEST)
def test_the_simplest_within_one_standard_error(name):
    order, index = SIMPLEST[name]
    assert Scores(LOSSES).simplest(order) == index


@given(
    losses=st.lists(
        st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=3, max_size=3), min_size=1, max_size=6
    ),
    keys=st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_laws_of_scores(losses, keys):
    losses, order = np.array(losses), np.array(keys[: len(losses)])
    s = Scores(losses)
    assert not np.isnan(s.mean).any()
    if not np.isfinite(s.mean).any():
        with pytest.raises(ValueError, match="No setting has a finite loss in every fold"):
            _ = s.best
        return
    assert np.isfinite(losses[s.best]).all()
    assert s.mean[s.best] == s.mean.min() and s.best == s.mean.tolist().index(s.mean.min())
    k = s.simplest(order)
    error = np.nan_to_num(s.standard_error[s.best], posinf=0.0)
    assert order[k] >= order[s.best]
    near = np.isfinite(s.mean) & (s.mean <= s.mean[s.best] + error)
    assert near[k] and order[k] == order[near].max()
    assert s.mean[k] == s.mean[near & (order == order[k])].min()


@pytest.mark.parametrize(
    ("order", "kind"),
    [([1.0, 2.0], ValueError), ([1, 2, 3, 4, np.nan], ValueError), (1.0, ValueError), (list("abcde"), TypeError)],
)
def test_errors_of_simplest(order, kind):
    with pytest.raises(kind, match=r"^order"):
        Scores(LOSSES).simplest(order)
