"""Copies of the weights of one lane, each stepped by a thread on rows of its own, and how they become one again."""

import numpy as np

from ._jit import kernel, lane_of, read_slots
from .sparse_loop import bound, prepared


@kernel
def merge(parts, lanes, ledger, copies, states, sizes, steps, rate, t):
    """Take the moves of all copies into the weights, and give every copy these.

    A column that few rows have gets all moves, as if they had been made in turn. One whose weight each copy brought to
    its end by itself gets their mean. In between, K copies whose steps each shrink an error e to ``rho * e`` are to
    leave ``rho**K * e``, so the share of the moves is ``(1 - rho**K) / (K * (1 - rho))``, which is about
    ``(1 + u / K) / (1 + u)``, with u half the sum over ``steps`` of step times curvature (``sizes``).
    """
    optimizer = lane_of(parts.optimizer, lanes.optimizer, 0)
    c = prepared(optimizer, lanes, rate, t)
    count, d, dtype = copies.shape[0], lanes.low.shape[1], lanes.weights.dtype
    for j in range(d + 1):
        w = lanes.weights[0, j]
        move = w * 0
        for k in range(count):
            move += copies[k, 0, j] - w
        for m in range(lanes.slots.shape[1]):  # sums of squares
            before = lanes.slots[0, m, j]
            for k in range(count):
                lanes.slots[0, m, j] += states[k, 0, m, j] - before
            for k in range(count):
                states[k, 0, m, j] = lanes.slots[0, m, j]
        if move != 0:
            step = optimizer.move(c, w, w * 0, read_slots(optimizer, lanes.slots, 0, j))[1]
            u = 0.5 * steps * step * sizes[j]
            w = dtype.type(w + move * ((1.0 + u / count) / (1.0 + u)))
            if j < d:
                w = dtype.type(min(max(w, bound(ledger.low, j, -np.inf)), bound(ledger.high, j, np.inf)))
            lanes.weights[0, j] = w
        for k in range(count):
            copies[k, 0, j] = w
