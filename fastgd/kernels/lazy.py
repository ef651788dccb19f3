"""What steps do to a weight whose column they have no number in: all of them at once, when it is next asked for.

So a step costs the numbers of its rows, not the columns. Each class is one closed form; the running numbers ``now`` are
all that a step changes for everybody, and a weight is stored in the form in which it does not change meanwhile:

- ``begin()`` gives the running numbers before the first step,
- ``tick(now, rate, left, pull, divisor)`` those after one more: a step multiplies a weight without a gradient by
  ``left`` (decoupled decay), then takes ``pull`` off its size and divides it by ``divisor`` (the proximal step),
- ``awake(now, penalty, j, w, s, low, high)`` is the weight and its state as of now, from what is stored,
- ``settle(penalty, z, step, low, high)`` is the proximal step of a weight that has a gradient,
- ``asleep(now, j, w, s, rate)`` notes and gives what is stored,
- ``share(now)`` is what a stored weight is multiplied by now, where that is all there is to it (for averages),
- ``sleeps()`` says whether what is stored is anything else than the weight,
- ``full(now)`` says that all weights have to be brought up to date, before numbers overflow.
"""

from typing import NamedTuple

import numpy as np

from ..parts.elementary import exp
from ._jit import bridge

LIMIT = 1e15  # of a stored weight to the weight: float32 holds it
LEAST = 1e-12  # what is left of a weight that decay would take at once


class Still(NamedTuple):
    """A weight without a gradient stays as it is; or it is to (``lazy=True``)."""

    one: float = 1.0

    def begin(self):
        return (1.0,)

    def tick(self, now, rate, left, pull, divisor):
        return now

    def awake(self, now, penalty, j, w, s, low, high):
        return w, s

    def settle(self, penalty, z, step, low, high):
        return penalty.prox(z, step, low, high)

    def asleep(self, now, j, w, s, rate):
        return w, s

    def share(self, now):
        return 1.0

    def sleeps(self):
        return False

    def full(self, now):
        return False


class Decaying(NamedTuple):
    """SGD with L2 and decay alone: :class:`Shrinking` where nothing is taken off and nothing bounds."""

    one: float = 1.0

    def begin(self):
        return (1.0,)

    def tick(self, now, rate, left, pull, divisor):
        return (now[0] * divisor / max(left, LEAST),)

    def awake(self, now, penalty, j, w, s, low, high):
        return w * (1.0 / now[0]), s

    def settle(self, penalty, z, step, low, high):
        return z * (1.0 / penalty.divisor(step))

    def asleep(self, now, j, w, s, rate):
        return w * now[0], s

    def share(self, now):
        return 1.0 / now[0]

    def sleeps(self):
        return True

    def full(self, now):
        return not now[0] < LIMIT


class Shrinking(NamedTuple):
    r"""SGD within an elastic net and bounds.

    A step makes :math:`w` to :math:`\mathrm{shrink}(w (1-\delta_t), \eta_t l_1) / (1 + \eta_t l_2)`. With
    :math:`D_t = \prod_{s \le t} (1 + \eta_s l_2) / (1 - \delta_s)` and :math:`B_t = \sum_{s \le t} \eta_s l_1 D_{s-1} /
    (1 - \delta_s)` many of them make it to :math:`\mathrm{shrink}(w D_r, B_t - B_r) / D_t`: once zero it stays so, and
    so it does on a bound. Stored are :math:`w D_r` and :math:`B_r` of the last step r with a gradient.
    """

    since: np.ndarray  # (d,) float64, B
    settle, share, sleeps, full = Still.settle, Decaying.share, Decaying.sleeps, Decaying.full

    def begin(self):
        return 1.0, 0.0

    def tick(self, now, rate, left, pull, divisor):
        left = max(left, LEAST)
        return now[0] * divisor / left, now[1] + pull * now[0] / left

    def awake(self, now, penalty, j, w, s, low, high):
        return penalty.shrink(w, now[1] - self.since[j], 1.0 / now[0], low, high), s

    def asleep(self, now, j, w, s, rate):
        self.since[j] = now[1]
        return w * now[0], s


