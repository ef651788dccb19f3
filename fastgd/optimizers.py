"""Optimizers: one small class each, the rule that turns a gradient into a move of one weight.

``slots`` is the number of state values a weight carries. ``prepare(lr, t, carry)`` runs once a step in float64: it
returns the coefficients of the rule, everything that depends on the step number alone, and two running numbers
``carry`` that start at 1 (products of decays; ``beta**t`` inside the rule made Adam 15 to 30 times slower).
``move(c, w, g, s)`` is the elementwise rule in the data's own type: it returns the change of the weight, the size of
the proximal step that L1, L2 and bounds take after it, and the new state. No literal and no power belongs in it (a
float64 literal runs float32 data at float64's speed). Steps count from ``t = 1``; state starts at zero.

What else there is to know of an optimizer are its traits, with the usual values in ``TRAITS``. For automatic rates,
``scale_free`` says that moves do not grow with the gradient, and ``damping`` is the share of the curvature's rate that
is safe on batches. ``decays`` says that the last coefficient is the share of every weight, but the intercept, that goes
at each step (decoupled weight decay: the kernel takes it off before it adds the change). ``limits`` says which values a
field may have, where not all from 0 on.

To add an optimizer, write one class here: its name in ``snake_case`` becomes its string name.
"""

from typing import NamedTuple

import numpy as np

from ._parts import BELOW_ONE, POSITIVE, catalogue


def decayed(optimizer, c, w):
    """The weight less its decay (kernels have a twin: ``kernels/_jit.py``)."""
    return w - c[-1] * w if optimizer.decays else w


class Sgd(NamedTuple):
    r"""Plain gradient descent, :math:`w \leftarrow w - \eta g` (stochastic when the batch is a part of the data).

    Parameters
    ----------
    factor : float, default 1.0
        Multiplies the learning rate.
    """

    factor: float = 1.0

    def prepare(self, lr, t, carry):
        return (self.factor * lr,), carry

    def move(self, c, w, g, s):
        return -c[0] * g, c[0], s


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
    limits = {"beta": BELOW_ONE}

    @property
    def damping(self):
        return 1.0 - self.beta

    def prepare(self, lr, t, carry):
        return (lr, self.beta if t > 1 else 0.0 * self.beta), carry

    def move(self, c, w, g, s):
        return c[1] * (w - s[0]) - c[0] * g, c[0], (w,)


class Adam(NamedTuple):
    r"""Adam (Kingma and Ba 2015, algorithm 1), with the paper's defaults.

    :math:`m \leftarrow \beta_1 m + (1-\beta_1) g`, :math:`v \leftarrow \beta_2 v + (1-\beta_2) g^2`,
    :math:`w \leftarrow w - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)` with
    :math:`\hat m = m/(1-\beta_1^t)` and :math:`\hat v = v/(1-\beta_2^t)`.
    A penalty or a bound is applied with each coordinate's own step :math:`\eta/(\sqrt{\hat v}+\epsilon)`.

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.999
        Decays of the two running means; in [0, 1).
    epsilon : float, default 1e-8
        Added to the root, in units of the gradient.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots = 2
    scale_free = True
    limits = {"beta1": BELOW_ONE, "beta2": BELOW_ONE, "epsilon": POSITIVE}

    def prepare(self, lr, t, carry):
        power1, power2 = carry[0] * self.beta1, carry[1] * self.beta2
        # eta / (sqrt(v/(1-b2^t)) + eps) = eta*r / (sqrt(v) + eps*r) with r = sqrt(1-b2^t)
        root = np.sqrt(1.0 - power2)
        rate = lr * root
        correction = 1.0 / (1.0 - power1)
        c = (rate, correction, self.epsilon * root, self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2)
        return c, (power1, power2)

    def move(self, c, w, g, s):
        rate, correction, epsilon, beta1, rest1, beta2, rest2 = c
        m = beta1 * s[0] + rest1 * g
        v = beta2 * s[1] + rest2 * g * g
        step = rate / (np.sqrt(v) + epsilon)
        return -step * (m * correction), step, (m, v)


TRAITS = {"slots": 0, "scale_free": False, "damping": 1.0, "decays": False, "limits": {}}

__all__ = catalogue(globals(), "move", TRAITS)
