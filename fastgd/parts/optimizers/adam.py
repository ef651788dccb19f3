"""Adam and its variants: a running mean of gradients, divided by the root of one of their squares."""

from typing import NamedTuple

import numpy as np

from ..elementary import exp
from ..registry import BELOW_ONE, POSITIVE

LOG_096 = float(np.log(0.96))  # of Nadam's momenta


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
    slot_powers = (1, 2)
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
        rate, correction, epsilon, beta1, rest1, beta2, rest2 = c[:7]
        m = beta1 * s[0] + rest1 * g
        v = beta2 * s[1] + rest2 * g * g
        step = rate / (np.sqrt(v) + epsilon)
        return -step * (m * correction), step, (m, v)


class Adamw(NamedTuple):
    r"""AdamW: :class:`Adam` with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

    :math:`w \leftarrow (1 - \eta\lambda)\,w - \eta\,\hat m/(\sqrt{\hat v} + \epsilon)`, the decay times the rate as in
    PyTorch and optax; the intercept does not decay. The decay is apart from ``alpha`` and moves the optimum: without
    noise to that of :math:`|w_j| \le 1/\lambda` (Xie and Li 2024).

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    weight_decay : float, default 0.01
        :math:`\lambda` (PyTorch's default; optax has 1e-4).
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    slots = 2
    slot_powers = (1, 2)
    scale_free = True
    decays = True
    limits = Adam.limits
    move = Adam.move

    def prepare(self, lr, t, carry):
        c, carry = Adam(self.beta1, self.beta2, self.epsilon).prepare(lr, t, carry)
        return (*c, lr * self.weight_decay), carry


class Amsgrad(Adam):
    r"""AMSGrad (Reddi, Kale and Kumar 2018) in PyTorch's form: :class:`Adam` that divides by the largest ``v`` so far.

    The maximum is over the raw :math:`v`, corrected afterwards by :math:`1/(1-\beta_2^t)` of the present step; optax
    takes it over the corrected ones, the paper corrects nothing.

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    """

    slots = 3
    slot_powers = (1, 2, 2)

    def move(self, c, w, g, s):
        rate, correction, epsilon, beta1, rest1, beta2, rest2 = c
        m = beta1 * s[0] + rest1 * g
        v = beta2 * s[1] + rest2 * g * g
        largest = np.maximum(s[2], v)
        step = rate / (np.sqrt(largest) + epsilon)
        return -step * (m * correction), step, (m, v, largest)


class Nadam(NamedTuple):
    r"""NAdam: :class:`Adam` with Nesterov's momentum (Dozat 2016), as PyTorch has it.

    With :math:`\mu_t = \beta_1 (1 - \tfrac12\, 0.96^{t\psi})`,
    :math:`w \leftarrow w - \eta\, (\frac{1-\mu_t}{1-\prod_{i\le t}\mu_i}\, g +
    \frac{\mu_{t+1}}{1-\prod_{i\le t+1}\mu_i}\, m) / (\sqrt{\hat v} + \epsilon)`, and :math:`m`, :math:`\hat v` as
    in :class:`Adam`. A penalty takes the coordinate's step times the sum of the two shares.

    optax has no schedule of momenta: :math:`\mu_t = \beta_1`, which a large ``momentum_decay`` gives here too.

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    momentum_decay : float, default 0.004
        :math:`\psi`, how fast :math:`\mu_t` rises from half of ``beta1`` to ``beta1``.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 4e-3
    slots = 2
    slot_powers = (1, 2)
    scale_free = True
    limits = Adam.limits

    def prepare(self, lr, t, carry):
        pace = LOG_096 * self.momentum_decay
        now, then = self.beta1 * (1.0 - 0.5 * exp(pace * t)), self.beta1 * (1.0 - 0.5 * exp(pace * (t + 1.0)))
        product, power2 = carry[0] * now, carry[1] * self.beta2
        of_g, of_m = (1.0 - now) / (1.0 - product), then / (1.0 - product * then)
        share = of_g + of_m
        root = np.sqrt(1.0 - power2)
        betas = self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2
        return (lr * root * share, of_g / share, of_m / share, self.epsilon * root, *betas), (product, power2)

    def move(self, c, w, g, s):
        rate, of_g, of_m, epsilon, beta1, rest1, beta2, rest2 = c
        m = beta1 * s[0] + rest1 * g
        v = beta2 * s[1] + rest2 * g * g
        step = rate / (np.sqrt(v) + epsilon)
        return -step * (of_g * g + of_m * m), step, (m, v)


