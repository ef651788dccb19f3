"""Plain gradient descent, with and without weight decay, and its steps of single rows as scikit-learn takes them."""

from typing import NamedTuple

TINY = 1e-30  # keeps a quotient finite, in float32 too; far below any gradient
STEEPEST = 1e12  # scikit-learn's bound of a slope: huge rates on unscaled columns stay finite


class Sgd(NamedTuple):
    r"""Plain gradient descent, :math:`w \leftarrow w - \eta g` (stochastic when the batch is a part of the data).

    Parameters
    ----------
    factor : float, default 1.0
        Multiplies the learning rate.
    """

    factor: float = 1.0
    plain = True
    zero_gradient = "sgd"

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
    plain = True
    zero_gradient = "sgd"
    move = Sgd.move

    def prepare(self, lr, t, carry):
        return (lr, min(lr * self.weight_decay, 1.0)), carry


# Steps of single rows: what replaces the slope depends on the loss and the length of the row, too. Only the estimators
# use these classes, so they have no string names.


class ClippedSgdw(Sgdw):
    """:class:`Sgdw` whose slopes are clipped."""

    by_row = True

    def row_slope(self, rate, slope, value, square):
        return min(max(slope, -STEEPEST), STEEPEST)


class PassiveAggressive1(ClippedSgdw):
    r"""The step :math:`\min(C, L/|x|^2)` against the sign of the slope (PA-I of Crammer et al. 2006); the rate is C."""

    def row_slope(self, rate, slope, value, square):
        return slope * min(value / max(rate * square, TINY), 1.0) * (square > 0.0)


class PassiveAggressive2(ClippedSgdw):
    r"""The step :math:`L/(|x|^2 + 1/(2C))` against the sign of the slope (PA-II of the same); the rate is C."""

    def row_slope(self, rate, slope, value, square):
        return slope * (value / (rate * square + 0.5)) * (square > 0.0)
