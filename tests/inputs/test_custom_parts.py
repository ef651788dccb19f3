"""A user's own losses, optimizers and schedules: they run as fast and as right as fastgd's, are never stale, and a
mistake in one is a sentence."""

import dataclasses
import os
import pickle
import re
import sys
import types
from typing import ClassVar, NamedTuple

import numba
import numpy as np
import pytest
from conftest import ELEMENTWISE

import fastgd
from fastgd import minimize, minimize_sweep, reference
from fastgd.inputs import arguments, custom_part_checks
from fastgd.kernels import environment, minimize_loop
from fastgd.parts import losses, optimizers, schedules

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT") == "1"
MODULES = {"loss": losses, "optimizer": optimizers, "learning_rate": schedules}


class Cauchy(NamedTuple):
    c: float = 1.0

    def value(self, p, y):
        return 0.5 * self.c**2 * np.log1p(((p - y) / self.c) ** 2)

    def slope(self, p, y):
        return (p - y) / (1 + ((p - y) / self.c) ** 2)


def excess(r, width):
    return np.where(np.abs(r) > width, np.abs(r) - width, 0)


class DeadZone:
    """A plain class: with a helper outside, a method of its own, a number of the class, np.where and np.clip."""

    SCALE = 1.5

    def __init__(self, width):
        self.width = width

    def residual(self, p, y):
        return p - y

    def value(self, prediction, target):
        return self.SCALE * excess(self.residual(prediction, target), self.width)

    def slope(self, prediction, target):
        r = self.residual(prediction, target)
        return self.SCALE * np.where(r > self.width, 1, np.where(r < -self.width, -1, 0)) + 0 * np.clip(r, -1, 1)


@dataclasses.dataclass
class Signs:
    """Without state, traits or a field."""

    def prepare(self, lr, t, carry):
        return (lr,), carry

    def move(self, c, w, g, s):
        return -c[0] * np.sign(g), c[0], s


class Averaged(NamedTuple):
    """Steps along a running mean of gradients."""

    keep: float = 0.5
    slots = 1

    def prepare(self, lr, t, carry):
        return (lr, self.keep, 1 - self.keep), carry

    def move(self, c, w, g, s):
        mean = c[1] * s[0] + c[2] * g
        return -c[0] * mean, c[0], (mean,)


