"""The same calls in plain NumPy, plain enough to check by eye: what the compiled kernels must agree with.

Options are checked and every "auto" is resolved by the code that :func:`fastgd.fit` uses; the arithmetic is that of
``solvers/textbook.py``.
"""

import inspect

import numpy as np

from .functions.batch_minimize import minimize_batches
from .functions.batch_textbook import TextbookRun
from .functions.gradient_check import check_gradient
from .functions.minimize import minimize as compiled_minimize
from .functions.minimize import need_data
from .functions.problem import one_gradient
from .functions.run import Limits, RunSettings
from .inputs.options import only_known
from .linear.fit import fit as compiled_fit
from .linear.fit import fit_by
from .linear.lr_find import NOT_RANGE, lr_find_by, lr_find_of_function, no_gradient
from .linear.lr_find import lr_find as compiled_lr_find
from .linear.sweep import NOT_SWEEP, sweep_by
from .linear.sweep import sweep as compiled_sweep
from .parts.optimizers import decayed
from .parts.registry import unknown_option
from .results.minimize_result import MinimizeHistory, MinimizeResult
from .solvers.textbook import NUMPY
from .wording import count

__all__ = ["fit", "lr_find", "minimize", "sweep"]


def __dir__():
    return __all__


def fit(X, y=None, **options):
    """:func:`fastgd.fit` in plain NumPy: the same arguments, meaning and result.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import reference
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> r = reference.fit(X, np.array([1.0, 3.0, 5.0, 7.0]))
    >>> r.coef.round(3), round(r.intercept, 3)
    (array([2.]), 1.0)
    """
    return fit_by(NUMPY, X, y, options)


def sweep(X, y=None, *, product=True, cv=None, groups=None, scoring=None, refit=False, keep=None, **options):
    """:func:`fastgd.sweep` in plain NumPy: the same arguments, meaning and result.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import reference
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> s = reference.sweep(X, np.array([1.0, 3.0, 5.0, 7.0]), learning_rate=[0.1, 10.0], epochs=100)
    >>> s.status
    ['max_epochs', 'diverged']
    """
    only_known(sweep, options, NOT_SWEEP)
    return sweep_by(NUMPY, X, y, options, product, cv, groups, scoring, refit, keep)


def lr_find(X, y=None, grad=None, *, start="auto", stop="auto", num=100, **fit_options):
    """:func:`fastgd.lr_find` in plain NumPy: the same arguments, meaning and result.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import reference
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> f = reference.lr_find(X, np.array([1.0, 3.0, 5.0, 7.0]))
    >>> f.status, 0.01 < f.suggestion() < 0.5
    ('found', True)
    """
    if callable(X):
        fun, grad = (getattr(function, "py_func", function) for function in (X, grad))
        return lr_find_of_function(fun, y, grad, start, stop, num, fit_options, TextbookRun)
    no_gradient(grad)
    only_known(lr_find, fit_options, NOT_RANGE)
    return lr_find_by(NUMPY, X, y, start, stop, num, fit_options)


for _here, _there in ((fit, compiled_fit), (sweep, compiled_sweep), (lr_find, compiled_lr_find)):
    _here.__signature__ = inspect.signature(_there)


def minimize(fun, x0, grad=None, **options):
    """:func:`fastgd.minimize` in plain NumPy, without compile, callback, verbose and resume: the shortest loop.

    Examples
    --------
    >>> from fastgd import reference
    >>> o = reference.minimize(lambda x: (x - 3) ** 2 + 1, 10.0, lambda x: 2 * (x - 3), max_iter=30)
    >>> round(o.x, 4), round(o.fun, 4), o.status
    (3.0087, 1.0001, 'max_iter')
    """
    given = {name: known.default for name, known in OF_MINIMIZE.items()} | options
    for name in options:
        if name not in OF_MINIMIZE:
            raise unknown_option("minimize", name, list(OF_MINIMIZE))
    data, optimizer, learning_rate, max_iter, tol, history = (
        given.pop(name) for name in ("data", "optimizer", "learning_rate", "max_iter", "tol", "history")
    )
    if data is not None:
        limits = Limits.checked(max_iter, tol, history, None, 0)
        point = {"optimizer": optimizer, "learning_rate": learning_rate}
        fun, grad = (getattr(function, "py_func", function) for function in (fun, grad))
        return minimize_batches(fun, x0, grad, data, {**given, "compile": False}, [point], limits, kind=TextbookRun)[0]
    need_data(given)
    max_iter, jac = 100 if max_iter is None else max_iter, given["jac"]
    _, grad = one_gradient(grad, jac)
    settings = RunSettings.checked(optimizer, learning_rate, max_iter)
    optimizer, x = settings.optimizer, np.array(x0, float)
    if grad is True:
        both = fun
        fun, grad = (lambda x: both(x)[0]), (lambda x: both(x)[1])

    def user(x):
        return x[()] if x.ndim == 0 else x.copy()  # NumPy's numbers overflow to infinity, Python's raise

    def gradient(x):
        g = differences(lambda z: fun(user(z)), x) if grad is None else grad(user(x))
        return np.asarray(g, float)

    value, g = float(fun(user(x))), gradient(x)
    if given["check_gradient"] and grad is not None:
        leaves = [("x", 0, x.size)]
        check_gradient("grad", lambda z: float(fun(user(z.reshape(x.shape)))), value, g.ravel(), x.ravel(), leaves)
    xs, values, slots, carry = [x], [value], (0.0 * x,) * optimizer.slots, (1.0, 1.0)
    zero, status = 1e-8 * max(1.0, np.abs(g).max()), "max_iter"
    with np.errstate(all="ignore"):
        for t in range(1, max_iter + 1):
            if tol is not None and np.abs(g).max() <= tol:
                break
            c, carry = optimizer.prepare(float(settings.rates(t - 1, 1)[0]), t, carry)
            change, _, slots = optimizer.move(c, x, g, slots)
            after = decayed(optimizer, c, x) + change
            value = float(fun(user(after)))
            if not np.isfinite(value + np.sum(after)):
                status = "diverged"
                break
            x = after
            g = gradient(x)
            xs.append(x)
            values.append(value)
    if values[-1] > values[0] + 1e-12 * abs(values[0]):
        status = "diverged"
    elif status == "max_iter" and np.abs(g).max() <= max(zero, tol or 0.0):
        status = "converged"
    course = MinimizeHistory(np.array(xs), np.array(values)) if history else None
    x, g = (float(a) if a.ndim == 0 else a for a in (x, g))
    return MinimizeResult(x, values[-1], g, len(xs) - 1, status, f"After {count(len(xs) - 1, 'iteration')}.", course)


def differences(f, x):
    """Central differences of ``f``, one coordinate at a time."""
    steps = np.cbrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(x))
    columns = np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + h * e) - f(x - h * e)) / (2 * h) for h, e in zip(np.atleast_1d(steps), columns, strict=True)]
    return np.reshape(slopes, x.shape)


_OURS = {"compile", "callback", "verbose", "resume"}  # of compiled runs, or of what is shown
_KNOWN = [known for name, known in inspect.signature(compiled_minimize).parameters.items() if name not in _OURS]
OF_MINIMIZE = {known.name: known for known in _KNOWN if known.kind is known.KEYWORD_ONLY}
minimize.__signature__ = inspect.Signature(_KNOWN)
