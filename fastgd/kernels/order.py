"""The order of rows in an epoch: a function of (seed, epoch) alone, from counter-based random numbers (splitmix64).

``block`` draws the blocks of rows in random order and shuffles the rows within a window of four blocks: close to a
full shuffle in what it does to a fit, at a fraction of its memory traffic.
"""

import numpy as np

from ._jit import inlined, kernel

SEQUENTIAL, BLOCK, FULL, REPLACEMENT = range(4)
KINDS = {False: SEQUENTIAL, "block": BLOCK, "full": FULL, "replacement": REPLACEMENT}
# Excess loss over a full shuffle's, flights sorted by the target, batches of 32, after 1 to 5 epochs: blocks of 16 rows
# 1 to 2 %, 32 rows 3 to 5 %, 64 rows 5 to 8 %. Windows of 4, 8 and 16 blocks do not differ, but larger ones are slower.
BLOCK_ROWS = 32
WINDOW_BLOCKS = 4
WINDOW = WINDOW_BLOCKS * BLOCK_ROWS
RUN = 8  # rows of a block that are asked for in a row
SOON = 16  # positions from asking for a random row to its step
FEW = 64  # rows drawn that are compared with each other; more are looked up in a table of flags
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inlined
def mix(x):
    """splitmix64's finaliser (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inlined
def below(key, counter, bound):
    """A random integer in [0, bound), bound < 2**32: the high word of a 32 x 32 bit product."""
    bits = mix(key + (np.uint64(counter) + np.uint64(1)) * GOLDEN) >> np.uint64(32)
    return np.int64((bits * np.uint64(bound)) >> np.uint64(32))


@inlined
def stream(seed, epoch, purpose):
    """The key of an independent stream of random numbers."""
    return mix(mix(np.uint64(seed) + np.uint64(purpose) * GOLDEN) ^ mix(np.uint64(epoch) + GOLDEN))


@kernel
def shuffle(items, window, seed, epoch, purpose):
    """Fisher and Yates, in place, over each ``window`` items; their streams are ``purpose`` and those after it."""
    for first in range(0, items.size, window):
        last = first + window if first + window < items.size else items.size
        key = stream(seed, epoch, purpose + first // window)
        for i in range(last - first - 1, 0, -1):
            here, there = np.uint64(first + i), np.uint64(first + below(key, i, i + 1))  # no test for wrapping around
            items[here], items[there] = items[there], items[here]


def permutation(seed, epoch, out):
    """A random order of 0..len(out)-1, uint32."""
    out[:] = np.arange(out.size)
    shuffle(out, out.size, seed, epoch, 0)


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


def fill(kind, seed, epoch, n, batch, drawn, start, out, ahead):
    """The rows at positions start.. of the epoch, and for each position a row to ask the memory for meanwhile.

    ``drawn`` is the order of blocks (block) or of all rows (full).
    """
    if kind == BLOCK:
        fill_blocks(seed, epoch, n, drawn, start, out, ahead)
        return
    if kind == SEQUENTIAL:
        out[:] = np.arange(start, start + out.size)
    elif kind == FULL:
        out[:] = drawn[start : start + out.size]
    else:
        draw(seed, epoch, n, batch, start, out, np.zeros(n if batch > FEW else 0, np.bool_))
    ahead[:-SOON], ahead[-SOON:] = out[SOON:], out[-1]


def fill_blocks(seed, epoch, n, drawn, start, out, ahead):
    """Windows of blocks in the order ``drawn``, the rows of each window shuffled.

    What ``ahead`` names comes a window later, in runs as it lies in the memory, of each of the window's blocks in turn:
    a single-row step takes 45 ns instead of 88 so (d=50, float64).
    """
    first = start // WINDOW * WINDOW
    windows = -(-(start + out.size - first) // WINDOW)
    lying = rows_as_they_lie(n, drawn, first, windows + 1)
    rows = lying[: min(windows * WINDOW, n - first)].copy()
    shuffle(rows, WINDOW, seed, epoch, 16 + first // WINDOW)
    out[:] = rows[start - first :][: out.size]
    later = lying[WINDOW:].reshape(windows, WINDOW_BLOCKS, BLOCK_ROWS // RUN, RUN).swapaxes(1, 2)
    ahead[:] = later.reshape(-1)[start - first :][: out.size]


def rows_as_they_lie(n, drawn, first, windows):
    """The rows of some windows before they are shuffled, blocks in the order ``drawn``; the last row beyond the end.

    The short block at the end of the data changes places with the last one drawn, so every window but the last is full.
    """
    last = drawn.size - 1
    places = np.arange(first // BLOCK_ROWS, first // BLOCK_ROWS + windows * WINDOW_BLOCKS)
    blocks = drawn[np.minimum(places, last)]
    blocks[blocks == last] = drawn[last]
    blocks[places >= last] = last
    rows = blocks[:, None] * np.uint32(BLOCK_ROWS) + np.arange(BLOCK_ROWS, dtype=np.uint32)
    return np.minimum(rows, np.uint32(n - 1), out=rows).reshape(-1)


@kernel
def draw(seed, epoch, n, batch, start, out, seen):
    """Each batch drawn afresh, its rows distinct (Floyd 1987); ``seen`` are n flags, or none for up to FEW rows."""
    for first in range(0, out.size, batch):
        size = batch if first + batch < out.size else out.size - first
        key = stream(seed, epoch, 16 + (start + first) // batch)
        for k in range(size):
            # Floyd: draw from the first n - size + k + 1 rows; a row drawn before is replaced by the last of them.
            last = n - size + k
            row = below(key, k, last + 1)
            repeated = False
            if batch > FEW:
                repeated = seen[row]
            else:
                for i in range(first, first + k):
                    repeated = repeated or out[i] == row
            out[first + k] = last if repeated else row
            if batch > FEW:
                seen[out[first + k]] = True
        if batch > FEW:
            for k in range(first, first + size):
                seen[out[k]] = False
