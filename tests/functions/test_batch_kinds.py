"""Data and parameters of every kind in ``minimize``: what functions are given, and what comes back."""

from collections import OrderedDict, namedtuple
from typing import NamedTuple

import numba
import numpy as np
import pytest
from batch_models import LINEAR, LINEAR_GRAD, X0, D, N, X, Y, flat, linear, linear_grad, thrice
from conftest import JIT_OFF, slow_to_compile

import fastgd

GIVEN = {"batch_size": 8, "epochs": 3, "random_state": 3, "learning_rate": 0.05}
RNG = np.random.default_rng(2)


class Layer(NamedTuple):
    W: object
    b: object


# Types of numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_float32_parameters_make_the_data_float32(optimizer):
    single = {"w": np.zeros(D, np.float32), "b": np.float32(0)}
    kinds = set()

    def grad(p, X, y):
        kinds.update({p["w"].dtype, X.dtype, y.dtype})
        return linear_grad(p, X, y)

    o = fastgd.minimize(linear, single, grad, data=(X, Y), optimizer=optimizer, **GIVEN)
    assert kinds == {np.dtype(np.float32)} and o.x["w"].dtype == o.jac["w"].dtype == np.float32
    double = fastgd.minimize(linear, X0, linear_grad, data=(X, Y), optimizer=optimizer, **GIVEN)
    np.testing.assert_allclose(flat(o.x), flat(double.x), rtol=2e-5)
    assert not np.array_equal(flat(o.x), flat(double.x))


@pytest.mark.slow
@pytest.mark.jit
def test_compiled_float32():
    single = {"w": np.zeros(D, np.float32), "b": np.float32(0)}
    thrice(LINEAR, LINEAR_GRAD, single, (X, Y), optimizer="adam", rtol=1e-5, atol=1e-6, **GIVEN)


