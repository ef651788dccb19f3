"""Steps divided by the size of the gradients so far, of each weight by itself."""

from typing import NamedTuple

import numpy as np

from ..registry import BELOW_ONE, POSITIVE


class Adagrad(NamedTuple):
    r"""AdaGrad (Duchi, Hazan and Singer 2011, the diagonal composite mirror descent).

    :math:`s \leftarrow s + g^2`, :math:`w \leftarrow w - \eta\, g/(\sqrt s + \epsilon)`; penalties and bounds take each
    coordinate's own step :math:`\eta/(\sqrt s + \epsilon)`, as the paper has it.

    The sum starts at 0, as in PyTorch (its ``lr_decay`` is a schedule here); in optax at 0.1, with epsilon in the root.

    Parameters
    ----------
    epsilon : float, default 1e-10
        Added to the root, in units of the gradient.
    """

    epsilon: float = 1e-10
    slots = 1
    slot_powers = (2,)
    scale_free = True
    fades = True
    zero_gradient = "adagrad"
    limits = {"epsilon": POSITIVE}

    def prepare(self, lr, t, carry):
        return (lr, self.epsilon), carry

    def move(self, c, w, g, s):
        total = s[0] + g * g
        step = c[0] / (np.sqrt(total) + c[1])
        return -step * g, step, (total,)


class Rmsprop(NamedTuple):
    r"""RMSprop (Tieleman and Hinton 2012), centred and with momentum where asked for (Graves 2013).

    :math:`v \leftarrow \rho v + (1-\rho) g^2`, :math:`m \leftarrow \rho m + (1-\rho) g`,
    :math:`w \leftarrow w + \mu\,\Delta w - \eta\, g/(\sqrt{v - c\,m^2} + \epsilon)`, where :math:`\Delta w` is the last
    displacement. Means start at 0 without correction, as in the sources.

    The slot holds :math:`S = v - c\,m^2` itself, by :math:`S \leftarrow \rho S + (1-\rho)((1-c)\,g^2 +
    c\,\rho\,(g-m)^2)`: the same number, never below 0 and without the difference's cancellation.

    PyTorch's decay (``alpha``) is 0.99, optax's 0.9; PyTorch keeps the rate out of the momentum; optax has epsilon in
    the root.

    Parameters
    ----------
    decay : float, default 0.9
        Of the running means; in [0, 1).
    epsilon : float, default 1e-8
        Added to the root, in units of the gradient.
    momentum : float, default 0.0
        How much of the last displacement is kept; in [0, 1).
    centred : float, default 0.0
        1 divides by the gradient's standard deviation, 0 by its root mean square. Without noise (the full batch) the
        deviation vanishes wherever the gradient settles, so the rate has to fall.
    """

    decay: float = 0.9
    epsilon: float = 1e-8
    momentum: float = 0.0
    centred: float = 0.0
    slots = 3
    slot_powers = (2, 1, "weight")
    scale_free = True
    limits = {"decay": BELOW_ONE, "epsilon": POSITIVE, "momentum": BELOW_ONE, "centred": {"low": 0.0, "high": 1.0}}

    def prepare(self, lr, t, carry):
        rest = 1.0 - self.decay
        raw, centred = rest * (1.0 - self.centred), rest * self.centred * self.decay
        momentum = self.momentum if t > 1 else 0.0 * self.momentum
        return (lr, self.epsilon, self.decay, rest, raw, centred, momentum), carry

    def move(self, c, w, g, s):
        rate, epsilon, decay, rest, raw, centred, momentum = c
        away = g - s[1]
        spread = decay * s[0] + raw * g * g + centred * away * away
        step = rate / (np.sqrt(spread) + epsilon)
        return momentum * (w - s[2]) - step * g, step, (spread, decay * s[1] + rest * g, w)


class Adadelta(NamedTuple):
    r"""Adadelta (Zeiler 2012, algorithm 1), with a rate, as PyTorch and optax have it; the paper's is 1.

    :math:`v \leftarrow \rho v + (1-\rho) g^2`, :math:`\delta = g \sqrt{u + \epsilon} / \sqrt{v + \epsilon}`,
    :math:`w \leftarrow w - \eta\,\delta`, :math:`u \leftarrow \rho u + (1-\rho)\,\delta^2`.
    Penalties and bounds take the step :math:`\eta \sqrt{u+\epsilon}/\sqrt{v+\epsilon}`, and what :math:`u` averages is
    the displacement that really happened, over the rate: without a penalty the same number.

    Parameters
    ----------
    rho : float, default 0.9
        Decay of the two running means; in [0, 1).
    epsilon : float, default 1e-6
        Added inside both roots: to squares of gradients and of displacements. It sizes the first moves.
    """

    rho: float = 0.9
    epsilon: float = 1e-6
    slots = 3
    slot_powers = (2, -2, "weight")
    scale_free = True
    limits = {"rho": BELOW_ONE, "epsilon": POSITIVE}

    def prepare(self, lr, t, carry):
        per_rate = 1.0 / carry[0] if t > 1 else 0.0 * lr  # carried is the rate of the step before
        return (lr, per_rate, self.epsilon, self.rho, 1.0 - self.rho), (lr, carry[1])

    def move(self, c, w, g, s):
        rate, per_rate, epsilon, rho, rest = c
        delta = per_rate * (w - s[2])
        v = rho * s[0] + rest * g * g
        u = rho * s[1] + rest * delta * delta
        step = rate * np.sqrt((u + epsilon) / (v + epsilon))
        return -step * g, step, (v, u, w)