class Coasting(NamedTuple):
    r"""Momentum without a penalty: k steps carry a weight on by :math:`v (\beta + \dots + \beta^k)`.

    :math:`v = w - w'` is the displacement by the last step, whose start w' is the state.
    """

    since: np.ndarray  # (d,) int64, the step after which a weight is stored
    beta: float
    log_beta: float
    settle, share, sleeps, full = Still.settle, Still.share, Decaying.sleeps, Still.full

    def begin(self):
        return (np.int64(0),)

    def tick(self, now, rate, left, pull, divisor):
        return (now[0] + 1,)

    def awake(self, now, penalty, j, w, s, low, high):
        steps = now[0] - self.since[j]
        # Both in one: for no steps what is left is 1.
        left = exp(steps * self.log_beta) if steps > 0 else 1.0
        velocity = w - s[0]
        w = w + velocity * (self.beta * (1.0 - left) / (1.0 - self.beta))
        return w, (w - velocity * left,)

    def asleep(self, now, j, w, s, rate):
        self.since[j] = now[0]
        return w, s


class Gliding(NamedTuple):
    """Nesterov's momentum without a penalty: as :class:`Coasting`, where the last gradient's step is a part of v.

    ``beta * (w - w') + beta * rate * g'`` is ``beta * (w - (w' - rate * g'))``: with the latter as the state, and no
    last gradient, its steps are the same.
    """

    since: np.ndarray
    beta: float
    log_beta: float
    begin, tick = Coasting.begin, Coasting.tick
    settle, share, sleeps, full = Still.settle, Still.share, Decaying.sleeps, Still.full

    def awake(self, now, penalty, j, w, s, low, high):
        steps = now[0] - self.since[j]
        left = exp(steps * self.log_beta) if steps > 0 else 1.0
        velocity = w - s[0]
        w = w + velocity * (self.beta * (1.0 - left) / (1.0 - self.beta))
        return w, (w - velocity * left, s[1])

    def asleep(self, now, j, w, s, rate):
        self.since[j] = now[0]
        return w, (s[0] - rate * s[1], 0.0 * s[1])


class Pulled(NamedTuple):
    r"""Adagrad within an elastic net and bounds: the state keeps its size :math:`a = 1/(\sqrt s + \epsilon)`.

    Without L2 the steps take :math:`l_1 a \sum_t \eta_t` off a weight; at one rate k of them divide it by
    :math:`q = (1 + \eta a l_2)^k` too, after :math:`l_1 (q - 1) / l_2`. Any other rates have no closed form.
    """

    since: np.ndarray  # (d,) float64, the sum of the rates
    epsilon: float
    l1: float
    l2: float
    rate: float
    settle, share, sleeps, full = Still.settle, Still.share, Decaying.sleeps, Still.full

    def begin(self):
        return (0.0,)

    def tick(self, now, rate, left, pull, divisor):
        return (now[0] + rate,)

    def awake(self, now, penalty, j, w, s, low, high):
        sum_of_rates = now[0] - self.since[j]
        size = 1.0 / (np.sqrt(np.float64(s[0])) + self.epsilon)
        if self.l2 == 0.0:
            return penalty.shrink(w, self.l1 * size * sum_of_rates, 1.0, low, high), s
        grown = exp(min(sum_of_rates / self.rate * np.log1p(self.rate * size * self.l2), 700.0))
        return penalty.shrink(w, self.l1 * (grown - 1.0) / self.l2, 1.0 / grown, low, high), s

    def asleep(self, now, j, w, s, rate):
        self.since[j] = now[0]
        return w, s


for _word in ("begin", "tick", "awake", "asleep", "settle", "share", "sleeps", "full"):
    bridge(_word, gathers=True)