class Halving(NamedTuple):
    first: float
    every: float = 20.0

    def rate(self, t):
        return self.first * 0.5 ** (t // self.every)


class Listed(NamedTuple):
    """Never compiled, so a field may be anything."""

    rates: object

    def rate(self, t):
        return self.rates[np.minimum(t, len(self.rates)).astype(int) - 1]


class Huber2(NamedTuple):
    delta: float = 1.0
    curvature = 1.0
    residual_only = True
    value = losses.Huber.value
    slope = losses.Huber.slope


def checked(argument, part):
    return arguments.part(argument, part, MODULES[argument])


def compiled_signatures():
    return sum(len(kernel.signatures) for kernel in (*environment.dispatchers(), minimize_loop.advance))


# They work ------------------------------------------------------------------------------------------------------------

RUNS = {
    "full batch": {"loss": Cauchy(2.0), "learning_rate": 0.3, "epochs": 30},
    "rows": {"loss": DeadZone(0.1), "learning_rate": Halving(0.02), "batch_size": 1, "epochs": 3},
    "batches": {"loss": DeadZone(0.1), "optimizer": Averaged(), "learning_rate": 0.02, "batch_size": 8, "epochs": 3},
    "a penalty": {"optimizer": Averaged(0.3), "learning_rate": 0.2, "alpha": 0.1, "l1_ratio": 0.5, "epochs": 30},
    "no fields": {"optimizer": Signs(), "learning_rate": Listed(np.array([0.3, 0.2, 0.1])), "epochs": 10},
}


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_fit_agrees_with_the_reference(run, plain):
    given = fastgd.fit(plain.X, plain.y, random_state=0, **RUNS[run])
    right = reference.fit(plain.X, plain.y, random_state=0, **RUNS[run])
    np.testing.assert_allclose(given.coef, right.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(given.history.loss, right.history.loss, rtol=1e-9)
    assert given.history.loss[-1] < given.history.loss[0]
    copy = pickle.loads(pickle.dumps(given))
    np.testing.assert_array_equal(copy.predict(plain.X), given.predict(plain.X))


@pytest.mark.slow
def test_a_copy_of_a_part_gives_the_bits_of_the_part(plain):
    options = {"batch_size": 1, "epochs": 2, "learning_rate": 0.01, "random_state": 3}
    for X in (plain.X, plain.X.astype(np.float32)):
        own = fastgd.fit(X, plain.y, loss=Huber2(0.5), **options)
        np.testing.assert_array_equal(own.coef, fastgd.fit(X, plain.y, loss=losses.Huber(0.5), **options).coef)


@pytest.mark.jit
@pytest.mark.slow
def test_what_is_the_same_is_compiled_once(plain):
    def run(c):
        scope = {"NamedTuple": NamedTuple, "Cauchy": Cauchy}
        exec("class Log(NamedTuple):\n c: float\n value = Cauchy.value\n slope = Cauchy.slope", scope)
        return fastgd.fit(plain.X, plain.y, loss=scope["Log"](c), learning_rate=0.1, epochs=3).coef

    first = run(1.0)
    count = compiled_signatures()
    assert not np.array_equal(run(2.0), first), "fields are read at run time"
    np.testing.assert_array_equal(run(1.0), first)
    assert compiled_signatures() == count


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=[pytest.mark.slow, pytest.mark.jit])])
def test_minimize(compile):
    def fun(x):
        return (x[0] - 1) ** 2 + 3 * (x[1] + 2) ** 2

    def grad(x):
        return np.array([2 * (x[0] - 1), 6 * (x[1] + 2)])

    options = {"learning_rate": Halving(0.1), "max_iter": 60, "compile": compile}
    o = minimize(fun, [0.0, 0.0], grad, optimizer=Averaged(0.2), **options)
    np.testing.assert_allclose(o.x, [1, -2], atol=1e-2)
    right = reference.minimize(fun, [0.0, 0.0], grad, optimizer=Averaged(0.2), learning_rate=Halving(0.1), max_iter=60)
    np.testing.assert_allclose(o.history.x, right.history.x, rtol=1e-9, atol=1e-12)
    s = minimize_sweep(fun, [0.0, 0.0], grad, optimizer=Averaged([0.2, 0.5]), **options)
    np.testing.assert_array_equal(s.results[0].x, o.x)
    assert len(s.results) == 2


@pytest.mark.jit
def test_fields_of_a_users_named_tuples_stay_fields():
    class Point(NamedTuple):
        value: float
        cost: float

    assert numba.njit(lambda point: point.value + point.cost)(Point(1.0, 2.0)) == 3.0


# Never stale ----------------------------------------------------------------------------------------------------------

BASE = """
from typing import NamedTuple
import numpy as np
import numba
K = 1.0
TABLE = np.array([1.0, 2.0])
unrelated = c = 1

def helper(r):
    return K * r

@numba.njit
def compiled(r):
    return 0.5 * r

class Mixed:
    def scaled(self, r):
        return r * 1.0

def made(factor):
    class Own(NamedTuple):
        c: float = 1.0
        residual_only = True

        def value(self, p, y, scale=1.0):
            return scale * factor * compiled(helper(p - y)) * (p - y) * TABLE[0] * module.constant * self.c

        def slope(self, p, y, scale=1.0):
            return scale * factor * helper(p - y) * TABLE[0] * module.constant * self.c

        @property
        def curvature(self):
            return 1e3
    return Own

class Own(Mixed, made(1.0)):
    __slots__ = ()
"""


def namespace(source=BASE, module=None):
    scope = {"__name__": "notebook", "module": module or types.ModuleType("module")}
    scope["module"].constant = 1.0
    exec(source, scope)
    return scope


def again(scope, source=BASE):
    scope.update(namespace(source, scope["module"]))


def patch(name, value):
    def change(scope):
        setattr(scope["Own"], name, value)

    return change


def inside(code):
    return lambda scope: exec(code, scope)


