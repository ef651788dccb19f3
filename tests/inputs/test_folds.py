"""Folds: the roles of rows by every kind of cv, scikit-learn's splitters as oracles, and what is refused."""

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import model_selection

from fastgd.inputs.folds import Folds, folds_of

ROWS = 24
X = np.arange(2.0 * ROWS).reshape(ROWS, 2)
Y = np.linspace(-1, 1, ROWS)[None]
CODES = (np.arange(ROWS) % 3).astype(float)[None]
LABELS = np.array(["a", "b", "c"])
GROUPS = np.arange(ROWS) // 4


def roles_of(cv, y=Y, classes=None, seed=0, groups=None):
    """The roles, their kind checked."""
    folds = folds_of(cv, np.zeros((y.shape[1], 1)), y, classes, seed, groups)
    assert isinstance(folds, Folds)
    assert (folds.roles.dtype, folds.roles.flags.c_contiguous) == (np.int8, True)
    return folds.roles


def expected(pairs, n=ROWS):
    """Roles, from their definition."""
    roles = []
    for train, test in pairs:
        role = [0] * n
        for row in train:
            role[row] += 1
        for row in test:
            role[row] = -1
        roles.append(role)
    return np.array(roles)


# A number of folds --------------------------------------------------------------------------------------------------


@given(n=st.integers(2, 200), k=st.integers(2, 20), seed=st.integers(0, 2**62))
def test_every_row_is_tested_on_once_and_trained_on_otherwise(n, k, seed):
    k = min(k, n)
    roles = roles_of(k, np.zeros((1, n)), seed=seed)
    assert roles.shape == (k, n)
    assert set(np.unique(roles)) == {-1, 1}
    np.testing.assert_array_equal((roles == -1).sum(axis=0), 1)
    assert np.ptp((roles == -1).sum(axis=1)) <= 1


@given(counts=st.lists(st.integers(2, 30), min_size=2, max_size=5), k=st.integers(2, 12), seed=st.integers(0, 2**62))
def test_each_class_is_spread_evenly(counts, k, seed):
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(float(len(counts))), counts))
    k = min(k, codes.size)
    tested = roles_of(k, codes[None], np.arange(len(counts)), seed) == -1
    np.testing.assert_array_equal(tested.sum(axis=0), 1)
    assert np.ptp(tested.sum(axis=1)) <= 1
    for code in range(len(counts)):
        assert np.ptp(tested[:, codes == code].sum(axis=1)) <= 1


@pytest.mark.parametrize(("y", "classes"), [(Y, None), (CODES, LABELS)], ids=["numbers", "classes"])
def test_the_seed_decides(y, classes):
    drawn = {roles_of(4, y, classes, seed).tobytes() for seed in range(20)}
    assert len(drawn) == 20
    np.testing.assert_array_equal(roles_of(4, y, classes, 3), roles_of(4, y, classes, 3))


@pytest.mark.parametrize(("y", "classes"), [(Y, None), (CODES, LABELS)], ids=["numbers", "classes"])
def test_any_two_rows_share_a_fold_about_as_often(y, classes):
    """Of rows in order, neighbours must not stay together, nor the first rows come into the first fold."""
    tested = np.stack([roles_of(4, y, classes, seed) == -1 for seed in range(800)])
    if classes is None:  # of classes, those first dealt out are in the first folds where the number is odd
        assert abs(tested.sum(axis=0) - 200).max() < 5 * np.sqrt(800 * 0.25 * 0.75)
    together = (tested[:, :, 0] & tested[:, :, 3]).any(axis=1).sum()  # two rows of one class
    share = 5 / 23 if classes is None else 1 / 7
    assert abs(together - 800 * share) < 4.5 * np.sqrt(800 * share * (1 - share))


