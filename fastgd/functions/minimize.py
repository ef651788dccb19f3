"""``minimize``: gradient descent on a user's own function, in Python or, on compiled functions, in one kernel."""

from dataclasses import dataclass

from ..inputs import arguments
from ..parts import optimizers, schedules
from .problem import Problem
from .python_loop import run_all


def minimize(
    fun,
    x0,
    grad=None,
    optimizer="sgd",
    learning_rate=0.1,
    max_iter=100,
    tol=None,
    history=True,
    compile=False,
    callback=None,
    verbose=0,
):
    r"""Minimise a function by gradient descent.

    Parameters
    ----------
    fun : callable
        Of a float where ``x0`` is a number, else of a float64 array (d,); returns one real number. Functions made by
        ``numba.njit`` run compiled, where ``grad`` is one too or None; plain functions run in Python.
    x0 : float or array-like (d,)
        The start; finite.
    grad : callable or None, default None
        The gradient: a number, or d numbers in an array or any sequence. None takes central differences of step
        ``cbrt(eps) * max(1, |x_j|)``, 2d evaluations of ``fun`` an iteration.
    optimizer : str or part, default "sgd"
        "sgd", "momentum", "adam", or e.g. ``fastgd.optimizers.Adam(beta1=0.8)``.
    learning_rate : float, str or part, default 0.1
        A number is constant; ``fastgd.schedules.InverseScaling(0.1, power=0.5)`` falls. Durations of schedules are in
        iterations; 0 is the rest of ``max_iter``.
    max_iter : int, default 100
        Exactly so many iterations, unless ``tol``, the callback, Ctrl-C or a value that is not finite ends the run.
    tol : float or None, default None
        End once no entry of the gradient is larger than this in size, which is looked at before each step.
    history : bool, default True
        Record ``x`` and ``fun`` at the start and after each iteration.
    compile : bool, default False
        Compile plain Python functions (``numba.njit``) for this call: 1 to 2 s, for runs longer than that. The
        functions' globals are constants then. To compile once for many calls, decorate them with ``numba.njit``.
    callback : callable or None, default None
        Called with an object of ``nit``, ``x``, ``fun`` and ``run`` (0) after each iteration; in compiled runs between
        slices of about 20 ms. A true answer ends the run.
    verbose : int, default 0
        1 shows a progress bar (tqdm).

    Returns
    -------
    MinimizeResult
        ``x``, ``fun``, ``jac``, ``nit``, ``success``, ``status``, ``message``, ``history.x``, ``history.fun``. ``x``
        and ``jac`` are floats where ``x0`` is a number.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Notes
    -----
    The status is

    - "converged" (the only success): ``tol`` was met; or at the end no entry of the gradient was larger than 1e-8 times
      max(1, the largest at the start): zero to rounding.
    - "max_iter": all iterations are done, and neither of the above.
    - "diverged": ``fun``, the gradient or ``x`` became infinite or NaN (an ``OverflowError`` or ``ZeroDivisionError``
      of the functions counts as that), or ``fun`` ended above its start. ``x`` is the last point where it and ``fun``
      were finite.
    - "early_stopped": the callback said so.
    - "interrupted": Ctrl-C.

    Compiled runs without a history read ``fun`` every 1024 steps and, should it not be finite there, take those steps
    again one by one. So they end where a run that reads it at each step ends, unless ``fun`` was infinite or NaN on the
    way alone.

    Examples
    --------
    >>> import fastgd
    >>> o = fastgd.minimize(lambda x: (x - 3) ** 2 + 1, 10.0, lambda x: 2 * (x - 3), max_iter=30)
    >>> round(o.x, 4), round(o.fun, 4), o.status
    (3.0087, 1.0001, 'max_iter')
    >>> o.history.x[:3].round(2)
    array([10.  ,  8.6 ,  7.48])
    >>> o = fastgd.minimize(lambda x: x @ x, [1.0, 2.0], lambda x: 2 * x, tol=1e-6)
    >>> o.status, o.success, o.nit
    ('converged', True, 69)
    """
    limits = Limits.checked(max_iter, tol, history, callback, verbose)
    rule = Rule.checked(optimizer, learning_rate, limits.max_iter)
    return run_all(Problem.checked(fun, x0, grad, compile), [rule], limits)[0]


@dataclass(frozen=True)
class Rule:
    """How one run steps."""

    optimizer: object
    schedule: object

    @classmethod
    def checked(cls, optimizer, learning_rate, max_iter):
        schedule = arguments.schedule("learning_rate", learning_rate)
        if schedules.watched(schedule) is not None:
            raise ValueError(
                f"learning_rate={schedule!r} watches the epochs of a fit, and minimize has none: take another schedule."
            )
        schedule = schedules.in_steps(schedule, steps_per_epoch=1, epochs=max_iter)
        return cls(arguments.part("optimizer", optimizer, optimizers), schedule)

    def rates(self, first, count):
        """The rates (count,) of the steps ``first + 1`` on."""
        return schedules.rates(self.schedule, first, count)


@dataclass(frozen=True)
class Limits:
    """When a run ends, and what is told on the way."""

    max_iter: int
    tol: float | None
    history: bool
    callback: object
    verbose: int

    @classmethod
    def checked(cls, max_iter, tol, history, callback, verbose):
        return cls(
            max_iter=arguments.whole("max_iter", max_iter, low=0),
            tol=None if tol is None else arguments.number("tol", tol, low=0.0),
            history=arguments.truth("history", history),
            callback=arguments.callback(callback),
            verbose=arguments.verbosity(verbose),
        )