CHANGES = {
    "a literal": lambda scope: again(scope, BASE.replace("0.5 * r", "0.25 * r * 2")),
    "a default": lambda scope: again(scope, BASE.replace("scale=1.0", "scale=2.0")),
    "a closure": lambda scope: again(scope, BASE.replace("made(1.0)", "made(2.0)")),
    "a global": inside("K = 2.0"),
    "a helper": inside("def helper(r): return 2 * r"),
    "a compiled helper": inside("@numba.njit\ndef compiled(r): return r / 2"),
    "an array": inside("TABLE[0] = 2.0"),
    "an array elsewhere": inside("TABLE[1] = 3.0"),
    "a module's constant": inside("module.constant = 2.0"),
    "a method": patch("slope", lambda self, p, y: 1.0 * K_slope(self, p, y)),
    "a method of a base": inside("Mixed.scaled = lambda self, r: r * 2.0"),
    "a property": patch("curvature", property(lambda self: 2e3)),
    "a trait": patch("residual_only", False),
    "a number of the class": patch("SIZE", 3.0),
    "a field": lambda scope: again(scope, BASE.replace("c: float", "d: float = 1.0\n        c: float")),
}
NO_CHANGES = {
    "nothing": lambda scope: None,
    "the same again": again,
    "the same elsewhere in the file": lambda scope: again(scope, "\n\n\n" + BASE),
    "names it does not read": inside("unrelated = 2; c = 2; p = 2; residual_only = 3"),
    "there and back": inside("K = 2.0; K = 1.0"),
}


def K_slope(self, p, y):
    return (p - y) * self.c


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_takes_effect(change):
    scope = namespace()
    before = type(checked("loss", scope["Own"]()))
    CHANGES[change](scope)
    assert wrapper_class(scope) is not before


@pytest.mark.parametrize("change", NO_CHANGES)
def test_no_change_is_no_other_class(change):
    scope = namespace()
    before = type(checked("loss", scope["Own"]()))
    NO_CHANGES[change](scope)
    assert wrapper_class(scope) is before


def wrapper_class(scope):
    return fastgd.inputs.custom_parts.wrap_custom_part("loss", scope["Own"](), losses)[0]


def test_a_wrapper_class_keeps_what_it_read():
    scope = namespace()
    part = checked("loss", scope["Own"]())
    slope = part.slope(3.0, 1.0)
    inside("K = 2.0; TABLE[0] = 5.0")(scope)
    assert part.slope(3.0, 1.0) == slope
    assert checked("loss", scope["Own"]()).slope(3.0, 1.0) == pytest.approx(10 * slope)


@pytest.mark.jit
@pytest.mark.slow
def test_kernels_follow_every_change(plain):
    scope = namespace()

    def fits():
        options = {"loss": scope["Own"](), "learning_rate": 0.05, "batch_size": 1, "epochs": 1, "random_state": 0}
        given = fastgd.fit(plain.X, plain.y, **options).coef
        np.testing.assert_allclose(given, reference.fit(plain.X, plain.y, **options).coef, rtol=1e-10)
        return given

    first = fits()
    inside("K = 2.0\n@numba.njit\ndef compiled(r): return 0.5 * r * 1.0")(scope)
    assert not np.allclose(fits(), first)
    again(scope)
    np.testing.assert_array_equal(fits(), first)


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_fastgds_own_losses_pass_and_wrong_slopes_do_not(name):
    kind = getattr(losses, name)
    custom_part_checks._check_loss("loss", kind())
    for wrong in (lambda s: -s, lambda s: 1.001 * s, lambda s: s + 1e-3, lambda s: 2 * s, lambda s: 0 * s):

        class Wrong(kind):
            __slots__ = ()
            curvature, residual_only = np.inf, False

            def slope(self, p, y, wrong=wrong, right=kind.slope):
                return wrong(right(self, p, y))

        with pytest.raises(ValueError, match="slope is not the derivative of value"):
            checked("loss", Wrong())


@pytest.mark.parametrize("name", optimizers.__all__)
def test_fastgds_own_optimizers_pass(name):
    custom_part_checks._check_optimizer("optimizer", getattr(optimizers, name)())


