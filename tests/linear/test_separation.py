"""Separated rows are told where a linear programme finds them (Konis 2007), and nowhere else."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse

import fastgd

LOSSES = {"log_loss": 60, "poisson": 60, "multinomial": 40}  # and how many tables


def programme(X, y, loss):
    """Whether a direction of the coefficients raises no loss and lowers some for ever."""
    A = np.column_stack([X, np.ones(len(X))])
    A, zero = A / np.maximum(np.abs(A).max(axis=0), 1e-300), None
    if loss == "log_loss":
        Z = A * np.where(y, 1, -1)[:, None]
    elif loss == "poisson":
        Z, zero = -A[y == 0], A[y > 0]
    else:
        classes = y.max() + 1
        Z = np.zeros((len(y), classes, classes, A.shape[1]))
        for k in range(classes):
            Z[np.arange(len(y)), k, y] += A
            Z[:, k, k] -= A
        Z = Z.reshape(len(y) * classes, -1)
    if not len(Z):
        return False
    equal = {} if zero is None else {"A_eq": zero, "b_eq": np.zeros(len(zero))}
    found = optimize.linprog(-Z.sum(axis=0), -Z, np.zeros(len(Z)), **equal, bounds=(-1, 1), method="highs")
    return -found.fun > 1e-6


def table(seed, loss):
    """A small table: normal columns, whole numbers, rare flags or one-hot ones, in units of their own."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(15, 80)), int(rng.integers(1, 6))
    X = [
        lambda: rng.normal(size=(n, d)),
        lambda: rng.integers(0, 3, (n, d)).astype(float),
        lambda: (rng.random((n, d)) < 0.12).astype(float),
        lambda: np.eye(d + 1)[rng.integers(0, d + 1, n), :d],
    ][seed % 4]()
    score = X @ (rng.normal(size=d) / np.maximum(X.std(axis=0), 1e-9)) * rng.choice([0.5, 2.0])
    X = X * 10.0 ** rng.integers(-3, 3, d)
    if loss == "log_loss":
        return X, score + rng.logistic(size=n) > rng.normal()
    if loss == "poisson":
        return X, rng.poisson(np.exp(np.clip(0.5 * score - 1, -5, 3)))
    scores = [score + rng.logistic(size=n), rng.logistic(size=n) - 1, rng.logistic(size=n) - score]
    return X, np.unique(np.argmax(scores, axis=0), return_inverse=True)[1]


@pytest.mark.jit
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_told_is_what_a_linear_programme_finds(loss, layout):
    told = {True: 0, False: 0}
    for seed in range(LOSSES[loss]):
        X, y = table(seed, loss)
        if len(np.unique(y)) > 1:
            separable = programme(X, y, loss)
            r = fastgd.fit(layout(X), y, loss=loss)
            assert ("separation" in r.choices) == separable, (seed, r)
            assert "no finite minimiser" in r.message or not separable
            told[separable] += 1
    assert min(told.values()) >= 10


STEP = np.arange(10.0)[:, None]
BOTH = np.vstack([STEP, [[4.5], [4.5]]]), np.append(STEP[:, 0] > 4.5, [True, False])


def test_the_sentence_counts_rows_and_names_columns():
    X, y = BOTH
    words = "10 of 12 rows are separated from the others by column 0: .* Set alpha > 0"
    r = fastgd.fit(X, y, loss="log_loss")
    assert r.status == "converged"
    assert r.choices["separation"] in r.message
    assert re.match(words, r.choices["separation"])
    named = fastgd.fit(pd.DataFrame(X, columns=["age"]), y, loss="log_loss")
    assert "by column 'age'" in named.message
    flags = np.column_stack([np.arange(30) < 3, np.arange(30) % 2, np.arange(30) > 27, np.zeros(30)]).astype(float)
    assert "by columns 0, 2:" in fastgd.fit(flags, np.isin(np.arange(30), [0, 1, 2, 5, 8]), loss="log_loss").message
    counts = np.column_stack([np.arange(30) < 3, np.arange(30) % 2]).astype(float)
    both = np.where(counts[:, :1] > 0, 0, [1, 2])
    assert (
        "3 of 30 rows of target 0 are separated from the others by column 0"
        in fastgd.fit(counts, both, loss="poisson").message
    )


@pytest.mark.parametrize("loss", ["log_loss", "multinomial"])
def test_all_rows_may_be_separated_before_the_loss_is_next_to_nothing(loss):
    r = fastgd.fit(STEP, STEP[:, 0] > 4.5, loss=loss, epochs=9)
    assert (r.status, "linearly separable" in r.message) == ("max_epochs", False)
    assert r.choices["separation"].startswith("10 of 10 rows are separated from the others by column 0")


def test_it_is_not_looked_for_where_coefficients_are_held():
    X, y = BOTH
    for options in ({"alpha": 1e-4}, {"bounds": (-1, 1)}, {"optimizer": "adamw", "batch_size": 4, "random_state": 0}):
        assert "separation" not in fastgd.fit(X, y, loss="log_loss", **options).choices
    assert "separation" not in fastgd.fit(X, y, loss="hinge").choices
    finite = fastgd.fit(STEP, STEP[:, 0] > 4.5, loss="hinge")  # as its minimisers are
    assert finite.message.startswith("Converged: the classes are linearly separable, and the loss is next to nothing.")
    assert "separation" not in finite.choices
    assert "separation" not in fastgd.fit(np.vstack([X, [[0.0]]]), np.append(y, True), loss="log_loss").choices


def test_rows_of_weight_zero_and_held_out_rows_do_not_count():
    X, y = np.vstack([STEP, [[0.0], [9.0]]]), np.append(STEP[:, 0] > 4.5, [True, False])
    assert "separation" not in fastgd.fit(X, y, loss="log_loss").choices
    assert "separation" in fastgd.fit(X, y, loss="log_loss", sample_weight=np.arange(12) < 10).choices
    given = {"loss": "log_loss", "validation": 0.3, "epochs": 3}
    flag, sides = (np.arange(30) < 6)[:, None] * 1.0, np.arange(30) % 2 == 0
    sides[1:6] = True
    sides[0] = False  # unlike the other flagged rows
    told = {"separation" in fastgd.fit(flag, sides, **given, random_state=seed).choices for seed in range(10)}
    assert told == {True, False}  # or it is held out


@pytest.mark.jit
def test_a_rare_level_among_many_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 8))
    y = X[:, 1] + rng.logistic(size=len(X)) > 0
    X[:, 0] = np.arange(len(X)) >= len(X) - 5
    y[-5:] = True
    assert "5 of 200000 rows are separated from the others by column 0:" in fastgd.fit(X, y, loss="log_loss").message
    y[-1] = False
    assert "separation" not in fastgd.fit(X, y, loss="log_loss").choices
