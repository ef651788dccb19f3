"""Momentum: a weight keeps a part of its last displacement."""

from typing import NamedTuple

from ..registry import BELOW_ONE


class Momentum(NamedTuple):
    r"""Classical momentum (Polyak 1964): :math:`v \leftarrow \beta v - \eta g,\; w \leftarrow w + v`.

    The slot holds the weight before the last step, so the velocity is the displacement that really happened. With
    the velocity of the textbook stored instead, a penalty or a bound never reached its optimum (off by 0.15 to 0.25);
    without a penalty the two are the same numbers.

    Parameters
    ----------
    beta : float, default 0.9
        How much of the last displacement is kept; 0 <= beta < 1.
    """

    beta: float = 0.9
    slots = 1
    slot_powers = ("weight",)
    zero_gradient = "momentum"
    limits = {"beta": BELOW_ONE}

    @property
    def damping(self):
        return 1.0 - self.beta

    def prepare(self, lr, t, carry):
        return (lr, self.beta if t > 1 else 0.0 * self.beta), carry

    def move(self, c, w, g, s):
        return c[1] * (w - s[0]) - c[0] * g, c[0], (w,)


class Nesterov(Momentum):
    r"""Nesterov's momentum (Sutskever et al. 2013, as PyTorch and optax write it).

    :math:`v \leftarrow \beta v - \eta g,\; w \leftarrow w + \beta v - \eta g`. Here it is
    :math:`w \leftarrow w + \beta (\Delta w + \eta' g') - (1+\beta)\,\eta g`, where :math:`\Delta w` is the last
    displacement and :math:`\eta' g'` the last plain step: the same numbers without a penalty, and with one its optimum
    (see :class:`Momentum`).

    PyTorch keeps the rate out of the velocity: where the rate changes, its paths differ from these.

    Parameters
    ----------
    beta : float, default 0.9
        How much of the velocity is kept; 0 <= beta < 1.
    """

    slots = 2
    slot_powers = ("weight", 1)
    zero_gradient = "nesterov"

    def prepare(self, lr, t, carry):
        last = self.beta * carry[0] if t > 1 else 0.0 * self.beta  # carried is the rate of the step before
        now = (1.0 + self.beta) * lr
        # At rest the change is (now - last) * g, so that is the step; a rate that falls by more than half at once makes
        # it too small or negative for that one step.
        step = max(now - last, (1.0 - self.beta) * lr)
        return (step, self.beta if t > 1 else 0.0 * self.beta, last, now), (lr, carry[1])

    def move(self, c, w, g, s):
        return c[1] * (w - s[0]) + c[2] * s[1] - c[3] * g, c[0], (w, g)
