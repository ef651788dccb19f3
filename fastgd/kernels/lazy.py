"""Zero-gradient updates: all steps since a weight last had a gradient in one closed form, done when it is next read.

So a step on sparse rows costs the numbers of the rows, not the columns. ``totals`` are the few running numbers that a
step changes; a weight is stored in a form that steps without a gradient do not change. Each class is one closed form,
selected by the optimizer's trait ``zero_gradient`` (``solvers/sparse_lazy.py``), with the methods

- ``begin()``: the totals before the first step,
- ``count_step(totals, rate, left, pull, divisor)``: the totals after one more step, which multiplies a weight without a
  gradient by ``left`` (decoupled decay), takes ``pull`` off its size and divides it by ``divisor`` (proximal step),
- ``current(totals, penalty, j, w, s, low, high)``: the current weight and state, from the stored ones,
- ``proximal_step(penalty, z, step, low, high, factors, j)``: the proximal step of a weight that has a gradient,
- ``stored(totals, j, w, s, rate)``: the form to store of a current weight and state,
- ``weight_factor(totals)``: the current weight divided by the stored one, where that is a constant (for averages),
- ``pending()``: whether the stored form differs from the current weight,
- ``near_overflow(totals)``: whether all weights have to be brought up to date, before numbers overflow: where the
  first of the totals reaches ``limit``.

The first five run compiled, for one weight, and on arrays of all columns, ``j`` a slice.
"""

from typing import NamedTuple

import numpy as np

from ..parts.elementary import between, exp, where
from ._jit import bridge

LIMIT = 1e15  # of the ratio of a stored weight to the current one: float32 holds it
LEAST = 1e-12  # the share of a weight that a step of decay leaves at least


class NoDrift(NamedTuple):
    """A weight without a gradient does not change; or steps are to leave it (``lazy=True``)."""

    one: float = 1.0

    def begin(self):
        return (1.0,)

    def count_step(self, totals, rate, left, pull, divisor):
        return totals

    def current(self, totals, penalty, j, w, s, low, high):
        return w, s

    def proximal_step(self, penalty, z, step, low, high, factors, j):
        return penalty.prox(z, step, low, high, factors, j)

    def stored(self, totals, j, w, s, rate):
        return w, s

    def weight_factor(self, totals):
        return 1.0

    def pending(self):
        return False

    limit = np.inf

    def near_overflow(self, totals):
        return not totals[0] < self.limit


class Decay(NamedTuple):
    """SGD with L2 and decay alone: :class:`ElasticNetShrinkage` without L1 and bounds."""

    one: float = 1.0

    def begin(self):
        return (1.0,)

    def count_step(self, totals, rate, left, pull, divisor):
        return (totals[0] * divisor / max(left, LEAST),)

    def current(self, totals, penalty, j, w, s, low, high):
        return w * (1.0 / totals[0]), s

    def proximal_step(self, penalty, z, step, low, high, factors, j):
        return z * (1.0 / penalty.divisor(step))

    def stored(self, totals, j, w, s, rate):
        return w * totals[0], s

    def weight_factor(self, totals):
        return 1.0 / totals[0]

    def pending(self):
        return True

    limit, near_overflow = LIMIT, NoDrift.near_overflow


class ElasticNetShrinkage(NamedTuple):
    r"""SGD within an elastic net and bounds.

    A step makes :math:`w` to :math:`\mathrm{shrink}(w (1-\delta_t), \eta_t l_1) / (1 + \eta_t l_2)`. With
    :math:`D_t = \prod_{s \le t} (1 + \eta_s l_2) / (1 - \delta_s)` and :math:`B_t = \sum_{s \le t} \eta_s l_1 D_{s-1} /
    (1 - \delta_s)` many of them make it to :math:`\mathrm{shrink}(w D_r, B_t - B_r) / D_t`: once zero it stays so, and
    so it does on a bound. Stored are :math:`w D_r` and :math:`B_r` of the last step r with a gradient.
    """

    since: np.ndarray  # (d,) float64, B
    proximal_step, weight_factor = NoDrift.proximal_step, Decay.weight_factor
    pending, limit, near_overflow = Decay.pending, LIMIT, NoDrift.near_overflow

    def begin(self):
        return 1.0, 0.0

    def count_step(self, totals, rate, left, pull, divisor):
        left = max(left, LEAST)
        return totals[0] * divisor / left, totals[1] + pull * totals[0] / left

    def current(self, totals, penalty, j, w, s, low, high):
        return penalty.shrink(w, totals[1] - self.since[j], 1.0 / totals[0], low, high), s

    def stored(self, totals, j, w, s, rate):
        self.since[j] = totals[1]
        return w * totals[0], s


