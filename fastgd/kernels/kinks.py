"""Losses that are lines with kinks: each row's loss is a sum of ``max over u in [low, high] of u * (place - score)``.

Arrays (kinks, n) have a row for each kink of the loss: one for the hinge, the absolute error and quantiles, two where
small errors cost nothing. ``weight`` (n,) is that of each row, 0 for rows that do not count. All sums go in order.
"""

from ._jit import kernel

LINE_SHARE = 0.1  # of the parabola that touches a line from above, which the second derivative has beyond the width
REACH = 10.0  # widths: beyond, the second derivative is 0


@kernel(in_order=True)
def smoothed(scores, places, low, high, weight, width, slopes, bends, sums):
    """The slopes u (n,) of the loss smoothed within ``width`` of its kinks, and its second derivatives (n,), weighted.

    Into ``sums`` (2,) go the losses, not smoothed, and what they are above the lines of these slopes: a duality gap.
    """
    sums[0] = sums[1] = 0.0
    for i in range(scores.size):
        slopes[i] = bends[i] = 0.0
        if weight[i] > 0.0:
            for b in range(places.shape[0]):
                r = places[b, i] - scores[i]
                half = 0.5 * (high[b, i] - low[b, i])
                away = abs(r)
                if away <= width:
                    u, bend = low[b, i] + half + half * (r / width), half / width
                else:
                    u = high[b, i] if r > 0.0 else low[b, i]
                    bend = LINE_SHARE * half / away if away <= REACH * width else 0.0
                loss = (high[b, i] if r > 0.0 else low[b, i]) * r
                slopes[i] += weight[i] * u
                bends[i] += weight[i] * bend
                sums[0] += weight[i] * loss
                sums[1] += weight[i] * (loss - u * r)


@kernel(in_order=True)
def slope_along(scores, move, share, places, low, high, weight, width):
    """The derivative of the smoothed loss along a move of the scores, ``share`` of it behind them."""
    total = 0.0
    for i in range(scores.size):
        if weight[i] > 0.0:
            for b in range(places.shape[0]):
                r = places[b, i] - scores[i] - share * move[i]
                half = 0.5 * (high[b, i] - low[b, i])
                if r > width:
                    u = high[b, i]
                elif r < -width:
                    u = low[b, i]
                else:
                    u = low[b, i] + half + half * (r / width)
                total -= weight[i] * u * move[i]
    return total


@kernel(in_order=True)
def losses_of(scores, places, low, high, weight, most, sums):
    """Into ``sums`` (2,) go the losses, and what they would be if no score were further than ``most`` from a kink."""
    sums[0] = sums[1] = 0.0
    for i in range(scores.size):
        if weight[i] > 0.0:
            for b in range(places.shape[0]):
                r = places[b, i] - scores[i]
                loss = weight[i] * (high[b, i] if r > 0.0 else low[b, i]) * r
                sums[0] += loss
                sums[1] += loss * (most / abs(r) if abs(r) > most else 1.0)


# A primal-dual interior point -----------------------------------------------------------------------------------------
#
# ``above - below`` is ``place - score`` where it is feasible, both positive; u, times the row's weight, lies within its
# box, and u - low and high - u are the multipliers of below and above.


@kernel(in_order=True)
def inverse_bends(low, high, weight, below, above, u, d, bends):
    """What each row adds to the matrix of a step: of each kink (kinks, n), and added up (n,). Returns the gap."""
    gap = 0.0
    for i in range(weight.size):
        bends[i] = 0.0
        if weight[i] > 0.0:
            for b in range(low.shape[0]):
                under, over = u[b, i] - weight[i] * low[b, i], weight[i] * high[b, i] - u[b, i]
                gap += under * below[b, i] + over * above[b, i]
                d[b, i] = 1.0 / (below[b, i] / under + above[b, i] / over)
                bends[i] += d[b, i]
    return gap


@kernel(in_order=True)
def right_side(scores, places, low, high, weight, below, above, u, d, target, second, du, dbelow, dabove, e, rows):
    """The right side of a step whose products are to be ``target``: of each kink into ``e``, added up into ``rows``.

    ``second``: less the products of the first half of the step, which is in ``du``, ``dbelow`` and ``dabove``.
    """
    for i in range(weight.size):
        rows[i] = 0.0
        if weight[i] > 0.0:
            for b in range(low.shape[0]):
                under, over = u[b, i] - weight[i] * low[b, i], weight[i] * high[b, i] - u[b, i]
                first = last = target
                if second:
                    first -= du[b, i] * dbelow[b, i]
                    last += du[b, i] * dabove[b, i]
                off = above[b, i] - below[b, i] - (places[b, i] - scores[i])
                e[b, i] = d[b, i] * ((first / under - below[b, i]) - (last / over - above[b, i]) - off)
                rows[i] += e[b, i]


@kernel(in_order=True)
def direction(low, high, weight, below, above, u, d, e, move, target, second, du, dbelow, dabove, longest):
    """The moves of slacks and multipliers with a move of the scores, and the shares of both that are feasible.

    ``longest`` (2,) gets the shares. The other arguments are those of ``right_side``.
    """
    longest[0] = longest[1] = 1e300
    for i in range(weight.size):
        if weight[i] > 0.0:
            for b in range(low.shape[0]):
                under, over = u[b, i] - weight[i] * low[b, i], weight[i] * high[b, i] - u[b, i]
                first = last = target
                if second:
                    first -= du[b, i] * dbelow[b, i]
                    last += du[b, i] * dabove[b, i]
                v = e[b, i] - d[b, i] * move[i]
                du[b, i] = v
                dbelow[b, i] = (first - below[b, i] * v) / under - below[b, i]
                dabove[b, i] = (last + above[b, i] * v) / over - above[b, i]
                if v < 0.0:
                    longest[1] = min(longest[1], -under / v)
                elif v > 0.0:
                    longest[1] = min(longest[1], over / v)
                if dbelow[b, i] < 0.0:
                    longest[0] = min(longest[0], -below[b, i] / dbelow[b, i])
                if dabove[b, i] < 0.0:
                    longest[0] = min(longest[0], -above[b, i] / dabove[b, i])


@kernel(in_order=True)
def advance(low, high, weight, below, above, u, du, dbelow, dabove, share, dual_share, moves):
    """Take shares of a step if it ``moves``; returns the gap there."""
    gap = 0.0
    for i in range(weight.size):
        if weight[i] > 0.0:
            for b in range(low.shape[0]):
                s, x = below[b, i] + share * dbelow[b, i], above[b, i] + share * dabove[b, i]
                v = u[b, i] + dual_share * du[b, i]
                gap += (v - weight[i] * low[b, i]) * s + (weight[i] * high[b, i] - v) * x
                if moves:
                    below[b, i], above[b, i], u[b, i] = s, x, v
    return gap
