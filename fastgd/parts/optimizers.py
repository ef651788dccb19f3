"""Optimizers: one small class each, the rule that turns a gradient into a move of one weight.

``slots`` is the number of state values a weight carries. ``prepare(lr, t, carry)`` runs once a step in float64: it
returns the coefficients of the rule, everything that depends on the step number alone, and two running numbers
``carry`` that start at 1 (products of decays; ``beta**t`` inside the rule made Adam 15 to 30 times slower).
``move(c, w, g, s)`` is the elementwise rule in the data's own type: it returns the change of the weight, the size of
the proximal step that L1, L2 and bounds take after it, and the new state. No literal and no power belongs in it (a
float64 literal runs float32 data at float64's speed). Steps count from ``t = 1``; state starts at zero.

What else there is to know of an optimizer are its traits, with the usual values in ``TRAITS``. For automatic rates,
``scale_free`` says that moves do not grow with the gradient, ``fades`` that they shrink by themselves, and ``damping``
is the share of the curvature's rate that is safe on batches. ``decays`` says that the last coefficient is the share of
every weight, but the intercept, that goes at each step (decoupled weight decay: the kernel takes it off before it adds
the change). ``by_row`` says that steps of single rows ask ``row_slope(rate, slope, value, square)`` first, in float64:
what stands in for the loss's slope at a row whose loss is ``value`` and whose squared length is ``square``. The losses
met are then those of rows as they are, unweighted. ``limits`` says which values a field may have, where not all from 0
on.

The step must be above 0 and finite, and for a penalised optimum to be reached the change at rest (weights and gradient
constant) must be ``-step * g``: a velocity is the displacement that really happened, a divisor also divides the step.

To add an optimizer, write one class here: its name in ``snake_case`` becomes its string name.

Examples
--------
>>> from fastgd import optimizers, reference
>>> o = reference.minimize(lambda x: (x - 3) ** 2, 0.0, optimizer=optimizers.Nesterov(0.5), max_iter=50)
>>> round(o.x, 1), optimizers.Adamw(weight_decay=0.1)
(3.0, Adamw(beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.1))
"""

from typing import NamedTuple

import numpy as np

from .elementary import exp
from .registry import BELOW_ONE, POSITIVE, catalogue

LOG_096 = float(np.log(0.96))  # of Nadam's momenta
TINY = 1e-30  # keeps a quotient finite, in float32 too; far below any gradient


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


class Sgdw(NamedTuple):
    r"""SGD with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 1, with PyTorch's rate in the decay).

    :math:`w \leftarrow (1 - \eta\lambda)\,w - \eta g`, the decay at most the whole weight; the intercept does not
    decay. The same numbers as plain gradient steps on the loss plus :math:`\frac\lambda2 |w|^2`: so scikit-learn's SGD
    takes them. ``alpha`` with :class:`Sgd` reaches the same optimum by proximal steps, which no rate makes unstable.

    Parameters
    ----------
    weight_decay : float, default 0.01
        :math:`\lambda`.
    """

    weight_decay: float = 0.01
    decays = True
    move = Sgd.move

    def prepare(self, lr, t, carry):
        return (lr, min(lr * self.weight_decay, 1.0)), carry


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


class Nesterov(NamedTuple):
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

    beta: float = 0.9
    slots = 2
    limits = {"beta": BELOW_ONE}

    @property
    def damping(self):
        return 1.0 - self.beta

    def prepare(self, lr, t, carry):
        last = self.beta * carry[0] if t > 1 else 0.0 * self.beta  # carried is the rate of the step before
        now = (1.0 + self.beta) * lr
        # At rest the change is (now - last) * g, so that is the step; a rate that falls by more than half at once makes
        # it too small or negative for that one step.
        step = max(now - last, (1.0 - self.beta) * lr)
        return (step, self.beta if t > 1 else 0.0 * self.beta, last, now), (lr, carry[1])

    def move(self, c, w, g, s):
        return c[1] * (w - s[0]) + c[2] * s[1] - c[3] * g, c[0], (w, g)


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
    scale_free = True
    fades = True
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
    scale_free = True
    decays = True
    limits = Adam.limits
    move = Adam.move

    def prepare(self, lr, t, carry):
        c, carry = Adam(self.beta1, self.beta2, self.epsilon).prepare(lr, t, carry)
        return (*c, lr * self.weight_decay), carry


class Amsgrad(NamedTuple):
    r"""AMSGrad (Reddi, Kale and Kumar 2018) in PyTorch's form: :class:`Adam` that divides by the largest ``v`` so far.

    The maximum is over the raw :math:`v`, corrected afterwards by :math:`1/(1-\beta_2^t)` of the present step; optax
    takes it over the corrected ones, the paper corrects nothing.

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots = 3
    scale_free = True
    limits = Adam.limits
    prepare = Adam.prepare

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


class Radam(NamedTuple):
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

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots = 2
    scale_free = True
    limits = Adam.limits

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


class Adamax(NamedTuple):
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

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots = 2
    scale_free = True
    limits = Adam.limits

    def prepare(self, lr, t, carry):
        power = carry[0] * self.beta1
        return (lr, 1.0 / (1.0 - power), self.epsilon, self.beta1, 1.0 - self.beta1, self.beta2), (power, carry[1])

    def move(self, c, w, g, s):
        rate, correction, epsilon, beta1, rest1, beta2 = c
        m = beta1 * s[0] + rest1 * g
        u = np.maximum(beta2 * s[1], np.abs(g) + epsilon)
        step = rate / u
        return -step * (m * correction), step, (m, u)


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


# Steps of single rows, as scikit-learn takes them: what a row pulls with depends on more than the loss's slope --------

STEEPEST = 1e12  # scikit-learn's bound of a slope: huge rates on unscaled columns stay finite


class ClippedSgdw(NamedTuple):
    """:class:`Sgdw` whose slopes are clipped."""

    weight_decay: float = 0.0
    decays = True
    by_row = True
    prepare = Sgdw.prepare
    move = Sgdw.move

    def row_slope(self, rate, slope, value, square):
        return min(max(slope, -STEEPEST), STEEPEST)


class PassiveAggressive1(NamedTuple):
    r"""The step :math:`\min(C, L/|x|^2)` against the sign of the slope (PA-I of Crammer et al. 2006); the rate is C."""

    weight_decay: float = 0.0
    decays = True
    by_row = True
    prepare = Sgdw.prepare
    move = Sgdw.move

    def row_slope(self, rate, slope, value, square):
        return slope * min(value / max(rate * square, TINY), 1.0) * (square > 0.0)


class PassiveAggressive2(NamedTuple):
    r"""The step :math:`L/(|x|^2 + 1/(2C))` against the sign of the slope (PA-II of the same); the rate is C."""

    weight_decay: float = 0.0
    decays = True
    by_row = True
    prepare = Sgdw.prepare
    move = Sgdw.move

    def row_slope(self, rate, slope, value, square):
        return slope * (value / (rate * square + 0.5)) * (square > 0.0)


TRAITS = {
    "slots": 0,
    "scale_free": False,
    "fades": False,
    "damping": 1.0,
    "decays": False,
    "by_row": False,
    "limits": {},
}

BY_ROW = ClippedSgdw, PassiveAggressive1, PassiveAggressive2  # known to the estimators alone
__all__ = [name for name in catalogue(globals(), ("move",), TRAITS) if not globals()[name].by_row]