class MomentumDrift(NamedTuple):
    r"""Momentum without a penalty: k steps move a weight by :math:`v (\beta + \dots + \beta^k)`.

    :math:`v = w - w'` is the displacement by the last step, whose start w' is the state.
    """

    since: np.ndarray  # (d,) int64, the step after which a weight was stored
    beta: float
    log_beta: float
    proximal_step, weight_factor = NoDrift.proximal_step, NoDrift.weight_factor
    pending, limit, near_overflow = Decay.pending, np.inf, NoDrift.near_overflow

    def begin(self):
        return (np.int64(0),)

    def count_step(self, totals, rate, left, pull, divisor):
        return (totals[0] + 1,)

    def current(self, totals, penalty, j, w, s, low, high):
        steps = totals[0] - self.since[j]
        # For no steps the power of beta is 1.
        left = where(steps > 0, exp(steps * self.log_beta), 1.0)
        velocity = w - s[0]
        w = w + velocity * (self.beta * (1.0 - left) / (1.0 - self.beta))
        return w, (w - velocity * left,)

    def stored(self, totals, j, w, s, rate):
        self.since[j] = totals[0]
        return w, s


class NesterovDrift(NamedTuple):
    """Nesterov's momentum without a penalty: as :class:`MomentumDrift`, the last gradient's step being a part of v.

    ``beta * (w - w') + beta * rate * g'`` is ``beta * (w - (w' - rate * g'))``: with the latter as the state, and no
    last gradient, its steps are the same.
    """

    since: np.ndarray
    beta: float
    log_beta: float
    begin, count_step = MomentumDrift.begin, MomentumDrift.count_step
    proximal_step, weight_factor = NoDrift.proximal_step, NoDrift.weight_factor
    pending, limit, near_overflow = Decay.pending, np.inf, NoDrift.near_overflow

    def current(self, totals, penalty, j, w, s, low, high):
        steps = totals[0] - self.since[j]
        left = where(steps > 0, exp(steps * self.log_beta), 1.0)
        velocity = w - s[0]
        w = w + velocity * (self.beta * (1.0 - left) / (1.0 - self.beta))
        return w, (w - velocity * left, s[1])

    def stored(self, totals, j, w, s, rate):
        self.since[j] = totals[0]
        return w, (s[0] - rate * s[1], 0.0 * s[1])


class AdagradShrinkage(NamedTuple):
    r"""Adagrad within an elastic net and bounds.

    The step of a weight is the rate times its own :math:`a = 1/(\sqrt s + \epsilon)`, constant without a gradient.
    Without L2 the steps take :math:`l_1 a \sum_t \eta_t` off a weight; at one rate k of them divide it by
    :math:`q = (1 + \eta a l_2)^k` too, after :math:`l_1 (q - 1) / l_2`. Any other rates have no closed form.
    """

    since: np.ndarray  # (d,) float64, the sum of the rates
    epsilon: float
    l1: float
    l2: float
    rate: float
    proximal_step, weight_factor = NoDrift.proximal_step, NoDrift.weight_factor
    pending, limit, near_overflow = Decay.pending, np.inf, NoDrift.near_overflow

    def begin(self):
        return (0.0,)

    def count_step(self, totals, rate, left, pull, divisor):
        return (totals[0] + rate,)

    def current(self, totals, penalty, j, w, s, low, high):
        sum_of_rates = totals[0] - self.since[j]
        size = 1.0 / (np.sqrt(np.float64(s[0])) + self.epsilon)
        if self.l2 == 0.0:
            return penalty.shrink(w, self.l1 * size * sum_of_rates, 1.0, low, high), s
        grown = exp(between(sum_of_rates / self.rate * np.log1p(self.rate * size * self.l2), 0.0, 700.0))
        return penalty.shrink(w, self.l1 * (grown - 1.0) / self.l2, 1.0 / grown, low, high), s

    def stored(self, totals, j, w, s, rate):
        self.since[j] = totals[0]
        return w, s


for _word in ("count_step", "current", "proximal_step", "stored", "weight_factor"):
    bridge(_word, in_order=True)
