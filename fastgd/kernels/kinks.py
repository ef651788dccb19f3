"""Losses that are lines with kinks: each row's loss is a sum of ``max over u in [low, high] of u * (place - score)``.

Tables have a row for each kink of the loss, (kinks, n): one for the hinge, the absolute error and quantiles, two where
small errors cost nothing. ``weight`` (n,) is that of each row, 0 for rows that do not count. All sums go in order.

Tables come as one array, and are read by their places in it: a kernel that took ten arrays compiled for twice as long.
"""

from ._jit import kernel
from .addresses import at
from .emit import compact

LINE_SHARE = 0.1  # of the parabola that touches a line from above, which the second derivative has beyond the width
REACH = 10.0  # widths: beyond, the second derivative is 0

# The tables of ``box`` and, with more behind them, of the ``tables`` of an interior point.
PLACES, LOW, HIGH, BELOW, ABOVE, U, D, E, DU, DBELOW, DABOVE = range(11)
TABLES = DABOVE + 1


@kernel(in_order=True)
def smoothed(scores, box, weight, width, most, slopes, bends, sums):
    """The slopes u (n,) of the loss smoothed within ``width`` of its kinks, and its second derivatives (n,), weighted.

    Into ``sums`` (3,) go the losses, not smoothed; what they are above the lines of these slopes, a duality gap; and
    what they would be if no score were further than ``most`` from a kink.
    """
    compact()
    places, lows, highs = at(box, PLACES), at(box, LOW), at(box, HIGH)
    losses = gap = clipped = 0.0
    for i in range(scores.size):
        share, slope, curve = weight[i], 0.0, 0.0
        if share > 0.0:
            for b in range(box.shape[1]):
                k = b * scores.size + i
                low, high, r = lows[k], highs[k], places[k] - scores[i]
                half, away, line = 0.5 * (high - low), abs(r), high if r > 0.0 else low
                if away <= width:
                    u, bend = low + half + half * (r / width), half / width
                else:
                    u, bend = line, LINE_SHARE * half / away if away <= REACH * width else 0.0
                slope += share * u
                curve += share * bend
                loss = share * line * r
                losses += loss
                gap += share * (line * r - u * r)
                clipped += loss * (most / away if away > most else 1.0)
        slopes[i], bends[i] = slope, curve
    sums[0], sums[1], sums[2] = losses, gap, clipped


@kernel(in_order=True)
def slope_along(scores, move, share, box, weight, width):
    """The derivative of the smoothed loss along a move of the scores, ``share`` of it behind them."""
    compact()
    places, lows, highs, total = at(box, PLACES), at(box, LOW), at(box, HIGH), 0.0
    for i in range(scores.size):
        if weight[i] > 0.0:
            for b in range(box.shape[1]):
                k = b * scores.size + i
                low, high, r = lows[k], highs[k], places[k] - scores[i] - share * move[i]
                half = 0.5 * (high - low)
                if r > width:
                    u = high
                elif r < -width:
                    u = low
                else:
                    u = low + half + half * (r / width)
                total -= weight[i] * u * move[i]
    return total


# A primal-dual interior point -----------------------------------------------------------------------------------------
#
# ``above - below`` is ``place - score`` where it is feasible, both positive; u, times the row's weight, lies within its
# box, and u - low and high - u are the multipliers of below and above.


@kernel(in_order=True)
def advance(tables, weight, share, dual_share, moves, bends):
    """The gap that shares of a step leave. If it ``moves``, take them.

    Then D gets what each kink adds to the matrix of the next step, and ``bends`` (n,) what each row does.
    """
    compact()
    lows, highs = at(tables, LOW), at(tables, HIGH)
    belows, aboves, us, ds = at(tables, BELOW), at(tables, ABOVE), at(tables, U), at(tables, D)
    dbelows, daboves, dus = at(tables, DBELOW), at(tables, DABOVE), at(tables, DU)
    gap = 0.0
    for i in range(weight.size):
        total = 0.0
        if weight[i] > 0.0:
            for b in range(tables.shape[1]):
                k = b * weight.size + i
                below, above = belows[k] + share * dbelows[k], aboves[k] + share * daboves[k]
                u = us[k] + dual_share * dus[k]
                under, over = u - weight[i] * lows[k], weight[i] * highs[k] - u
                gap += under * below + over * above
                if moves:
                    d = 1.0 / (below / under + above / over)
                    total += d
                    belows[k], aboves[k], us[k], ds[k] = below, above, u, d
        if moves:
            bends[i] = total
    return gap


@kernel(in_order=True)
def right_side(tables, weight, scores, target, second, sides):
    """The right side of a step whose products are to be ``target``: of each kink into E, added up into ``sides`` (n,).

    ``second``: less the products of the first half of the step, which is in DU, DBELOW and DABOVE.
    """
    compact()
    places, lows, highs, es = at(tables, PLACES), at(tables, LOW), at(tables, HIGH), at(tables, E)
    belows, aboves, us, ds = at(tables, BELOW), at(tables, ABOVE), at(tables, U), at(tables, D)
    dbelows, daboves, dus = at(tables, DBELOW), at(tables, DABOVE), at(tables, DU)
    for i in range(weight.size):
        total = 0.0
        if weight[i] > 0.0:
            for b in range(tables.shape[1]):
                k = b * weight.size + i
                below, above, u, du = belows[k], aboves[k], us[k], dus[k]
                under, over = u - weight[i] * lows[k], weight[i] * highs[k] - u
                first = last = target
                if second:
                    first -= du * dbelows[k]
                    last += du * daboves[k]
                off = above - below - (places[k] - scores[i])
                e = ds[k] * ((first / under - below) - (last / over - above) - off)
                es[k] = e
                total += e
        sides[i] = total


@kernel(in_order=True)
def direction(tables, weight, move, target, second, longest):
    """The moves of slacks and multipliers with a move of the scores; ``longest`` (2,) gets the feasible shares of both.

    The other arguments are those of ``right_side``.
    """
    compact()
    lows, highs, es = at(tables, LOW), at(tables, HIGH), at(tables, E)
    belows, aboves, us, ds = at(tables, BELOW), at(tables, ABOVE), at(tables, U), at(tables, D)
    dbelows, daboves, dus = at(tables, DBELOW), at(tables, DABOVE), at(tables, DU)
    slack = dual = 1e300
    for i in range(weight.size):
        if weight[i] > 0.0:
            for b in range(tables.shape[1]):
                k = b * weight.size + i
                below, above, u = belows[k], aboves[k], us[k]
                under, over = u - weight[i] * lows[k], weight[i] * highs[k] - u
                first = last = target
                if second:
                    first -= dus[k] * dbelows[k]
                    last += dus[k] * daboves[k]
                v = es[k] - ds[k] * move[i]
                lower, upper = (first - below * v) / under - below, (last + above * v) / over - above
                dus[k], dbelows[k], daboves[k] = v, lower, upper
                # Selections, not branches, which no CPU guesses: 0.6 of the time.
                far = (over if v > 0.0 else -under) / (v if v != 0.0 else 1.0)
                dual = far if v != 0.0 and far < dual else dual
                far = -below / (lower if lower < 0.0 else -1.0)
                slack = far if lower < 0.0 and far < slack else slack
                far = -above / (upper if upper < 0.0 else -1.0)
                slack = far if upper < 0.0 and far < slack else slack
    longest[0], longest[1] = slack, dual