@pytest.mark.parametrize("name", schedules.__all__)
def test_fastgds_own_schedules_pass(name):
    schedule = schedules.in_steps(getattr(schedules, name)(), steps_per_epoch=10, epochs=100, alpha=1e-3)
    custom_part_checks._check_schedule("learning_rate", schedule)


@pytest.mark.parametrize("width", [1.0, 1e-2, 1e-4, 1e-6])
def test_sharp_but_right_losses_pass(width):
    class Sharp(NamedTuple):
        width: float

        def value(self, p, y):
            return np.sqrt((p - y) ** 2 + self.width**2)

        def slope(self, p, y):
            return (p - y) / np.sqrt((p - y) ** 2 + self.width**2)

    checked("loss", Sharp(width))


def own(kind, base=object, **content):
    """A class with right methods of a kind, save for those given."""
    right = {"loss": Cauchy, "optimizer": Averaged, "learning_rate": Halving}[kind]
    return type("Mine", (base,), {**{name: getattr(right, name) for name in right_words(right)}, "c": 1.0, **content})


def right_words(kind):
    return [name for name in ("value", "slope", "prepare", "move", "slots", "rate") if hasattr(kind, name)]


class Counting:
    def __init__(self):
        self.count = 0

    value = Cauchy.value

    def slope(self, p, y):
        self.count += 1
        return p - y


def branch(self, p, y):
    if p > y:
        return p - y
    return y - p


def loss(**content):
    return own("loss", **content)()


def optimizer(**content):
    return own("optimizer", keep=0.5, **content)()


def schedule(rate):
    return type("Mine", (), {"rate": rate})()


def moved(change=lambda g: -g, step=lambda c: c[0], state=lambda s: s):
    return optimizer(move=lambda self, c, w, g, s: (change(g), step(c), state(s)))


