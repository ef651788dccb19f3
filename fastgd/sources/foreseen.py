"""Rows that will be asked for: copied while a pass goes by, which saves a pass of their own."""

import numpy as np


class Foreseen:
    """Copies of the rows of these numbers, ascending, made of the blocks of one pass."""

    def __init__(self, numbers):
        self.numbers, self.parts, self.rows = numbers, [], None

    def see(self, first, block):
        """Copy those of the block of rows from number ``first`` on."""
        a, b = np.searchsorted(self.numbers, [first, first + block.shape[0]])
        if a < b:
            self.parts.append(block.take(self.numbers[a:b] - first))

    def answers(self, numbers):
        """Whether these are the rows."""
        return self.rows is not None and np.array_equal(numbers, self.numbers)
