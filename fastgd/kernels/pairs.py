"""The two loops of L-BFGS over its pairs, without arrays in between: with 2e5 weights NumPy took 12 times as long.

Not by BLAS, whose bits depend on its threads.
"""

import numpy as np

from ._jit import kernel, routine

ONE_THREAD = 4096  # numbers: BLAS takes more threads from 10,000 on


@routine
def dot(x, y):
    """The product of two vectors."""
    total = 0.0
    for j in range(x.size):
        total += x[j] * y[j]
    return total


@routine
def add_to(x, share, y):
    """``x += share * y``."""
    for j in range(x.size):
        x[j] += share * y[j]


@kernel
def first_loop(q, moves, changes, inverse, first, count, shares):
    """From the newest pair to the oldest: what the moves explain of ``q`` is taken off it; ``shares`` are kept."""
    for k in range(count - 1, -1, -1):
        place = (first + k) % moves.shape[0]
        shares[place] = inverse[place] * dot(moves[place], q)
        add_to(q, -shares[place], changes[place])


@kernel
def second_loop(step, moves, changes, inverse, first, count, shares):
    """From the oldest pair to the newest: the moves are added to ``step``."""
    for k in range(count):
        place = (first + k) % moves.shape[0]
        add_to(step, shares[place] - inverse[place] * dot(changes[place], step), moves[place])


def product(x, y):
    """The product of two vectors, in one order on any number of threads."""
    return float(x @ y) if x.size <= ONE_THREAD else float(np.einsum("i,i->", x, y))
