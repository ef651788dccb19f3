"""What ``minimize`` over data says of arguments that are none: the argument, what was given, and what to do."""

import numpy as np
import pytest
import scipy.sparse as sp
from batch_models import X0, N, X, Y, linear, linear_grad
from conftest import diverges

import fastgd
from fastgd import optimizers, schedules

GIVEN = {"data": (X, Y), "batch_size": 8, "epochs": 1, "random_state": 0}
NAMES = np.array(["a", "b"] * N)[:N]


def call(fun=linear, x0=X0, grad=linear_grad, **options):
    return fastgd.minimize(fun, x0, grad, **{**GIVEN, **options})


def said(words, **options):
    """Assert that a call is an error whose message begins with words."""
    for function in (fastgd.minimize, fastgd.minimize_sweep, fastgd.lr_find):
        given = {**GIVEN, "fun": linear, "x0": X0, "grad": linear_grad, **options}
        positional = [given.pop(name) for name in ("fun", "x0", "grad")]
        if function is fastgd.lr_find:
            if options.keys() & {"epochs", "average", "validation", "patience", "learning_rate", "max_iter", "tol"}:
                continue
            given.pop("epochs")
        if function is fastgd.minimize_sweep and options.keys() & {"alpha", "learning_rate", "optimizer"}:
            continue
        with pytest.raises((ValueError, TypeError)) as error:
            function(*positional, **given)
        assert str(error.value).startswith(words), error.value


DATA = {
    "data is empty: pass a tuple of arrays, data=(X, y)": [(), []],
    "data has no rows": [X[:0], (X[:0], Y[:0])],
    "data is a single number: an array with a row for each observation": [3.0, np.array(1.0)],
    "data[1]=None must be an array whose first axis is rows": [(X, None)],
    "data='abc' must be an array": ["abc"],
    "data={'X': 1} must be an array": [{"X": 1}],
    "data=<function": [linear, fastgd.sources.npy],
    "data is a generator, whose values come one by one: pass list(data)": [(row for row in X)],
    "data[0] is a set": [({1.0}, Y)],
    "The arrays of data have [37, 5] rows: they must have as many as each other": [(X, Y[:5])],
    "data[1] holds objects that are not numbers": [(X, NAMES.astype(object))],
    "data[1] has dtype <U1, but must hold real numbers": [(X, NAMES)],
    "data[1] has dtype complex128, but must hold real numbers": [(X, Y * 1j)],
    "data[1] is a masked array": [(X, np.ma.masked_array(Y, Y > 0))],
    "data[0] is a sparse matrix: batches are arrays; pass data[0].toarray()": [(sp.csr_array(X), Y)],
    "data[1] holds a number that overflows float64": [(X, [10**400] * N)],
}


@pytest.mark.parametrize("words", DATA)
def test_data(words):
    for data in DATA[words]:
        said(words, data=data)


def test_parameters_and_functions():
    for words, x0 in (
        ("x0=None must be a number, an array, or a dict, list or tuple", None),
        ("x0['w'][1] is NaN or infinite: the start must be finite", {"w": [0.0, np.nan], "b": 0.0}),
        ("x0 is empty: at least one number is needed", {}),
        ("x0 has dtype complex128", 1j),
        ("x0 has the key 1: names of parameters must be strings", {1: 2.0}),
        ("x0 holds a number that overflows float64", 10**400),
    ):
        said(words, x0=x0)
    with pytest.raises(TypeError, match="fun=3 must be callable"):
        call(fun=3)
    said("grad='a' must be callable, True where fun returns (value, gradient), or None", grad="a")
    said("grad and jac are two names of one argument", jac=linear_grad)
    said("fun returned <generator object", fun=lambda p, X, y: (one for one in y))