class Radam(Adam):
    r"""RAdam, rectified :class:`Adam` (Liu et al. 2020, algorithm 2), as PyTorch has it.

    With :math:`\rho_\infty = 2/(1-\beta_2) - 1` and :math:`\rho_t = \rho_\infty - 2t\beta_2^t/(1-\beta_2^t)`: while
    :math:`\rho_t \le 5`, :math:`w \leftarrow w - \eta\,\hat m`; afterwards :math:`w \leftarrow w - \eta\, r_t\, \hat m
    \sqrt{1-\beta_2^t} / (\sqrt v + \epsilon)` with :math:`r_t^2 = \frac{(\rho_t-4)(\rho_t-2)\rho_\infty}
    {(\rho_\infty-4)(\rho_\infty-2)\rho_t}`.

    The threshold is the paper's 4 in the paper, 5 in its code, PyTorch and optax; epsilon is added to the root of the
    raw :math:`v` as in PyTorch (optax: of the corrected one; none in the paper).

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    """

    def prepare(self, lr, t, carry):
        power1, power2 = carry[0] * self.beta1, carry[1] * self.beta2
        most = 2.0 / (1.0 - self.beta2) - 1.0
        length = most - 2.0 * t * power2 / (1.0 - power2)
        # The divisor is adaptive * sqrt(v) + floor: 1 before the rectified steps.
        rate, adaptive, floor = lr, 0.0, 1.0
        if length > 5.0:
            square = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length)
            rate, adaptive, floor = lr * np.sqrt(square * (1.0 - power2)), 1.0, self.epsilon
        betas = self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2
        return (rate, 1.0 / (1.0 - power1), adaptive, floor, *betas), (power1, power2)

    def move(self, c, w, g, s):
        rate, correction, adaptive, floor, beta1, rest1, beta2, rest2 = c
        m = beta1 * s[0] + rest1 * g
        v = beta2 * s[1] + rest2 * g * g
        step = rate / (adaptive * np.sqrt(v) + floor)
        return -step * (m * correction), step, (m, v)


class Adamax(Adam):
    r"""AdaMax (Kingma and Ba 2015, algorithm 2): :class:`Adam` by the largest gradient, not by the mean square.

    :math:`u \leftarrow \max(\beta_2 u, |g| + \epsilon)`, :math:`w \leftarrow w - \eta\,\hat m/u`, and :math:`\hat m`
    as in :class:`Adam`; penalties and bounds take the step :math:`\eta/u`.

    Epsilon is PyTorch's and optax's; the paper has none.

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.999
        Decays of the running mean and of the maximum; in [0, 1).
    epsilon : float, default 1e-8
        Added to the gradient's size.
    """

    slot_powers = (1, 1)

    def prepare(self, lr, t, carry):
        power = carry[0] * self.beta1
        return (lr, 1.0 / (1.0 - power), self.epsilon, self.beta1, 1.0 - self.beta1, self.beta2), (power, carry[1])

    def move(self, c, w, g, s):
        rate, correction, epsilon, beta1, rest1, beta2 = c
        m = beta1 * s[0] + rest1 * g
        u = np.maximum(beta2 * s[1], np.abs(g) + epsilon)
        step = rate / u
        return -step * (m * correction), step, (m, u)
