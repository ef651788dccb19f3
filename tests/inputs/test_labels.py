"""Labels found and numbered without sorting, against NumPy's sorting."""

import numpy as np
import pytest

from fastgd.inputs import labels

RNG = np.random.default_rng(0)
KINDS = {
    "two": RNG.integers(0, 2, 300),
    "one": np.full(9, 7),
    "bool": RNG.random(300) < 0.5,
    "negative": RNG.integers(-5, 3, 300).astype(np.int8),
    "all of a type": np.arange(-128, 128).astype(np.int8)[RNG.permutation(256)],
    "large": (RNG.integers(0, 9, 300).astype(np.uint64) + np.uint64(2**64 - 9)),
    "far apart": RNG.choice([-(2**62), 3, 2**62], 300),
    "both ends": np.array([-(2**63), 2**63 - 1, 5, 5]),
    "floats": RNG.choice([0.5, 1.5], 300),
    "more floats": RNG.choice([0.5, 1.5, np.inf], 300),
    "missing": np.array([1.0, np.nan, 2.0]),
    "zeros": np.array([0.0, -0.0, 1.0]),
    "strings": RNG.choice(["b", "a", "c"], 300),
    "none": np.empty(0, np.int64),
    "blocks": np.append(np.zeros(1 << 17, np.int32), [4, 2]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_those_of_numpy(kind):
    values = KINDS[kind]
    found, expected = labels.different(values), np.unique(values)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if kind not in ("missing", "none"):
        np.testing.assert_array_equal(labels.numbered(values, expected), np.searchsorted(expected, values))


def test_numbers_among_classes_of_another_type():
    classes = np.array([-3, 4, 200])
    assert labels.numbered(np.array([200, 4], np.uint8), classes).tolist() == [2, 1]
    assert labels.numbered(np.array([4, 200]), classes.astype(float)).tolist() == [1, 2]