def counted(x, images, labels, seen):
    """Half the squared distances of a vector from images that are seen, times their labels."""
    total = 0.0
    for i in range(labels.size):
        if seen[i]:
            for j in range(x.size):
                total += (x[j] - images[i, j // 8, j % 8] * labels[i]) ** 2
    return total / (2 * labels.size)


def counted_grad(x, images, labels, seen):
    gradient = np.zeros(x.size)
    for i in range(labels.size):
        if seen[i]:
            for j in range(x.size):
                gradient[j] += (x[j] - images[i, j // 8, j % 8] * labels[i]) / labels.size
    return gradient


COUNTED, COUNTED_GRAD = numba.njit(counted), numba.njit(counted_grad)
IMAGES = RNG.standard_normal((N, 8, 8)), RNG.integers(-2, 3, N), RNG.random(N) < 0.7


@slow_to_compile
def test_images_integers_and_booleans():
    kinds = set()

    def grad(x, *arrays):
        kinds.add(tuple((array.dtype.kind, array.ndim, array.flags.c_contiguous) for array in arrays))
        return counted_grad(x, *arrays)

    o = fastgd.minimize(counted, np.zeros(64), grad, data=IMAGES, epochs=300, learning_rate=1.0)
    images, labels, seen = IMAGES
    mean = (images * (labels * seen)[:, None, None]).sum(axis=0).ravel() / seen.sum()
    np.testing.assert_allclose(o.x, mean, atol=1e-6)
    assert kinds == {(("f", 3, True), ("i", 1, True), ("b", 1, True))}
    thrice(COUNTED, COUNTED_GRAD, np.zeros(64), IMAGES, **GIVEN)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, np.bool_, ">i4", ">f8", np.float16])
def test_other_numbers(kind):
    rows = (10 * np.abs(X)).astype(kind)
    seen = set()

    def fun(x, rows):
        seen.add(rows.dtype)
        return 0.5 * np.mean((x - rows.astype(float)) ** 2)

    o = fastgd.minimize(fun, 0.5, lambda x, rows: np.mean(x - rows.astype(float)), data=rows, epochs=200)
    assert o.x == pytest.approx(rows.astype(float).mean(), abs=1e-2)
    wanted = np.dtype(np.float64) if rows.dtype.kind == "f" else rows.dtype.newbyteorder("=")
    assert seen == {wanted}


# Containers -----------------------------------------------------------------------------------------------------------


def test_containers_of_data():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    expected = fastgd.minimize(linear, X0, linear_grad, data=(X, Y), **GIVEN)
    wide = np.zeros((2 * N, 2 * D))
    wide[::2, ::2] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for rows, y in (
        (X.tolist(), Y.tolist()),
        (pd.DataFrame(X), pd.Series(Y)),
        (pl.DataFrame(X), pl.Series(Y)),
        (np.asfortranarray(X), Y[::-1][::-1]),
        (wide[::2, ::2], Y.astype(object)),
        (frozen, Y),
    ):
        for data in ((rows, y), [rows, y]):
            o = fastgd.minimize(linear, X0, linear_grad, data=data, **GIVEN)
            np.testing.assert_array_equal(flat(o.x), flat(expected.x))


def test_data_are_not_written_to_and_can_not_be():
    rows, y = X.copy(), Y.copy()
    fastgd.minimize(linear, X0, linear_grad, data=(rows, y), alpha=0.1, bounds=(-1, 1), **GIVEN)
    assert (rows == X).all() and (y == Y).all() and (X0["w"] == 0).all()

    def writes(p, X, y):
        X[0] = 0.0

    def writes_to_parameters(p, X, y):
        p["w"][0] = 0.0

    for fun in (writes, writes_to_parameters):
        for given in ((fun, linear_grad), (linear, fun)):
            for options in ({"batch_size": 8}, {"batch_size": None}):
                with pytest.raises(ValueError, match="read-only"):
                    fastgd.minimize(given[0], X0, given[1], data=(X, Y), **options)


def test_one_array_and_one_row():
    o = fastgd.minimize(lambda x, y: 0.5 * np.mean((x - y) ** 2), 0.0, lambda x, y: np.mean(x - y), data=Y, epochs=80)
    assert type(o.x) is type(o.jac) is float and o.x == pytest.approx(Y.mean(), abs=1e-3)
    assert isinstance(o._table_row["x"], float)
    for shuffle in ("block", "full", "replacement", False):
        o = fastgd.minimize(linear, X0, linear_grad, data=(X[:1], Y[:1]), shuffle=shuffle, batch_size=3, epochs=2)
        assert o.nit == 2


# Parameters -----------------------------------------------------------------------------------------------------------

Named = namedtuple("Named", ["w", "b"])
NESTS = {
    "tuple": ((np.zeros(D), 0.0), lambda p: (p[0], p[1]), lambda w, b: (w, b)),
    "list": ([np.zeros(D), np.zeros(1)], lambda p: (p[0], p[1][0]), lambda w, b: [w, np.array([b])]),
    "named": (Named(np.zeros(D), 0.0), lambda p: (p.w, p.b), Named),
    "NamedTuple": (Layer(np.zeros(D), 0.0), lambda p: (p.W, p.b), Layer),
    "deep": ({"a": [{"w": np.zeros((D, 1))}], "b": (0,)}, lambda p: (p["a"][0]["w"][:, 0], p["b"][0]),
             lambda w, b: {"b": [b], "a": ({"w": w[:, None]},)}),
    "rows": (np.zeros((2, 2)), lambda p: (p.ravel()[:D], p[1, 1]), lambda w, b: np.append(w, b).reshape(2, 2)),
    "empty": ({"none": np.zeros((0, 3)), "w": np.zeros(D), "b": 0}, lambda p: (p["w"], p["b"]),
              lambda w, b: {"w": w, "b": b, "none": np.zeros((0, 3))}),
    "ordered": (OrderedDict(b=0.0, w=[0, 0, 0.0]), lambda p: (p["w"], p["b"]), lambda w, b: {"b": b, "w": tuple(w)}),
    "integers": ({"w": np.zeros(D, int), "b": 0}, lambda p: (p["w"], p["b"]), lambda w, b: {"b": b, "w": w}),
}  # fmt: skip


@pytest.mark.parametrize("name", NESTS)
def test_parameters_in_nests(name):
    x0, parts, made = NESTS[name]

    def fun(p, X, y):
        w, b = parts(p)
        return linear({"w": np.asarray(w), "b": b}, X, y)

    def grad(p, X, y):
        w, b = parts(p)
        gradient = linear_grad({"w": np.asarray(w), "b": b}, X, y)
        return made(gradient["w"], gradient["b"])

    expected = fastgd.minimize(linear, X0, linear_grad, data=(X, Y), optimizer="adam", **GIVEN)
    for given in ((fun, x0, grad), (lambda *all: (fun(*all), grad(*all)), x0, True)):
        o = fastgd.minimize(*given, data=(X, Y), optimizer="adam", **GIVEN)
        w, b = parts(o.x)
        np.testing.assert_array_equal(np.append(w, b), np.append(expected.x["w"], expected.x["b"]))
        assert type(o.x) is (dict if name == "ordered" else type(x0)) and type(o.jac) is type(o.x)
    assert not flat(x0).any()  # not written to


def tuples(p, X, y):
    total = 0.0
    for i in range(y.size):
        score = p[1].b
        for j in range(X.shape[1]):
            score += X[i, j] * p[1].W[0, j] + p[0]
        total += (score - y[i]) ** 2
    return total / (2 * y.size)


def tuples_pair(p, X, y):
    of_W, of_b, total = np.zeros((1, X.shape[1])), 0.0, 0.0
    for i in range(y.size):
        score = p[1].b
        for j in range(X.shape[1]):
            score += X[i, j] * p[1].W[0, j] + p[0]
        total += (score - y[i]) ** 2
        of_b += (score - y[i]) / y.size
        for j in range(X.shape[1]):
            of_W[0, j] += (score - y[i]) * X[i, j] / y.size
    return total / (2 * y.size), (X.shape[1] * of_b, (of_W, of_b))


NJIT_TUPLES, NJIT_PAIR = numba.njit(tuples), numba.njit(tuples_pair)


@slow_to_compile
def test_compiled_nests_of_tuples_with_both_and_with_differences():
    x0 = (0.0, Layer(np.zeros((1, D)), 0.0))
    both = thrice(NJIT_PAIR, True, x0, (X, Y), **GIVEN)
    assert isinstance(both.x[1], Layer)
    alone = thrice(NJIT_TUPLES, None, x0, (X, Y), rtol=1e-6, atol=1e-8, **GIVEN)
    np.testing.assert_allclose(flat(alone.x), flat(both.x), rtol=1e-6)


def scalar(x, y):
    total = 0.0
    for i in range(y.size):
        total += np.exp(x - y[i]) - x
    return total / y.size


@pytest.mark.jit
def test_compiled_functions_of_a_number_with_differences():
    o = thrice(numba.njit(scalar), None, 0.0, Y, rtol=1e-7, atol=1e-8, optimizer="adam", **GIVEN)
    known = fastgd.minimize(scalar, 0.0, lambda x, y: np.mean(np.exp(x - y)) - 1, data=Y, optimizer="adam", **GIVEN)
    assert type(o.x) is float and o.x == pytest.approx(known.x, rel=1e-7)


@slow_to_compile
def test_plain_functions_are_compiled_on_demand():
    def fun(x, y):
        return 0.5 * np.mean((x - y) ** 2)

    plain = fastgd.minimize(fun, 0.0, data=Y, **GIVEN)
    np.testing.assert_allclose(fastgd.minimize(fun, 0.0, data=Y, compile=True, **GIVEN).x, plain.x, rtol=1e-8)


# Wrong forms ----------------------------------------------------------------------------------------------------------


WRONG = {
    "None": (lambda p, X, y: None, "what grad returned must be a dict with the keys of x0"),
    "a number": (lambda p, X, y: 1.0, "what grad returned must be a dict with the keys of x0"),
    "an array": (lambda p, X, y: np.ones(4), "what grad returned must be a dict"),
    "a key missing": (lambda p, X, y: {"w": np.ones(D)}, r"what grad returned must be a dict .* got the keys \['w'\]"),
    "a key more": (lambda p, X, y: {"w": np.ones(D), "b": 1.0, "c": 1.0}, "what grad returned must be a dict"),
    "a length": (lambda p, X, y: {"w": np.ones(D + 1), "b": 1.0}, r"what grad returned\['w'\] has shape \(4,\)"),
    "an axis": (lambda p, X, y: {"w": np.ones((D, 1)), "b": 1.0}, r"what grad returned\['w'\] has shape \(3, 1\)"),
    "one for all": (lambda p, X, y: {"w": 1.0, "b": 1.0}, r"what grad returned\['w'\] has shape \(\)"),
    "an array for a number": (lambda p, X, y: {"w": np.ones(D), "b": np.ones(1)}, r"what grad returned\['b'\]"),
    "complex": (lambda p, X, y: {"w": np.ones(D) * 1j, "b": 1.0}, r"what grad returned\['w'\]"),
    "text": (lambda p, X, y: {"w": ["a"] * D, "b": 1.0}, r"what grad returned\['w'\]"),
    "None in it": (lambda p, X, y: {"w": np.ones(D), "b": None}, r"what grad returned\['b'\]"),
    "masked": (lambda p, X, y: {"w": np.ma.ones(D), "b": 1.0}, r"what grad returned\['w'\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_gradients_of_another_form_are_told(name):
    grad, words = WRONG[name]
    for check in (True, False):
        with pytest.raises((ValueError, TypeError), match=words):
            fastgd.minimize(linear, X0, grad, data=(X, Y), check_gradient=check)


@pytest.mark.parametrize("value", [None, "a", np.ones(2), np.ones(1), 1j, (1.0, 2.0), [], True, np.ma.masked, {}])
def test_values_that_are_no_number_are_told(value):
    for check in (True, False):
        with pytest.raises((ValueError, TypeError), match="fun returned"):
            fastgd.minimize(lambda p, X, y: value, X0, linear_grad, data=(X, Y), check_gradient=check)
        with pytest.raises((ValueError, TypeError), match="fun returned"):
            fastgd.minimize(lambda p, X, y: value, X0, data=(X, Y), check_gradient=check)
    with pytest.raises((ValueError, TypeError), match=r"fun.* returned"):
        fastgd.minimize(lambda p, X, y: value, X0, True, data=(X, Y))
    with pytest.raises((ValueError, TypeError), match=r"fun.* returned"):
        fastgd.minimize(lambda p, X, y: (value, linear_grad(p, X, y)), X0, True, data=(X, Y))


@pytest.mark.parametrize("value", [1, np.float32(1), np.int8(1), np.array(1.0), np.longdouble(1)])
def test_values_that_are_numbers(value):
    o = fastgd.minimize(lambda p, X, y: value, X0, data=(X, Y), epochs=1)
    assert o.fun == 1.0 and type(o.fun) is float


def compiled(text, given="p, rows"):
    """A compiled function of a text."""
    names = {"np": np}
    exec(f"def function({given}):\n    {text}", names)  # Numba compiles what it can see the source of, and this
    return numba.njit(names["function"])


MISFITS = {
    "return 1.0, {'w': np.zeros(4), 'b': 1.0}": r"True, returned at \['w'\] has another shape than x0\['w'\], \(3,\)",
    "return 1.0, {'w': np.zeros((3, 1)), 'b': 1.0}": r"True, returned at \['w'\] has another shape",
    "return 1.0, {'w': p['w'] * 1j, 'b': 1.0}": r"or a part of it, is array\(complex128, 1d, C\), in Numba's words",
    "return 1.0, {'w': p['w'], 'b': None}": "the gradient, or a part of it, is none",
    "return 1.0, p['w']": r"the gradient is .*array\(float64, 1d, C\), in Numba's words; the form of x0 is needed",
    "return 1.0": r"fun returns float64, in Numba's words; with grad=True \(value, gradient\) is needed",
    "return 1.0, p, p": r"fun returns 3 values; with grad=True \(value, gradient\) is needed",
    "return p['w'], p": r"fun returns .*array\(float64, 1d, C\), in Numba's words; one real number is needed",
    "p['w'][0] = 1.0": r"a function writes to what it is lent, a readonly array\(float64, 1d, C\). Let it write",
    "rows.T[0, 0] = 1.0": r"a function writes to what it is lent, a readonly array\(float64, 2d, F\)",
    "return p.nothing": "Numba can't compile fun or grad: Unknown attribute 'nothing'.*compile=False always run",
}


@pytest.mark.skipif(JIT_OFF, reason="needs compiled functions")
@pytest.mark.parametrize("text", MISFITS)
def test_compiled_functions_that_do_not_fit_are_told(text):
    with pytest.raises((ValueError, TypeError), match=MISFITS[text]):
        fastgd.minimize(compiled(text), X0, True, data=X, check_gradient=False)


@pytest.mark.skipif(JIT_OFF, reason="needs compiled functions")
def test_other_compiled_functions_that_can_not_be_called():
    signed = numba.njit("float64(float64[::1], float64[:, ::1])")(lambda x, rows: 0.0)
    with pytest.raises(TypeError, match=r"a function has a signature other than \(readonly array.*leave that out"):
        fastgd.minimize(signed, np.zeros(D), data=X)
    with pytest.raises(TypeError, match="fun is compiled and grad is not: Python can't hand a dict"):
        fastgd.minimize(LINEAR, X0, linear_grad, data=(X, Y))
    with pytest.raises(TypeError, match=r"compile=True can't compile fun: .*method"):
        fastgd.minimize(NJIT_PAIR.get_metadata, 0.0, data=X, compile=True)


class Mine(Exception):
    pass


@numba.njit
def raises_late(x, rows):
    if x < 0.5:
        raise Mine("late")
    return x * x / 2


@numba.njit(boundscheck=True)
def out_of_bounds(x, rows):
    return x + rows[rows.shape[0] + 3, 0]


@pytest.mark.jit
@pytest.mark.parametrize(
    ("fun", "error", "words"), [(raises_late, Mine, "late"), (out_of_bounds, IndexError, "bounds")]
)
def test_what_compiled_functions_raise_comes_through(fun, error, words, monkeypatch):
    monkeypatch.setattr("fastgd.functions.batch_minimize.available_threads", lambda: 3)
    given = (fun, 1.0), {"data": X, "batch_size": 8, "epochs": 50, "random_state": 0}
    with pytest.raises(error, match=words):
        fastgd.minimize(*given[0], **given[1])
    for _ in range(5):
        with pytest.raises(error, match=words):
            fastgd.minimize_sweep(*given[0], **given[1], learning_rate=[0.1, 0.2, 1e-9, 0.3])
    with pytest.raises(error, match=words):
        fastgd.lr_find(fun, 1.0, data=X, batch_size=8)


@slow_to_compile
@pytest.mark.jit
def test_compiled_functions_of_unusual_nests():
    many = {f"k{k}": 1.0 + k for k in range(32)}
    o = fastgd.minimize(compiled("return p['k3'] ** 2 / 2 + p['k31'] * 0.0"), many, data=X, epochs=1)
    assert o.x["k3"] == pytest.approx(3.6) and o.x["k31"] == 32
    Wide = namedtuple("Wide", list(many))
    o = fastgd.minimize(compiled("return p.k3 ** 2 / 2"), Wide(**many), data=X, epochs=1)
    assert o.x.k3 == pytest.approx(3.6)
    for x0, text in (
        ((np.array(4.0), np.zeros((0, 2))), "return p[0][()] ** 2 / 2 + p[1].size"),
        (((), 4.0, {}, {"a 'b\"": 4.0, "": [1.0]}), "return p[1] ** 2 / 2 + 0 * p[3]['a \\'b\"']"),
    ):
        o = fastgd.minimize(compiled(text), x0, data=X, epochs=1)
        assert 3.6 in flat(o.x).round(6)
    o = fastgd.minimize(compiled("return (x - a[25][0] - 4) ** 2 / 2", "x, *a"), 8.0, data=(Y * 0,) * 26, epochs=1)
    assert o.x == pytest.approx(7.6)
