"""Written by ``python docs/tables.py``."""

from ._types import Number
from typing import Any, ClassVar, Literal, Self, TypeAlias

__all__ = ["Adadelta", "Adagrad", "Adam", "Adamax", "Adamw", "Amsgrad", "Lion", "Momentum", "Nadam", "Nesterov", "Radam", "Rmsprop", "Sgd", "Sgdw"]
_Name: TypeAlias = Literal["adadelta", "adagrad", "adam", "adamax", "adamw", "amsgrad", "lion", "momentum", "nadam", "nesterov", "radam", "rmsprop", "sgd", "sgdw"]

def __dir__() -> list[str]: ...

class _Part(tuple[Any, ...]):
    _fields: ClassVar[tuple[str, ...]]
    def _asdict(self) -> dict[str, Any]: ...
    def _replace(self, **fields: Any) -> Self: ...

class Adadelta(_Part):
    """Adadelta (Zeiler 2012, algorithm 1), with a rate, as PyTorch and optax have it; the paper's is 1.

    :math:`v \\leftarrow \\rho v + (1-\\rho) g^2`, :math:`\\delta = g \\sqrt{u + \\epsilon} / \\sqrt{v + \\epsilon}`,
    :math:`w \\leftarrow w - \\eta\\,\\delta`, :math:`u \\leftarrow \\rho u + (1-\\rho)\\,\\delta^2`.
    Penalties and bounds take the step :math:`\\eta \\sqrt{u+\\epsilon}/\\sqrt{v+\\epsilon}`, and what :math:`u` averages is
    the displacement that really happened, over the rate: without a penalty the same number.

    Parameters
    ----------
    rho : float, default 0.9
        Decay of the two running means; in [0, 1).
    epsilon : float, default 1e-6
        Added inside both roots: to squares of gradients and of displacements. It sizes the first moves.
    """
    rho: float
    epsilon: float
    def __new__(
        cls,
        rho: Number = 0.9,
        epsilon: Number = 1e-06,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Adagrad(_Part):
    """AdaGrad (Duchi, Hazan and Singer 2011, the diagonal composite mirror descent).

    :math:`s \\leftarrow s + g^2`, :math:`w \\leftarrow w - \\eta\\, g/(\\sqrt s + \\epsilon)`; penalties and bounds take each
    coordinate's own step :math:`\\eta/(\\sqrt s + \\epsilon)`, as the paper has it.

    The sum starts at 0, as in PyTorch (its ``lr_decay`` is a schedule here); in optax at 0.1, with epsilon in the root.

    Parameters
    ----------
    epsilon : float, default 1e-10
        Added to the root, in units of the gradient.
    """
    epsilon: float
    def __new__(
        cls,
        epsilon: Number = 1e-10,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Adam(_Part):
    """Adam (Kingma and Ba 2015, algorithm 1), with the paper's defaults.

    :math:`m \\leftarrow \\beta_1 m + (1-\\beta_1) g`, :math:`v \\leftarrow \\beta_2 v + (1-\\beta_2) g^2`,
    :math:`w \\leftarrow w - \\eta\\, \\hat m / (\\sqrt{\\hat v} + \\epsilon)` with
    :math:`\\hat m = m/(1-\\beta_1^t)` and :math:`\\hat v = v/(1-\\beta_2^t)`.
    A penalty or a bound is applied with each coordinate's own step :math:`\\eta/(\\sqrt{\\hat v}+\\epsilon)`.

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.999
        Decays of the two running means; in [0, 1).
    epsilon : float, default 1e-8
        Added to the root, in units of the gradient.
    """
    beta1: float
    beta2: float
    epsilon: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.999,
        epsilon: Number = 1e-08,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Adamax(_Part):
    """AdaMax (Kingma and Ba 2015, algorithm 2): :class:`Adam` by the largest gradient, not by the mean square.

    :math:`u \\leftarrow \\max(\\beta_2 u, |g| + \\epsilon)`, :math:`w \\leftarrow w - \\eta\\,\\hat m/u`, and :math:`\\hat m`
    as in :class:`Adam`; penalties and bounds take the step :math:`\\eta/u`.

    Epsilon is PyTorch's and optax's; the paper has none.

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.999
        Decays of the running mean and of the maximum; in [0, 1).
    epsilon : float, default 1e-8
        Added to the gradient's size.
    """
    beta1: float
    beta2: float
    epsilon: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.999,
        epsilon: Number = 1e-08,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Adamw(_Part):
    """AdamW: :class:`Adam` with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

    :math:`w \\leftarrow (1 - \\eta\\lambda)\\,w - \\eta\\,\\hat m/(\\sqrt{\\hat v} + \\epsilon)`, the decay times the rate as in
    PyTorch and optax; the intercept does not decay. The decay is apart from ``alpha`` and moves the optimum: without
    noise to that of :math:`|w_j| \\le 1/\\lambda` (Xie and Li 2024).

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    weight_decay : float, default 0.01
        :math:`\\lambda` (PyTorch's default; optax has 1e-4).
    """
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.999,
        epsilon: Number = 1e-08,
        weight_decay: Number = 0.01,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Amsgrad(_Part):
    """AMSGrad (Reddi, Kale and Kumar 2018) in PyTorch's form: :class:`Adam` that divides by the largest ``v`` so far.

    The maximum is over the raw :math:`v`, corrected afterwards by :math:`1/(1-\\beta_2^t)` of the present step; optax
    takes it over the corrected ones, the paper corrects nothing.

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    """
    beta1: float
    beta2: float
    epsilon: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.999,
        epsilon: Number = 1e-08,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Lion(_Part):
    """Lion (Chen et al. 2023, algorithm 2): moves of one size, against the sign of a mean.

    :math:`u = \\beta_1 m + (1-\\beta_1) g`, :math:`w \\leftarrow (1-\\eta\\lambda)\\,w - \\eta\\,\\mathrm{sign}(u)`,
    :math:`m \\leftarrow \\beta_2 m + (1-\\beta_2) g`, as in optax. Rates are 3 to 10 times smaller than Adam's. The
    intercept does not decay.

    Penalties and bounds take the step :math:`\\eta/\\hat a`, where :math:`\\hat a` is the running mean of :math:`|u|`
    (decay :math:`\\beta_1`, corrected as Adam's): at rest the move is that step against the gradient, so the penalised
    optimum is reached, as rates fall. (With :math:`\\eta/|u|` the step explodes where :math:`u` changes its sign. A
    mean as slow as :math:`\\beta_2` lags: with L1 at a rate of 0.03 the weights cycled 0.8 from the optimum, not 5e-4.)

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.99
        The share of the running mean in the move, and its decay; in [0, 1).
    weight_decay : float, default 0.0
        :math:`\\lambda`, apart from ``alpha`` (optax has 1e-3). Without noise it moves the optimum to that of
        :math:`|w_j| \\le 1/\\lambda` (Chen, Liu, Liang and Liu 2024).
    """
    beta1: float
    beta2: float
    weight_decay: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.99,
        weight_decay: Number = 0.0,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Momentum(_Part):
    """Classical momentum (Polyak 1964): :math:`v \\leftarrow \\beta v - \\eta g,\\; w \\leftarrow w + v`.

    The slot holds the weight before the last step, so the velocity is the displacement that really happened. With
    the velocity of the textbook stored instead, a penalty or a bound never reached its optimum (off by 0.15 to 0.25);
    without a penalty the two are the same numbers.

    Parameters
    ----------
    beta : float, default 0.9
        How much of the last displacement is kept; 0 <= beta < 1.
    """
    beta: float
    def __new__(
        cls,
        beta: Number = 0.9,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Nadam(_Part):
    """NAdam: :class:`Adam` with Nesterov's momentum (Dozat 2016), as PyTorch has it.

    With :math:`\\mu_t = \\beta_1 (1 - \\tfrac12\\, 0.96^{t\\psi})`,
    :math:`w \\leftarrow w - \\eta\\, (\\frac{1-\\mu_t}{1-\\prod_{i\\le t}\\mu_i}\\, g +
    \\frac{\\mu_{t+1}}{1-\\prod_{i\\le t+1}\\mu_i}\\, m) / (\\sqrt{\\hat v} + \\epsilon)`, and :math:`m`, :math:`\\hat v` as
    in :class:`Adam`. A penalty takes the coordinate's step times the sum of the two shares.

    optax has no schedule of momenta: :math:`\\mu_t = \\beta_1`, which a large ``momentum_decay`` gives here too.

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    momentum_decay : float, default 0.004
        :math:`\\psi`, how fast :math:`\\mu_t` rises from half of ``beta1`` to ``beta1``.
    """
    beta1: float
    beta2: float
    epsilon: float
    momentum_decay: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.999,
        epsilon: Number = 1e-08,
        momentum_decay: Number = 0.004,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Nesterov(_Part):
    """Nesterov's momentum (Sutskever et al. 2013, as PyTorch and optax write it).

    :math:`v \\leftarrow \\beta v - \\eta g,\\; w \\leftarrow w + \\beta v - \\eta g`. Here it is
    :math:`w \\leftarrow w + \\beta (\\Delta w + \\eta' g') - (1+\\beta)\\,\\eta g`, where :math:`\\Delta w` is the last
    displacement and :math:`\\eta' g'` the last plain step: the same numbers without a penalty, and with one its optimum
    (see :class:`Momentum`).

    PyTorch keeps the rate out of the velocity: where the rate changes, its paths differ from these.

    Parameters
    ----------
    beta : float, default 0.9
        How much of the velocity is kept; 0 <= beta < 1.
    """
    beta: float
    def __new__(
        cls,
        beta: Number = 0.9,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Radam(_Part):
    """RAdam, rectified :class:`Adam` (Liu et al. 2020, algorithm 2), as PyTorch has it.

    With :math:`\\rho_\\infty = 2/(1-\\beta_2) - 1` and :math:`\\rho_t = \\rho_\\infty - 2t\\beta_2^t/(1-\\beta_2^t)`: while
    :math:`\\rho_t \\le 5`, :math:`w \\leftarrow w - \\eta\\,\\hat m`; afterwards :math:`w \\leftarrow w - \\eta\\, r_t\\, \\hat m
    \\sqrt{1-\\beta_2^t} / (\\sqrt v + \\epsilon)` with :math:`r_t^2 = \\frac{(\\rho_t-4)(\\rho_t-2)\\rho_\\infty}
    {(\\rho_\\infty-4)(\\rho_\\infty-2)\\rho_t}`.

    The threshold is the paper's 4 in the paper, 5 in its code, PyTorch and optax; epsilon is added to the root of the
    raw :math:`v` as in PyTorch (optax: of the corrected one; none in the paper).

    Parameters
    ----------
    beta1, beta2, epsilon : float, default 0.9, 0.999 and 1e-8
        As for :class:`Adam`.
    """
    beta1: float
    beta2: float
    epsilon: float
    def __new__(
        cls,
        beta1: Number = 0.9,
        beta2: Number = 0.999,
        epsilon: Number = 1e-08,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Rmsprop(_Part):
    """RMSprop (Tieleman and Hinton 2012), centred and with momentum where asked for (Graves 2013).

    :math:`v \\leftarrow \\rho v + (1-\\rho) g^2`, :math:`m \\leftarrow \\rho m + (1-\\rho) g`,
    :math:`w \\leftarrow w + \\mu\\,\\Delta w - \\eta\\, g/(\\sqrt{v - c\\,m^2} + \\epsilon)`, where :math:`\\Delta w` is the last
    displacement. Means start at 0 without correction, as in the sources.

    The slot holds :math:`S = v - c\\,m^2` itself, by :math:`S \\leftarrow \\rho S + (1-\\rho)((1-c)\\,g^2 +
    c\\,\\rho\\,(g-m)^2)`: the same number, never below 0 and without the difference's cancellation.

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
    decay: float
    epsilon: float
    momentum: float
    centred: float
    def __new__(
        cls,
        decay: Number = 0.9,
        epsilon: Number = 1e-08,
        momentum: Number = 0.0,
        centred: Number = 0.0,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Sgd(_Part):
    """Plain gradient descent, :math:`w \\leftarrow w - \\eta g` (stochastic when the batch is a part of the data).

    Parameters
    ----------
    factor : float, default 1.0
        Multiplies the learning rate.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...

class Sgdw(_Part):
    """SGD with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 1, with PyTorch's rate in the decay).

    :math:`w \\leftarrow (1 - \\eta\\lambda)\\,w - \\eta g`, the decay at most the whole weight; the intercept does not
    decay. The same numbers as plain gradient steps on the loss plus :math:`\\frac\\lambda2 |w|^2`: so scikit-learn's SGD
    takes them. ``alpha`` with :class:`Sgd` reaches the same optimum by proximal steps, which no rate makes unstable.

    Parameters
    ----------
    weight_decay : float, default 0.01
        :math:`\\lambda`.
    """
    weight_decay: float
    def __new__(
        cls,
        weight_decay: Number = 0.01,
    ) -> Self: ...
    def prepare(self, lr: Any, t: Any, carry: Any) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any) -> Any: ...