OPTIONS = {
    "batch_size": [0, -1, 1.5, 0.5, "a", True, np.nan, [8], 2**63],
    "epochs": [-1, 1.5, "a", True, np.nan, [1]],
    "shuffle": [None, 1, "x", 0, ["block"]],
    "alpha": [-1, np.nan, np.inf, "a", None, [0.1]],
    "l1_ratio": [-1, 2, np.nan, None, [0.0, 1.0]],
    "penalty_factor": [-1, np.nan, np.inf, "a", {"w": 1}, {"w": [1, 2], "b": 0}, [1, 2], {"w": "a", "b": 0}],
    "bounds": [1, (1, 0), (0, np.nan), ("a", 1), (0,), (0, 1, 2), ({"w": 0}, 1), (np.inf, np.inf), "ab", np.zeros(2),
               ({"w": [0, 0], "b": 0}, 1), (-np.inf, -np.inf)],
    "average": [0, -1, 1.5, "a", [True]],
    "clip_norm": [0, -1, np.nan, np.inf, "a", [1.0]],
    "patience": [0, 1.5, None, "a"],
    "optimizer": [None, "x", 3, optimizers.Adam, ["sgd"]],
    "learning_rate": [0, -1, np.nan, "a", None, [0.1], schedules.Optimal()],
    "random_state": [-1, 1.5, "a", 2**70],
    "max_iter": [-1, 1.5, "a", True],
    "tol": [-1, np.nan, "a"],
    "check_gradient": [1, None],
    "compile": [1, None, "a"],
    "verbose": [-2, None, "a"],
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    for value in OPTIONS[name]:
        said(name, **{name: value})


def test_an_option_of_data_needs_data():
    given = {"batch_size": 8, "epochs": 3, "shuffle": False, "validation": 0.1, "patience": 3, "clip_norm": 1.0,
             "alpha": 1.0, "l1_ratio": 0.5, "penalty_factor": np.ones(2), "bounds": np.zeros((2, 2)), "average": True,
             "random_state": 1}  # fmt: skip
    for name, value in given.items():
        for function in (fastgd.minimize, fastgd.minimize_sweep):
            with pytest.raises(ValueError, match=rf"^{name} is for functions of data: pass data=\(X, y\), or leave it"):
                function(lambda x: x * x, 1.0, **{name: value})


def test_what_is_let_in():
    for options in (
        {"batch_size": np.int64(4)}, {"batch_size": 2**40}, {"clip_norm": 1e-300}, {"alpha": 1e300, "l1_ratio": 1},
        {"bounds": (None, None)}, {"bounds": [0, 1]}, {"bounds": (5.0, 5.0)}, {"bounds": (np.zeros(4), np.ones(4))},
        {"penalty_factor": np.ones(4), "alpha": 0.1}, {"penalty_factor": {"w": None, "b": 0}, "alpha": 0.1},
        {"validation": np.float64(0.5)}, {"validation": [X, Y]}, {"validation": (X.astype(int), Y)},
        {"learning_rate": np.array(0.1)}, {"tol": 0.0}, {"max_iter": 2**40}, {"verbose": -1}, {"verbose": True},
        {"random_state": np.random.RandomState(0)},
    ):  # fmt: skip
        o = call(**options)
        assert np.isfinite(o.fun) and np.isfinite(o.x["w"]).all()
        if "bounds" in options and options["bounds"][0] is not None:
            assert np.max(options["bounds"][0]) <= o.x["b"] <= np.min(options["bounds"][1])


@diverges
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_and_gradients_that_are_not_finite_at_the_start(bad):
    for fun in (lambda p, X, y: bad, lambda p, X, y: (_ for _ in ()).throw(ZeroDivisionError)):
        for check in (True, False):
            o = call(fun=fun, check_gradient=check)
            assert (o.status, o.nit) == ("diverged", 0) and "Choose an x0 where fun is finite" in o.message
            assert (o.x["w"] == 0).all()
    o = call(grad=lambda p, X, y: {"w": np.full(3, bad), "b": 0.0})
    assert (o.status, o.nit) == ("diverged", 0) and "Choose an x0 where the gradient is finite" in o.message
    o = call(grad=lambda p, X, y: {"w": np.full(3, 1e200), "b": 0.0}, check_gradient=False)
    assert o.status == "diverged" and np.isfinite(o.fun)


def test_a_start_at_the_minimum_has_converged():
    o = fastgd.minimize(lambda x, y: float(x[0] ** 2), [0.0, 1.0], data=Y, batch_size=8)  # differences have noise
    assert o.status == "converged" and o.fun < 1e-20
