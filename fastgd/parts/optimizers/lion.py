"""Lion: moves by the sign of a mean of gradients."""

from typing import NamedTuple

import numpy as np

from ..registry import BELOW_ONE

TINY = 1e-30  # keeps a quotient finite, in float32 too; far below any gradient


class Lion(NamedTuple):
    r"""Lion (Chen et al. 2023, algorithm 2): moves of one size, against the sign of a mean.

    :math:`u = \beta_1 m + (1-\beta_1) g`, :math:`w \leftarrow (1-\eta\lambda)\,w - \eta\,\mathrm{sign}(u)`,
    :math:`m \leftarrow \beta_2 m + (1-\beta_2) g`, as in optax. Rates are 3 to 10 times smaller than Adam's. The
    intercept does not decay.

    Penalties and bounds take the step :math:`\eta/\hat a`, where :math:`\hat a` is the running mean of :math:`|u|`
    (decay :math:`\beta_1`, corrected as Adam's): at rest the move is that step against the gradient, so the penalised
    optimum is reached, as rates fall. (With :math:`\eta/|u|` the step explodes where :math:`u` changes its sign. A
    mean as slow as :math:`\beta_2` lags: with L1 at a rate of 0.03 the weights cycled 0.8 from the optimum, not 5e-4.)

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.99
        The share of the running mean in the move, and its decay; in [0, 1).
    weight_decay : float, default 0.0
        :math:`\lambda`, apart from ``alpha`` (optax has 1e-3). Without noise it moves the optimum to that of
        :math:`|w_j| \le 1/\lambda` (Chen, Liu, Liang and Liu 2024).
    """

    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    slots = 2
    slot_powers = (1, 1)
    scale_free = True
    decays = True
    limits = {"beta1": BELOW_ONE, "beta2": BELOW_ONE}

    def prepare(self, lr, t, carry):
        power = carry[0] * self.beta1
        betas = self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2
        return (lr, lr * (1.0 - power), TINY, *betas, lr * self.weight_decay), (power, carry[1])

    def move(self, c, w, g, s):
        rate, corrected, tiny, beta1, rest1, beta2, rest2, _ = c
        u = beta1 * s[0] + rest1 * g
        size = beta1 * s[1] + rest1 * np.abs(u)
        return -rate * np.sign(u), corrected / (size + tiny), (beta2 * s[0] + rest2 * g, size)
