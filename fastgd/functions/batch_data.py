"""The data of a function that is minimised in batches: arrays whose first axis is rows, and an order of these."""

import numpy as np

from ..inputs.numeric import numeric
from ..kernels import order
from ..sources.base import Source
from ..wording import brief

HELD_OUT = 1 << 42  # the purpose of the random numbers that choose rows for validation, apart from those of orders


class BatchData:
    """Arrays with one row for each of ``n`` rows, C-contiguous; ``rows`` are the numbers of those used, None is all."""

    def __init__(self, arrays, rows=None):
        self.arrays, self.rows = arrays, rows
        self.n = len(arrays[0]) if rows is None else len(rows)

    @classmethod
    def checked(cls, name, data, dtype):
        """The data that the user passed; floating-point arrays get the type of the parameters."""
        if hasattr(data, "shape") or not isinstance(data, (tuple, list)):
            data = (data,)
        if not len(data):
            raise ValueError(f"{name} is empty: pass a tuple of arrays, {name}=(X, y).")
        single = len(data) == 1
        arrays = [_array(name if single else f"{name}[{k}]", one, dtype) for k, one in enumerate(data)]
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) > 1:
            raise ValueError(f"The arrays of {name} have {lengths} rows: they must have as many as each other.")
        if lengths[0] == 0:
            raise ValueError(f"{name} has no rows.")
        return cls(arrays)

    @property
    def like(self):
        """The arrays without their rows."""
        return [array[:0] for array in self.arrays]

    def order(self, batch, shuffle, seed):
        """The order of the rows of a run."""
        return RowOrder(self, batch, shuffle, seed)

    def whole(self):
        """The same with arrays of the rows used alone."""
        if self.rows is None:
            return self
        return BatchData([np.ascontiguousarray(array[self.rows]) for array in self.arrays])

    def split(self, share, seed):
        """Two parts of the rows: those to train on and, drawn, those held out."""
        held = int(share * self.n)
        if not 0 < held < self.n:
            raise ValueError(
                f"validation={share:g} of {self.n} rows are {held}: rows to train on and others are needed."
            )
        drawn = np.arange(self.n, dtype=np.uint32)
        with np.errstate(over="ignore"):  # for a kernel run as plain Python
            order.shuffle(drawn, self.n, seed, 0, HELD_OUT)
        numbers = drawn.astype(np.int64)
        return self.part(np.sort(numbers[held:])), self.part(np.sort(numbers[:held]))

    def part(self, rows):
        """Some of the rows."""
        return BatchData(self.arrays, rows)

    def blocks(self, size):
        """The arrays of ``size`` rows after another."""
        for lo in range(0, self.n, size):
            if self.rows is None:
                yield [array[lo : lo + size] for array in self.arrays]
            else:
                yield [array[self.rows[lo : lo + size]] for array in self.arrays]

    def sample(self, most):
        """Up to so many rows, from all parts of the data."""
        numbers = np.arange(min(self.n, most)) * self.n // min(self.n, most)
        numbers = numbers if self.rows is None else self.rows[numbers]
        return BatchData([np.ascontiguousarray(array[numbers]) for array in self.arrays])

    def not_finite(self):
        """Which array holds NaN or infinity, and in which row, in words; "" where none does."""
        for k, array in enumerate(self.arrays):
            if words := not_finite_words(f"data[{k}]", array):
                return words
        return ""


def not_finite_words(name, array):
    """Where an array holds NaN or infinity, in words; "" where it does not."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    row = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(axis=1)))
    return f"{name} holds NaN or infinity, first in row {row}."


def _array(name, values, dtype):
    """An array of the data as loops read it."""
    if hasattr(values, "tocsr"):
        raise TypeError(
            f"{name} is a sparse matrix: batches are arrays; pass {name}.toarray(), or fit it with fastgd.fit."
        )
    if isinstance(values, Source):
        raise TypeError(f"{name} is a source, which holds all that belongs to its rows: pass it alone, data=source.")
    if values is None or isinstance(values, (str, bytes, dict)) or callable(values):
        raise TypeError(f"{name}={brief(values)} must be an array whose first axis is rows.")
    array = numeric(name, values)
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number: an array with a row for each observation is needed.")
    kind = dtype if array.dtype.kind == "f" else array.dtype.newbyteorder("=")
    return np.require(array, kind, ["C", "A"])


class RowOrder:
    """The order in which epochs use the rows of the data: a function of (seed, epoch) alone, that of a fit."""

    shared = False  # whether runs have it together

    def __init__(self, data, batch, shuffle, seed):
        self.batch, self.kind, self.seed = min(batch, data.n), order.KINDS[shuffle], seed
        if self.batch == data.n and self.kind != order.REPLACEMENT:
            data, self.kind = data.whole(), order.SEQUENTIAL
        self.data, self.n = data, data.n
        # Draws with replacement are all of the full size; otherwise the last batch of an epoch may be smaller.
        self.positions = -(-self.n // self.batch) * self.batch if self.kind == order.REPLACEMENT else self.n
        self.steps = -(-self.n // self.batch)  # of an epoch
        self.arrays, self.chosen = data.arrays, data.rows
        self.drawn, self.drawn_for = np.empty(0, np.uint32), -1

    @property
    def words(self):
        """What it goes by but for seed, shuffle and batch, in words."""
        return f"{self.n} rows"

    @property
    def gathers(self):
        """Whether the rows of a batch are copied together: else they follow each other."""
        return self.kind != order.SEQUENTIAL or self.chosen is not None

    def waits(self, state):
        """Whether rows of a run in this state are not in memory: never."""
        return False

    def left(self, state):
        """How many positions of the epoch are left, of which rows are in memory."""
        return self.positions - state.position

    def first(self, state):
        """Where in the arrays the next row is, if rows follow each other."""
        return state.position

    def rows(self, state, count):
        """The numbers, in the arrays, of the rows at the next positions; none where they follow each other."""
        return self.filled(state.epoch, self.n, state.position, count)

    def filled(self, number, n, position, count):
        """Of ``n`` rows in the order of a number, those at some positions."""
        if self.kind == order.SEQUENTIAL:
            return np.empty(0, np.int64) if self.chosen is None else self.chosen[position : position + count]
        out, ahead = np.empty((2, count), np.int64)
        self.draw(number, n)
        with np.errstate(over="ignore"):  # for a kernel run as plain Python
            order.fill(self.kind, self.seed, number, n, self.batch, self.drawn, position, out, ahead)
        return out if self.chosen is None else self.chosen[out]

    def draw(self, number, n):
        """Draw the order of ``n`` rows, or of their blocks."""
        if self.kind in (order.BLOCK, order.FULL) and self.drawn_for != number:
            self.drawn = np.empty(n if self.kind == order.FULL else -(-n // order.BLOCK_ROWS), np.uint32)
            with np.errstate(over="ignore"):
                order.permutation(self.seed, number, self.drawn)
            self.drawn_for = number

    def close(self):
        """Nothing is being read."""
