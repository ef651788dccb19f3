"""The order of rows in an epoch: a function of (seed, epoch) alone, from counter-based random numbers (splitmix64).

``block`` draws the blocks of rows in random order and shuffles the rows within a window of four blocks: close to a
full shuffle in what it does to a fit, at a fraction of its memory traffic.
"""

import numpy as np

from ._jit import helper, kernel

SEQUENTIAL, BLOCK, FULL, REPLACEMENT = range(4)
KINDS = {False: SEQUENTIAL, "block": BLOCK, "full": FULL, "replacement": REPLACEMENT}
# Excess loss over a full shuffle's, flights sorted by the target, batches of 32, after 1 to 5 epochs: blocks of 16 rows
# 1 to 2 %, 32 rows 3 to 5 %, 64 rows 5 to 8 %. Windows of 4, 8 and 16 blocks do not differ, but larger ones are slower.
BLOCK_ROWS = 32
WINDOW_BLOCKS = 4
WINDOW = WINDOW_BLOCKS * BLOCK_ROWS
SOON = 16  # positions from asking for a random row to its step
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@helper
def mix(x):
    """splitmix64's finaliser (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@helper
def below(key, counter, bound):
    """A random integer in [0, bound), bound < 2**32: the high word of a 32 x 32 bit product."""
    bits = mix(key + (np.uint64(counter) + np.uint64(1)) * GOLDEN) >> np.uint64(32)
    return np.int64((bits * np.uint64(bound)) >> np.uint64(32))


@helper
def stream(seed, epoch, purpose):
    """The key of an independent stream of random numbers."""
    return mix(mix(np.uint64(seed) + np.uint64(purpose) * GOLDEN) ^ mix(np.uint64(epoch) + GOLDEN))


@helper
def shuffle(items, size, key):
    """Fisher and Yates, in place, over the first ``size`` items."""
    for i in range(size - 1, 0, -1):
        j = below(key, i, i + 1)
        items[i], items[j] = items[j], items[i]


@kernel
def permutation(seed, epoch, out):
    """A random order of 0..len(out)-1."""
    for i in range(out.size):
        out[i] = i
    shuffle(out, out.size, stream(seed, epoch, 0))


@kernel
def transposed(seed, out):
    """The permutation of 0..len(out)-1 that scikit-learn's shuffle makes of the seed (Marsaglia 2003's xorshift)."""
    for i in range(out.size):
        out[i] = i
    state = np.uint32(max(seed, 1))
    for i in range(out.size - 1):
        state ^= np.uint32(state << np.uint32(13))
        state ^= np.uint32(state >> np.uint32(17))
        state ^= np.uint32(state << np.uint32(5))
        j = i + np.int64(state & np.uint32(0x7FFFFFFF)) % (out.size - i)
        out[i], out[j] = out[j], out[i]


@kernel
def fill(kind, seed, epoch, n, batch, drawn, start, out, ahead):
    """The rows at positions start.. of the epoch, and for each position a row to ask the memory for meanwhile.

    ``drawn`` is the order of blocks (block) or of all rows (full). What ``ahead`` names comes a window later, in runs
    as it lies in the memory: a single-row step takes 45 ns instead of 88 so (d=50, float64).
    """
    if kind == BLOCK:
        fill_blocks(seed, epoch, n, drawn, start, out)
        for k in range(out.size):
            ahead[k] = row_as_it_lies(n, drawn, min(start + k + WINDOW, n - 1))
        return
    if kind == SEQUENTIAL:
        for k in range(out.size):
            out[k] = start + k
    elif kind == FULL:
        for k in range(out.size):
            out[k] = drawn[start + k]
    else:
        fill_drawn(seed, epoch, n, batch, start, out)
    for k in range(out.size):
        ahead[k] = out[min(k + SOON, out.size - 1)]


@helper
def row_as_it_lies(n, drawn, position):
    """The row at a position of the epoch before the windows are shuffled: blocks in the order ``drawn``.

    The short block at the end of the data changes places with the last one drawn, so every window but the last is full.
    """
    blocks = drawn.size
    at = position // BLOCK_ROWS
    block = np.int64(drawn[at])
    if block == blocks - 1:
        block = np.int64(drawn[blocks - 1])
    elif at == blocks - 1:
        block = blocks - 1
    return block * BLOCK_ROWS + position % BLOCK_ROWS


@helper
def fill_blocks(seed, epoch, n, drawn, start, out):
    """Windows of blocks in the order ``drawn``, the rows of each window shuffled."""
    rows = np.empty(WINDOW, np.int64)
    for w in range(start // WINDOW, (start + out.size + WINDOW - 1) // WINDOW):
        first = w * WINDOW
        size = min(WINDOW, n - first)
        for i in range(size):
            rows[i] = row_as_it_lies(n, drawn, first + i)
        shuffle(rows, size, stream(seed, epoch, w + 16))
        for i in range(max(start - first, 0), min(size, start + out.size - first)):
            out[first + i - start] = rows[i]


@helper
def fill_drawn(seed, epoch, n, batch, start, out):
    """Each batch drawn afresh, its rows distinct (Floyd 1987; a table of flags beyond 64 rows)."""
    seen = np.zeros(n if batch > 64 else 0, np.bool_)
    for first in range(0, out.size, batch):
        size = min(batch, out.size - first)
        key = stream(seed, epoch, 16 + (start + first) // batch)
        for k in range(size):
            # Floyd: draw from the first n - size + k + 1 rows; a row drawn before is replaced by the last of them.
            last = n - size + k
            row = below(key, k, last + 1)
            repeated = False
            if batch > 64:
                repeated = seen[row]
            else:
                for i in range(first, first + k):
                    repeated = repeated or out[i] == row
            out[first + k] = last if repeated else row
            if batch > 64:
                seen[out[first + k]] = True
        if batch > 64:
            for k in range(first, first + size):
                seen[out[k]] = False
