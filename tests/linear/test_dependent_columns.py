"""Columns that get no coefficient are named, by fits and by estimators."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import fastgd
from fastgd.inputs.options import FitOptions
from fastgd.inputs.scaling import Scaling
from fastgd.kernels.layouts import Dense
from fastgd.linear.dependent_columns import dependent_columns

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 200))
Y = A + 2 * B + 0.1 * RNG.normal(size=200)
X = np.column_stack([A, A, np.ones(200), B, 2 * A - B, 1e6 * B + 7])
NAMES = ["a", "copy", "one", "b", "sum", "scaled"]
FITS = {
    "squares": {},
    "log_loss": {"loss": "log_loss"},
    "huber": {"loss": "huber"},
    "interior points": {"loss": "absolute_error"},
    "hinge": {"loss": "hinge"},
    "batches": {"batch_size": 32, "random_state": 0},
}


@pytest.mark.parametrize("case", FITS)
def test_a_fit_names_all_of_them(case):
    options = FITS[case]
    y = Y > 0 if options.get("loss") in ("log_loss", "hinge") else Y
    r = fastgd.fit(pd.DataFrame(X, columns=NAMES), y, **options)
    assert r.choices["constant_columns"] == "1 of 6 do not vary ('one'); their coefficient is 0"
    assert r.choices["dependent_columns"] == "3 of 6 depend on others ('copy', 'sum', 'scaled'); their coefficient is 0"
    np.testing.assert_array_equal(r.coef[[1, 2, 4, 5]], 0)
    plain = fastgd.fit(X, y, **options)
    assert plain.choices["dependent_columns"] == "3 of 6 depend on others (1, 4, 5); their coefficient is 0"


def test_estimators_name_them():
    pytest.importorskip("sklearn")
    frame, said = pd.DataFrame(X, columns=NAMES), "('copy', 'sum', 'scaled')"
    model = fastgd.SGDRegressor(penalty=None).fit(frame, Y)
    assert said in model.choices_["dependent_columns"]
    assert "('one')" in model.choices_["constant_columns"]
    noisy = np.digitize(Y + RNG.logistic(size=200), [-1, 1])
    classes = fastgd.SGDClassifier(loss="log_loss", penalty=None).fit(frame, noisy)
    assert said in classes.choices_["dependent_columns"]
    assert (
        "('one')" in fastgd.SGDRegressor(penalty=None).partial_fit(frame, Y).fit(frame, Y).choices_["constant_columns"]
    )


def test_a_coefficient_that_is_0_by_symmetry_is_not_dropped():
    rows = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]] * 10)
    for options in ({"loss": "absolute_error"}, {"batch_size": 40, "epochs": 1, "optimizer": "sgd"}, {}):
        r = fastgd.fit(rows, rows[:, 0], **options)
        assert "dependent_columns" not in r.choices
    assert "dependent_columns" not in fastgd.fit(rows, rows[:, 0], loss="absolute_error", epochs=0).choices


def test_a_long_list_is_cut():
    r = fastgd.fit(np.column_stack([A, np.zeros((200, 30))]), Y)
    listed = ", ".join(map(str, range(1, 21)))
    assert r.choices["constant_columns"] == f"30 of 31 do not vary ({listed}, ...); their coefficient is 0"
    empty = sparse.csr_array(np.column_stack([A, np.zeros(200), B]))
    assert "(1)" in fastgd.fit(empty, Y).choices["constant_columns"]


@pytest.mark.parametrize("intercept", [True, False])
def test_they_are_named_far_from_zero_and_in_any_unit(intercept):
    rows = np.column_stack([A, 1e6 * B + 1e7, A, 3 * A + B, A * B])
    r = fastgd.fit(rows, Y, loss="absolute_error", fit_intercept=intercept)
    if intercept:
        assert r.choices["dependent_columns"].startswith("2 of 5 depend on others (2, 3)")
    else:  # the constant of the second column is in its way
        assert r.choices["dependent_columns"].startswith("1 of 5 depend on others (2)")


def test_columns_that_do_nothing_are_independent():
    """A solver that cannot tell by itself: two columns without any effect on the target, one of them a sum."""
    rows = np.column_stack([A, B, A * B, np.sign(A)])
    outcome = SimpleNamespace(
        left_out=None, weights=np.array([[1.0, 0.0, 0.0, 0.0, 1.0]]), clock=SimpleNamespace(steps=1)
    )
    choice = SimpleNamespace(
        d=4,
        n=200,
        bounds=None,
        options=FitOptions(),
        scaling=Scaling.none(4, np.dtype(np.float64)),
        table=SimpleNamespace(X=Dense(rows)),
    )
    assert not dependent_columns(choice, outcome).any()
    rows[:, 3] = A + B
    assert dependent_columns(choice, outcome).tolist() == [False, False, False, True]
