"""A source as the data of a function that is minimised in batches: its rows are in memory a buffer at a time."""

import contextlib
import functools

import numpy as np

from ..inputs import opened
from ..kernels import order
from ..sources.base import VECTORS, X
from ..sources.rows import SourceRows
from ..sources.shuffled import BETWEEN, Buffers, Epochs, order_words, warn_of_order
from .batch_data import BatchData, RowOrder, not_finite_words

MOST_EPOCHS = 2**62


def source_data(source):
    """The data of a source: X, and what it has of y, weight and offset. A small one is read into memory."""
    if source.sparse:
        raise TypeError("The source has sparse rows, and batches are arrays: fit it with fastgd.fit.")
    if X not in source.parts:
        raise ValueError("The source has no X: open it with its columns, or pass arrays as data.")
    opened.repeatable(source)
    opened.some_rows(source)
    held = opened.vectors(source) if set(VECTORS) & set(source.parts) else {}
    vectors = [_numbers(part, held[part], source.dtype) for part in VECTORS if part in held]
    rows = opened.matrix(source).rows
    return BatchData([rows.values, *vectors]) if rows.in_memory else SourceData(source, vectors)


def _numbers(part, values, dtype):
    if values.dtype.kind not in "biuf":
        raise TypeError(f"The source's {part} holds {values.dtype}: numbers are needed, so code the labels.")
    return np.require(values, dtype if values.dtype.kind == "f" else values.dtype.newbyteorder("="), ["C", "A"])


class SourceData(BatchData):
    """The rows of a source, and what there is one of for each row."""

    def __init__(self, source, vectors, rows=None):
        self.source, self.vectors, self.rows = source, vectors, rows
        self.n = source.n if rows is None else len(rows)

    @property
    def like(self):
        """The arrays without their rows."""
        return [np.empty((0, self.source.columns), self.source.dtype), *(vector[:0] for vector in self.vectors)]

    def part(self, rows):
        """Some of the rows."""
        return SourceData(self.source, self.vectors, rows)

    def order(self, batch, shuffle, seed):
        """The order of the rows of a run."""
        return SourceOrder(self, batch, shuffle, seed)

    def blocks(self, size):
        """The arrays of up to ``size`` rows after another."""
        for first, rows in SourceRows(self.source).blocks(size):
            last = first + rows.shape[0]
            if self.rows is None:
                yield [rows.values, *(vector[first:last] for vector in self.vectors)]
                continue
            chosen = self.rows[np.searchsorted(self.rows, first) : np.searchsorted(self.rows, last)]
            if len(chosen):
                yield [rows.values[chosen - first], *(vector[chosen] for vector in self.vectors)]

    def sample(self, most):
        """Up to so many rows, the first ones."""
        blocks = self.blocks(most)
        with contextlib.closing(blocks):
            return BatchData(next(blocks))

    def not_finite(self):
        """Where the source holds NaN or infinity, in words; "" where it does not."""
        for k, vector in enumerate(self.vectors, 1):
            if words := not_finite_words(f"data[{k}]", vector):
                return words
        found = SourceRows(self.source).non_finite()
        return f"X holds NaN or infinity in {self.source.place(found[0])}, column {found[1]}." if found else ""


def arrays_of(vectors, buffer):
    """The arrays of a buffer, and the numbers of its rows in them where they are others than 0, 1, 2 and so on."""
    if buffer.among:
        return [buffer.rows.values, *vectors], buffer.numbers
    rows = slice(buffer.lo, buffer.hi) if buffer.numbers is None else buffer.numbers
    return [buffer.rows.values, *(np.ascontiguousarray(vector[rows]) for vector in vectors)], None


class SourceOrder(RowOrder):
    """The order of the rows of a source: of buffers, whose rows are shuffled as those of arrays are.

    Runs that share it go through a buffer together: ``turn`` says which one is in memory.
    """

    shared = True

    def __init__(self, data, batch, shuffle, seed):
        self.batch, self.kind, self.seed, self.data, self.n = batch, order.KINDS[shuffle], seed, data, data.n
        if batch >= data.n:
            raise ValueError(
                f"batch_size is needed, less than the source's {data.n} rows: of these a part is in memory at a time."
            )
        if self.kind == order.REPLACEMENT:
            raise ValueError(
                "shuffle='replacement': batches are drawn from all rows, and of a source's a part is in memory at a "
                "time. Leave it out, or pass 'full', which shuffles these."
            )
        self.positions, self.steps = self.n, -(-self.n // batch)
        more = sum(vector.itemsize * int(np.prod(vector.shape[1:])) for vector in data.vectors)
        epochs = Epochs(data.source, data.rows, more, batch, self.kind != order.SEQUENTIAL, seed)
        self.buffers = Buffers(epochs, MOST_EPOCHS, functools.partial(arrays_of, data.vectors))
        if epochs.shuffled and not data.source.mapped and data.vectors:
            y = data.vectors[0]
            warn_of_order(epochs, y.reshape(len(y), -1).T, BETWEEN)
        self.turn, self.arrays, self.chosen = None, data.like, None
        self.drawn, self.drawn_for = np.empty(0, np.uint32), -1

    @property
    def words(self):
        """What it goes by but for seed, shuffle and batch, in words."""
        shuffled = self.kind != order.SEQUENTIAL
        return f"{self.n} rows" + (f" in the order of {order_words(self.data.source)}" if shuffled else "")

    @property
    def gathers(self):
        """Whether the rows of a batch are copied together: else they follow each other."""
        return self.kind != order.SEQUENTIAL or self.data.rows is not None

    def turn_of(self, state):
        """The epoch and the number of the buffer that a run in this state is at."""
        return state.epoch, state.position // self.buffers.size

    def waits(self, state):
        """Whether rows of a run in this state are not in memory."""
        return self.turn != self.turn_of(state)

    def read_for(self, states):
        """Read the buffer that the hindmost of some runs is at."""
        self.turn = min(map(self.turn_of, states))
        self.arrays, self.chosen = self.buffers.at(*self.turn)
        self.draw(self.number, self.size)

    @property
    def number(self):
        """Of the present buffer among those of all epochs."""
        return self.turn[0] * self.buffers.count + self.turn[1]

    @property
    def size(self):
        """How many rows the present buffer has."""
        return min(self.buffers.size, self.n - self.turn[1] * self.buffers.size)

    def left(self, state):
        """How many positions are left in the present buffer."""
        return self.turn[1] * self.buffers.size + self.size - state.position

    def first(self, state):
        """Where in the arrays the next row is, if rows follow each other."""
        return state.position - self.turn[1] * self.buffers.size

    def rows(self, state, count):
        """The numbers, in the arrays, of the rows at the next positions; none where they follow each other."""
        if not self.gathers:
            return np.empty(0, np.int64)
        if self.kind == order.SEQUENTIAL and self.chosen is None:
            return self.first(state) + np.arange(count)
        return self.filled(self.number, self.size, self.first(state), count)

    def close(self):
        """End the reading."""
        self.buffers.close()
