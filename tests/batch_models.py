"""Functions of parameters and a batch, plain and compiled once a process, that tests of minimize over data share."""

import numba
import numpy as np
from conftest import JIT_OFF

import fastgd
from fastgd import reference

RNG = np.random.default_rng(11)
N, D = 37, 3
X = RNG.standard_normal((N, D))
Y = 0.7 + X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(N)
X0 = {"w": np.zeros(D), "b": 0.0}
TIMES = ("seconds",)  # of a history


def linear(p, X, y):
    """Half the mean of squared errors, as fit has it."""
    w, b, total = p["w"], p["b"], 0.0
    for i in range(y.size):
        score = b
        for j in range(w.size):
            score += X[i, j] * w[j]
        total += (score - y[i]) ** 2
    return total / (2 * y.size)


def linear_grad(p, X, y):
    w, b = p["w"], p["b"]
    of_w, of_b = np.zeros(w.size), 0.0
    for i in range(y.size):
        score = b
        for j in range(w.size):
            score += X[i, j] * w[j]
        residual = (score - y[i]) / y.size
        of_b += residual
        for j in range(w.size):
            of_w[j] += residual * X[i, j]
    return {"w": of_w, "b": of_b}


LINEAR, LINEAR_GRAD = numba.njit(linear), numba.njit(linear_grad)


def quadratic(x, rows):
    """The mean over rows of half the squared distance of a vector from them: its optimum is the mean."""
    total = 0.0
    for i in range(rows.shape[0]):
        for j in range(x.size):
            total += (x[j] - rows[i, j]) ** 2
    return total / (2 * rows.shape[0])


def quadratic_grad(x, rows):
    gradient = np.zeros(x.size)
    for i in range(rows.shape[0]):
        for j in range(x.size):
            gradient[j] += (x[j] - rows[i, j]) / rows.shape[0]
    return gradient


QUADRATIC, QUADRATIC_GRAD = numba.njit(quadratic), numba.njit(quadratic_grad)


def flat(x):
    """All numbers of parameters, one behind another."""
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        return np.concatenate([flat(item) for item in x]) if x else np.zeros(0)
    return np.ravel(x)


def facts(o, bits=False):
    """What two results have in common: words and counts, and the numbers, each with its name."""
    numbers = {"x": flat(o.x), "jac": flat(o.jac), "fun": o.fun}
    numbers |= {name: value for name, value in vars(o.history).items() if name not in TIMES}
    if bits:
        numbers |= {name: value for name, value in vars(o.state).items() if isinstance(value, np.ndarray)}
        numbers["records"] = o.state.records[:, :3]
    return (o.status, o.nit, o.n_epochs), numbers


def same(found, expected, rtol=0.0, atol=0.0):
    """Assert that two results are the same: to the bit, with the states, where no tolerance is given."""
    bits = rtol == 0.0
    (words, numbers), (others, expected) = facts(found, bits), facts(expected, bits)
    assert words == others
    for name, value in numbers.items():
        np.testing.assert_allclose(value, expected[name], rtol=rtol, atol=atol, err_msg=name)


def thrice(fun, grad, x0, data, rtol=1e-11, atol=1e-11, modes=("compiled", "reference"), **options):
    """The result with plain functions, which agrees with that of compiled ones and the reference's.

    ``fun`` and ``grad`` are compiled ones.
    """
    plain = [getattr(function, "py_func", function) for function in (fun, grad)]
    o = fastgd.minimize(plain[0], x0, plain[1], data=data, **options)
    if "compiled" in modes and not JIT_OFF:
        same(fastgd.minimize(fun, x0, grad, data=data, **options), o, rtol, atol)
    if "reference" in modes:
        same(reference.minimize(plain[0], x0, plain[1], data=data, **options), o, rtol, atol)
    return o


def linear_thrice(data=(X, Y), x0=X0, **options):
    """``thrice`` of the linear model."""
    return thrice(LINEAR, LINEAR_GRAD, x0, data, **{"random_state": 3, "batch_size": 8, "epochs": 4, **options})