def test_several_targets_of_classes_are_each_spread():
    y = np.array([np.arange(ROWS) % 2, np.arange(ROWS) // 12], float)
    tested = roles_of(3, y, [0, 1]) == -1
    for codes in y:
        np.testing.assert_array_equal(tested[:, codes == 1].sum(axis=1), 4)


@pytest.mark.parametrize("k", [5, 5.0, np.int64(5), np.float32(5)])
def test_any_whole_number_is_a_number(k):
    np.testing.assert_array_equal(roles_of(k), roles_of(5))


# Given splits -------------------------------------------------------------------------------------------------------

PAIRS = [([0, 1, 1, 5], [2, 23]), ([7] * 127, [0])]
MASK = np.isin(np.arange(ROWS), [0, 3])
FORMS = {
    "lists": (PAIRS, PAIRS),
    "a tuple of tuples": (tuple((tuple(a), tuple(b)) for a, b in PAIRS), PAIRS),
    "arrays": ([tuple(map(np.array, pair)) for pair in PAIRS], PAIRS),
    "unsigned": ([tuple(np.array(rows, np.uint8) for rows in pair) for pair in PAIRS], PAIRS),
    "uint64": ([tuple(np.array(rows, np.uint64) for rows in pair) for pair in PAIRS], PAIRS),
    "indexes": ([tuple(map(pd.Index, pair)) for pair in PAIRS], PAIRS),
    "a mask": ([(MASK, ~MASK)], [(np.flatnonzero(MASK), np.flatnonzero(~MASK))]),
    "every other of a mask": ([(np.repeat(MASK, 2)[::2], [1])], [([0, 3], [1])]),
    "a list of truths": ([(MASK.tolist(), [1])], [([0, 3], [1])]),
    "a series of truths": ([(pd.Series(MASK), [1])], [([0, 3], [1])]),
    "ranges": ([(range(3, 20), range(3))], [(range(3, 20), range(3))]),
    "an array of three dimensions": (np.array([[[0, 1], [2, 3]]]), [([0, 1], [2, 3])]),
}


@pytest.mark.parametrize("form", FORMS)
def test_given_splits(form):
    cv, pairs = FORMS[form]
    np.testing.assert_array_equal(roles_of(cv), expected(pairs))


def test_a_generator_is_asked_once():
    made = []

    def pairs():
        for k in range(3):
            made.append(k)
            yield [k, k + 1], [k + 2]

    np.testing.assert_array_equal(roles_of(pairs()), expected([([k, k + 1], [k + 2]) for k in range(3)]))
    assert made == [0, 1, 2]


@given(data=st.data(), n=st.integers(2, 40))
def test_roles_say_what_the_pairs_say(data, n):
    pairs = []
    for _ in range(data.draw(st.integers(1, 4))):
        order = data.draw(st.permutations(range(n)))
        cut = data.draw(st.integers(1, n - 1))
        train = data.draw(st.lists(st.sampled_from(order[:cut]), min_size=1, max_size=60))
        test = data.draw(st.lists(st.sampled_from(order[cut:]), min_size=1, unique=True))
        pairs.append((train, test))
    np.testing.assert_array_equal(roles_of(pairs, np.zeros((1, n))), expected(pairs, n))


# Splitters ----------------------------------------------------------------------------------------------------------

SPLITTERS = [
    model_selection.KFold(5),
    model_selection.KFold(4, shuffle=True, random_state=1),
    model_selection.ShuffleSplit(7, random_state=2),
    model_selection.TimeSeriesSplit(4, gap=1),
    model_selection.LeaveOneOut(),
    model_selection.LeavePOut(2),
    model_selection.RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    model_selection.PredefinedSplit(np.arange(ROWS) % 4 - 1),
    model_selection.GroupKFold(3),
    model_selection.LeaveOneGroupOut(),
    model_selection.StratifiedKFold(4),
    model_selection.StratifiedShuffleSplit(3, random_state=0),
    model_selection.StratifiedGroupKFold(2),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda splitter: type(splitter).__name__)
def test_splitters_of_scikit_learn(splitter):
    stratified = "Stratified" in type(splitter).__name__
    y, classes = (CODES, LABELS) if stratified else (Y, None)
    groups = GROUPS if "Group" in type(splitter).__name__ else None
    pairs = list(splitter.split(X, LABELS[CODES[0].astype(int)] if stratified else Y[0], groups))
    got = folds_of(splitter, X, y, classes, 0, groups).roles
    np.testing.assert_array_equal(got, expected(pairs))


class Own:
    """A splitter that keeps what it was handed."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1

    def split(self, X, y, groups):
        self.given = X, y, groups
        yield np.arange(4), np.arange(4, 8)


@pytest.mark.parametrize("targets", [1, 3])
def test_what_a_splitter_is_handed(targets):
    own, y = Own(), np.arange(targets * float(ROWS)).reshape(targets, ROWS)
    folds_of(own, X, y, None, 0, "groups")
    assert own.given[0] is X
    np.testing.assert_array_equal(own.given[1], y[0] if targets == 1 else y.T)
    assert own.given[2] == "groups"


# What is refused ----------------------------------------------------------------------------------------------------


def failing():
    yield [0], [1]
    raise RuntimeError("the file is gone")


def silent():
    raise KeyError
    yield


OTHER = ([0], [1])
WRONG = {
    "1": (1, ValueError, "cv=1 must be at least 2"),
    "0": (0, ValueError, "cv=0 must be at least 2"),
    "negative": (-5, ValueError, "cv=-5 must be at least 2"),
    "True": (True, TypeError, "cv=True must be a number of folds such as 5"),
    "NumPy's True": (np.True_, TypeError, "must be a number of folds"),
    "None": (None, TypeError, "cv=None must be a number of folds"),
    "a share": (
        0.5,
        ValueError,
        "cv=0.5 must be a whole number of folds; to hold out once pass validation=0.5",
    ),
    "a fraction": (Fraction(1, 4), ValueError, "cv=0.25 must be a whole number of folds"),
    "half a fold": (2.5, TypeError, "cv=2.5 must be a whole number"),
    "NaN": (np.nan, TypeError, "cv=nan must be a whole number"),
    "infinity": (np.inf, TypeError, "cv=inf must be a whole number"),
    "a word": ("5", TypeError, "cv='5' must be a number of folds such as 5, pairs"),
    "bytes": (b"55", TypeError, "cv=b'55' must be a number of folds"),
    "a class": (model_selection.KFold, TypeError, "cv=KFold is a class: call it, e.g. cv=KFold()"),
    "an object": (object, TypeError, "cv=object is a class"),
    "a function": (len, TypeError, "must be a number of folds"),
    "more than rows": (25, ValueError, "cv=25 needs at least 25 rows, but X has 24"),
    "very many": (1001, ValueError, "cv=1001 is more than 1000 folds"),
    "out of range": ([([0, 24], [1])], ValueError, "cv: train of split 0 holds the row 24: X has 24 rows, 0 to 23"),
    "out of range, later": ([OTHER, ([0], [1, 99])], ValueError, "cv: test of split 1 holds the row 99"),
    "negative row": ([([0], [-1])], ValueError, "cv: test of split 0 holds the row -1: row numbers start at 0"),
    "too large": ([(np.array([2**63], np.uint64), [1])], ValueError, "holds the row 9223372036854775808"),
    "beyond integers": ([([2**70], [1])], TypeError, "cv: train of split 0 has dtype object"),
    "no training": ([OTHER, ([], [1])], ValueError, "cv: train of split 1 is empty: at least one row is needed"),
    "no words": ([(np.array([], str), [1])], ValueError, "cv: train of split 0 is empty"),
    "no test": ([([0], [])], ValueError, "cv: test of split 0 is empty"),
    "an empty mask": ([([0], np.zeros(ROWS, bool))], ValueError, "cv: test of split 0 is a mask that selects no row"),
    "both": ([OTHER, ([5, 3, 2, 4], [4, 1, 3])], ValueError, "cv: split 1 trains and tests on row 3:"),
    "twice tested": ([([0], [1, 2, 2])], ValueError, "cv: split 0 tests on row 2 2 times; at most 1 is possible"),
    "too often": ([([7] * 128, [0])], ValueError, "cv: split 0 trains on row 7 128 times; at most 127 is possible"),
    "short mask": ([(MASK[:-1], [1])], ValueError, "cv: train of split 0 is a mask of 23 rows, but X has 24"),
    "floats": ([([0.0, 1.0], [2])], TypeError, "cv: train of split 0 has dtype float64: pass integer row numbers or"),
    "words": ([(["a"], [2])], TypeError, "cv: train of split 0 has dtype <U1"),
    "ragged": ([([[0], [1, 2]], [3])], ValueError, "cv: train of split 0 can't be converted to an array"),
    "two dimensions": ([([[0, 1]], [3])], ValueError, "must have one dimension, got shape (1, 2)."),
    "three": ([(*OTHER, [2])], ValueError, "cv: split 0 must be a pair (train, test), got ([0], [1], [2])"),
    "not pairs": (
        [OTHER, 3],
        ValueError,
        "cv: split 1 must be a pair (train, test), got 3. One split is a list of one",
    ),
    "one pair": ((np.arange(9), np.arange(9, 24)), ValueError, "One split is a list of one pair: cv=[(train, test)]"),
    "one short pair": (([0, 1], [2, 3]), ValueError, "got shape (). One split is a list of one pair"),
    "no splits": ([], ValueError, "cv yields no splits: at least one pair (train, test) is needed"),
    "used up": (iter(()), ValueError, "A generator is empty once used"),
    "endless": (itertools.repeat(OTHER), ValueError, "cv yields more than 1000 splits: pass fewer"),
    "a generator that fails": (failing(), ValueError, "cv: the file is gone"),
    "an error without words": (silent(), ValueError, "cv: KeyError"),
    "a splitter that fails": (model_selection.KFold(30), ValueError, "cv: Cannot have number of splits n_splits=30"),
    "a splitter without groups": (model_selection.GroupKFold(3), ValueError, "cv: The 'groups' parameter should not"),
    "a splitter of many": (model_selection.LeavePOut(5), ValueError, "cv yields more than 1000 splits"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_cv_and_the_split(name):
    cv, kind, words = WRONG[name]
    with pytest.raises(kind) as error:
        folds_of(cv, X, Y, None, 0)
    assert words in str(error.value)
    assert str(error.value).startswith("cv")


@pytest.mark.parametrize("most", [1000, 1001])
def test_a_thousand_splits_are_the_most(most):
    pairs = itertools.repeat(OTHER, most)
    if most == 1000:
        assert len(roles_of(pairs)) == 1000
    else:
        with pytest.raises(ValueError, match="more than 1000 splits"):
            roles_of(pairs)


def test_a_splitters_own_error_is_kept_as_the_cause():
    with pytest.raises(ValueError, match=r"^cv: ") as error:
        folds_of(model_selection.KFold(30), X, Y, None, 0)
    assert "n_splits=30" in str(error.value.__cause__)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([3, 1], "cv=2: class 'b' has 1 row, so some fold has none to train on. Drop or merge"),
        ([5, 4, 0], "cv=2: class 'c' has 0 rows"),
    ],
)
def test_a_class_that_some_fold_could_not_train_on(counts, words):
    codes = np.repeat(np.arange(float(len(counts))), counts)[None]
    with pytest.raises(ValueError) as error:
        roles_of(2, codes, LABELS[: len(counts)])
    assert words in str(error.value)


def test_a_split_that_trains_on_one_class():
    with pytest.raises(ValueError, match="cv: split 1 trains on one class only"):
        roles_of([([0, 1], [2]), ([3, 0, 3], [1])], CODES, LABELS)
    with pytest.raises(ValueError, match="one class only"):
        roles_of(model_selection.KFold(2), np.repeat([[0.0, 1.0]], 12, axis=1), [0, 1])
    roles_of([([0, 3], [1])])  # of numbers there are no classes


@pytest.mark.parametrize("cv", [5, [OTHER]])
def test_groups_are_for_splitters(cv):
    with pytest.raises(ValueError, match=r"groups are for splitters, e.g. cv=.*GroupKFold\(5\); got cv="):
        roles_of(cv, groups=GROUPS)