MISTAKES = {
    "the class": ("loss", Cauchy, TypeError, "Call it: Cauchy()"),
    "no slope": ("loss", type("Half", (), {"value": Cauchy.value})(), TypeError, "has value but no slope(self, p, y)"),
    "no methods": ("loss", object(), TypeError, "or of yours with value and slope"),
    "a loss for an optimizer": ("optimizer", Cauchy(), TypeError, "or of yours with prepare and move"),
    "too few arguments": ("loss", loss(slope=lambda self, p: p), TypeError, "slope(self, p) must be slope(self, p, y)"),
    "a static method": ("loss", loss(slope=staticmethod(Cauchy.slope)), TypeError, "slope must be a plain method"),
    "a field of text": ("loss", Cauchy("a"), TypeError, ".c='a' must be a number"),
    "a field of NaN": ("loss", Cauchy(np.nan), ValueError, ".c=nan"),
    "a private field": ("loss", loss(__init__=lambda self: setattr(self, "_c", 1.0)), TypeError, "underscore"),
    "limits": ("loss", loss(limits={"c": {"above": 2.0}}), ValueError, ".c=1 must be greater than 2"),
    "a wrong slope": (
        "loss",
        loss(value=lambda self, p, y: 0.5 * (p - y) ** 2, slope=lambda self, p, y: 0.25 * (p - y)),
        ValueError,
        "slope is not the derivative of value in p: at p=3, y=-2.5 slope gives 1.375, differences of value give 5.5 "
        "(ratio 0.25)",
    ),
    "a branch": ("loss", loss(slope=branch), TypeError, "np.where(a, b, c)"),
    "a maximum": ("loss", loss(value=lambda self, p, y: max(p - y, 0)), TypeError, "np.maximum in place of"),
    "math": ("loss", loss(value=lambda self, p, y: __import__("math").exp(p)), TypeError, "NumPy's functions"),
    "a sum": ("loss", loss(value=lambda self, p, y: np.sum(p - y)), ValueError, "value returns shape ()"),
    "a mean": ("loss", loss(value=lambda self, p, y: (p - y) - np.mean(p)), ValueError, "entry by entry"),
    "NaN": ("loss", loss(value=lambda self, p, y: np.log(p)), ValueError, "value is nan at p=-3, y=-2.5"),
    "complex": ("loss", loss(value=lambda self, p, y: (p - y + 0j) ** 2), TypeError, "an array of complex128"),
    "None": ("loss", loss(slope=lambda self, p, y: None), TypeError, "slope returns None; real numbers"),
    "an unknown name": ("loss", loss(slope=lambda self, p, y: p - z), TypeError, "NameError"),  # noqa: F821
    "state on self": ("loss", Counting(), TypeError, "never writes to itself"),
    "too small a curvature": ("loss", loss(curvature=0.5), ValueError, "must bound the slope's derivative, which is 1"),
    "a curvature of text": ("loss", loss(curvature="1"), ValueError, "curvature='1' must be a number"),
    "residual_only": (
        "loss",
        loss(value=lambda self, p, y: p * y, slope=lambda self, p, y: y + 0 * p, residual_only=True),
        ValueError,
        "residual_only=True says",
    ),
    "slots forgotten": ("optimizer", optimizer(slots=0), TypeError, "slots=0"),
    "slots too many": ("optimizer", optimizer(slots=2), ValueError, "slots=2: set slots = 1"),
    "slots of text": ("optimizer", optimizer(slots="1"), ValueError, "slots='1' must be a whole number"),
    "coefficients no tuple": (
        "optimizer",
        optimizer(prepare=lambda self, lr, t, carry: (lr, carry)),
        ValueError,
        "(coefficients, carry) is needed",
    ),
    "no carry": ("optimizer", optimizer(prepare=lambda self, lr, t, carry: (lr,)), ValueError, "is needed"),
    "a short carry": (
        "optimizer",
        optimizer(prepare=lambda self, lr, t, carry: ((lr,), (1.0,))),
        ValueError,
        "it has two",
    ),
    "uphill": ("optimizer", moved(lambda g: 0.1 * g), ValueError, "Minus is missing"),
    "division by zero": ("optimizer", moved(lambda g: -0.1 * g / np.abs(g)), ValueError, "where the gradient is 0"),
    "no step": ("optimizer", moved(step=lambda c: 0.0 * c[0]), ValueError, "move returns the step 0"),
    "two things": (
        "optimizer",
        optimizer(move=lambda self, c, w, g, s: (-g, s)),
        ValueError,
        "must return (change, step, state)",
    ),
    "a change of one number": ("optimizer", moved(lambda g: -np.sum(g) * 0), ValueError, "change of shape ()"),
    "norms": ("optimizer", moved(lambda g: -g / np.linalg.norm(g)), ValueError, "move must work entry by entry"),
    "a mean without a link": (
        "loss",
        loss(mean=lambda self, p: np.exp(p)),
        ValueError,
        "name the link in the class",
    ),
    "a link without a mean": ("loss", loss(link="cloglog"), ValueError, "link='cloglog' needs a method mean(self, p)"),
    "a mean of two arguments": ("loss", loss(mean=lambda self, p, y: p), TypeError, "must be mean(self, p)"),
    "probabilities of one class": (
        "loss",
        loss(probabilities=lambda self, scores: scores),
        ValueError,
        "probabilities must return (n, 2)",
    ),
    "a negative second derivative": (
        "loss",
        loss(second_derivative=lambda self, p, y: y - p),
        ValueError,
        "second_derivative must not be negative",
    ),
    "an unknown smoothing field": ("loss", loss(smoothing_field="width"), ValueError, "smoothing_field='width'"),
    "an unknown zero_gradient": ("optimizer", optimizer(zero_gradient="adam"), ValueError, "must be None, 'sgd'"),
    "a drift where there is none": ("optimizer", optimizer(zero_gradient="sgd"), ValueError, "is not that of 'sgd'"),
    "a momentum without beta": (
        "optimizer",
        optimizer(zero_gradient="momentum"),
        ValueError,
        "needs the field beta and slots = 1",
    ),
    "plain with a state": ("optimizer", optimizer(plain=True), ValueError, "plain=True says that slots is 0"),
    "by_row without row_slope": ("optimizer", optimizer(by_row=True), TypeError, "needs a method row_slope"),
    "a branch on t": ("learning_rate", schedule(lambda self, t: 0.1 if t < 9 else 0.01), TypeError, "np.where"),
    "a negative rate": ("learning_rate", schedule(lambda self, t: 1 - 0.1 * t), ValueError, "negative at t=11: -0.1"),
    "no rate": ("learning_rate", schedule(lambda self, t: 0 * t), ValueError, "rate is 0 at every step"),
    "an infinite rate": ("learning_rate", schedule(lambda self, t: 1 / (t - 1)), ValueError, "rate is inf at t=1"),
    "the class of a schedule": ("learning_rate", Halving, TypeError, "Call it: Halving()"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence(mistake):
    argument, part, error, words = MISTAKES[mistake]
    with pytest.raises(error, match=f"^{argument}.*{re.escape(words)}"):
        checked(argument, part)


@pytest.mark.jit
def test_what_numba_cannot_compile_is_a_sentence_and_runs_in_the_reference(plain):
    class Wordy(NamedTuple):
        c: float = 1.0

        def value(self, p, y):
            return 0.5 * (p - y) ** 2

        def slope(self, p, y):
            with np.errstate(all="ignore"):
                return p - y

    options = {"loss": Wordy(), "learning_rate": 0.1, "epochs": 5}
    with pytest.raises(TypeError, match=r"^loss=Wordy: Numba can't compile slope: .*context manager.*reference") as e:
        fastgd.fit(plain.X, plain.y, **options)
    assert len(str(e.value)) < 400
    right = reference.fit(plain.X, plain.y, **{**options, "loss": "squared_error"})
    np.testing.assert_allclose(reference.fit(plain.X, plain.y, **options).coef, right.coef)


@pytest.mark.jit
@pytest.mark.slow
def test_what_numba_cannot_compile_of_an_optimizer(plain):
    class Wordy(Signs):
        def move(self, c, w, g, s):
            return -c[0] * np.sign(g) * float(str(1)), c[0], s

    with pytest.raises(TypeError, match=r"^optimizer=Wordy: Numba can't compile move: "):
        fastgd.fit(plain.X, plain.y, optimizer=Wordy(), learning_rate=0.1)
    assert minimize(lambda x: x**2, 1.0, optimizer=Wordy(), max_iter=3).nit == 3
    with pytest.raises(TypeError, match=r"^optimizer=Wordy: Numba can't compile move: "):
        minimize(lambda x: x**2, 1.0, optimizer=Wordy(), max_iter=3, compile=True)


def test_class_variables_of_a_data_class_are_no_fields():
    Mean = dataclasses.make_dataclass(
        "Mean",
        [("keep", float, 0.5), ("slots", ClassVar[int], 1)],
        namespace={"prepare": Averaged.prepare, "move": Averaged.move},
    )
    assert checked("optimizer", Mean())._fields == ("keep",)


def test_a_rate_may_be_one_number_for_all_steps(plain):
    r = fastgd.fit(plain.X, plain.y, learning_rate=schedule(lambda self, t: 0.1), epochs=7)
    np.testing.assert_array_equal(r.coef, fastgd.fit(plain.X, plain.y, learning_rate=0.1, epochs=7).coef)


@pytest.mark.jit
@pytest.mark.slow
def test_the_module_of_a_part_is_never_imported(tmp_path, monkeypatch):
    """One that is not loaded under its name may be a script, which would run a second time."""
    source = (
        "import numpy as np\nfrom typing import NamedTuple\nclass Own(NamedTuple):\n    c: float = 1.0\n"
        "    def value(self, p, y): return np.sqrt(self.c + (p - y) ** 2)\n"
        "    def slope(self, p, y): return (p - y) / np.sqrt(self.c + (p - y) ** 2)\n"
    )
    (tmp_path / "a_script_of_mine.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    scope = {"__name__": "a_script_of_mine"}
    exec(source, scope)
    X = np.arange(8.0)[:, None]
    assert fastgd.fit(X, X[:, 0], loss=scope["Own"](2.0), epochs=2).n_epochs == 2
    assert "a_script_of_mine" not in sys.modules
