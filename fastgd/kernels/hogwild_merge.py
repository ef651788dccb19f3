"""Copies of the weights of one lane, each stepped by a thread on rows of its own, and how they become one again."""

import numpy as np


def merge(parts, lanes, columns, copies, states, sizes, steps, rate, t):
    """Take the moves of all copies into the weights, and give every copy these.

    A column that few rows have gets all moves, as if they had been made in turn. One whose weight each copy brought to
    its end by itself gets their mean. In between, K copies whose steps each shrink an error e to ``rho * e`` are to
    leave ``rho**K * e``, so the share of the moves is ``(1 - rho**K) / (K * (1 - rho))``, which is about
    ``(1 + u / K) / (1 + u)``, with u half the sum over ``steps`` of step times curvature (``sizes``).
    """
    optimizer = type(parts.optimizer)(*lanes.optimizer[0].tolist())
    c, lanes.carry[0] = optimizer.prepare(rate, t, tuple(lanes.carry[0].tolist()))
    w, slots, dtype = lanes.weights[0], lanes.slots[0], lanes.weights.dtype
    with np.errstate(all="ignore"):
        for state in states[:, 0]:
            state -= slots  # sums of squares
        for state in states[:, 0]:
            slots += state
        states[:] = slots
        moves = copies[0, 0] - w
        for copy in copies[1:, 0]:
            moves += copy - w
        step = optimizer.move([dtype.type(number) for number in c], w, w * 0, tuple(slots))[1]
        u = (0.5 * steps * step * sizes).astype(dtype)
        w += moves * ((1 + u / dtype.type(len(copies))) / (1 + u))
        if columns.low is not None:
            np.clip(w[:-1], columns.low, columns.high, out=w[:-1])
    copies[:] = w
