"""``fit``: the textbook cases, what it accepts, how it ends, and what it promises of every run."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import tracemalloc
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from conftest import ELEMENTWISE, JIT_OFF, PROBLEMS, diverges
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd
from fastgd import losses, optimizers, reference
from fastgd.inputs import arrays
from fastgd.kernels import block_loop, full_batch, order, row_loop
from fastgd.parts.registry import snake_case
from fastgd.solvers import data_statistics, passes, textbook

LOSSES = {snake_case(name): getattr(losses, name)() for name in ELEMENTWISE}
OPTIMIZERS = [snake_case(name) for name in optimizers.__all__]
BATCHES = [1, 16, None]

# The textbook ------------------------------------------------------------------------------------------------------


@pytest.fixture
def line():
    """100 points of y = 4 + 3x and noise."""
    rng = np.random.default_rng(42)
    x = rng.uniform(0, 2, 100)
    return x, 4 + 3 * x + rng.standard_normal(100)


def descend_line(x, y, batches, rate):
    """Ten lines of NumPy: w, b and the whole data's loss after each step."""
    w, b, course = 0.0, 0.0, []
    for rows in batches:
        error = w * x[rows] + b - y[rows]
        w, b = w - rate * 2 * np.mean(error * x[rows]), b - rate * 2 * np.mean(error)
        course.append(np.mean((w * x + b - y) ** 2))
    return w, b, course


@pytest.mark.parametrize(
    "options, near",
    [
        ({"learning_rate": 0.1, "epochs": 100}, 0.4),
        ({"learning_rate": 0.01, "batch_size": 1, "max_steps": 1000, "shuffle": "replacement"}, 0.7),
        ({"learning_rate": 0.05, "batch_size": 16, "max_steps": 200, "shuffle": "replacement"}, 0.5),
    ],
    ids=["full", "stochastic", "mini-batch"],
)
def test_a_line_by_gradient_descent_of_three_kinds(line, options, near):
    x, y = line
    r = fastgd.fit(x[:, None], y, loss="mse", batch_size=options.pop("batch_size", None), random_state=42, **options)
    rate, batch, steps = options["learning_rate"], {100: 100, 1000: 1, 200: 16}[r.n_steps], r.n_steps
    orders = [textbook.row_order("replacement", 42, k, 100, batch) for k in range(-(-steps * batch // 100) + 1)]
    batches = [order[start : start + batch] for order in orders for start in range(0, 100, batch)]
    w, b, course = descend_line(x, y, [slice(None)] * steps if batch == 100 else batches[:steps], rate)
    assert r.coef[0] == pytest.approx(w, abs=1e-12)
    assert r.intercept == pytest.approx(b, abs=1e-12)
    assert r.objective(x[:, None], y) == pytest.approx(course[-1], abs=1e-12)
    assert r.coef[0] == pytest.approx(3, abs=near)
    assert r.intercept == pytest.approx(4, abs=near)


def test_linear_regression_with_the_loss_before_every_step():
    rng = np.random.default_rng(42)
    X = rng.standard_normal((100, 2))
    y = X @ [2.0, -3.0] + 1 + 0.1 * rng.standard_normal(100)
    w, b, course = np.zeros(2), 0.0, []
    for _ in range(500):
        error = X @ w + b - y
        course.append(np.mean(error**2))
        w, b = w - 0.1 * 2 * X.T @ error / 100, b - 0.1 * 2 * np.mean(error)
    r = fastgd.fit(X, y, loss="mse", learning_rate=0.1, epochs=500)
    assert r.history.loss.shape == (500,)
    np.testing.assert_allclose(r.history.loss, course, rtol=0, atol=1e-12)
    np.testing.assert_allclose([*r.coef, r.intercept], [*w, b], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shuffle", ["block", "full"])
def test_shuffled_mini_batch_epochs_with_a_smaller_last_batch(line, shuffle):
    x, y = line
    options = {"learning_rate": 0.05, "batch_size": 32, "epochs": 20, "shuffle": shuffle, "random_state": 7}
    r = fastgd.fit(x[:, None], y, loss="mse", evaluate=True, **options)
    orders = [textbook.row_order(shuffle, 7, epoch, 100, 32) for epoch in range(20)]
    batches = [order[start : start + 32] for order in orders for start in range(0, 100, 32)]
    assert [len(rows) for rows in batches[:4]] == [32, 32, 32, 4]
    w, b, course = descend_line(x, y, batches, 0.05)
    np.testing.assert_allclose(r.history.objective, course[3::4], rtol=0, atol=1e-12)
    assert (r.coef[0], r.intercept) == (pytest.approx(w, abs=1e-12), pytest.approx(b, abs=1e-12))


# What the words mean -----------------------------------------------------------------------------------------------


@diverges
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_integer_weights_are_repeated_rows(plain, loss, standardize):
    weight = PROBLEMS["weighted"].weight.astype(int)
    y = plain.target(LOSSES[loss])
    options = {"loss": loss, "learning_rate": 0.1, "epochs": 50, "standardize": standardize, "alpha": 0.1}
    a = fastgd.fit(plain.X, y, sample_weight=weight, **options)
    b = fastgd.fit(np.repeat(plain.X, weight, axis=0), np.repeat(y, weight), **options)
    np.testing.assert_allclose(a.coef, b.coef, rtol=0, atol=1e-10)
    np.testing.assert_allclose(a.history.loss, b.history.loss, rtol=1e-10)
    assert a.intercept == pytest.approx(b.intercept, abs=1e-10)
    assert a.objective(plain.X, y, weight) == pytest.approx(b.objective(plain.X, y, weight), rel=1e-10)


@pytest.mark.parametrize("batch", BATCHES)
def test_the_size_of_weights_does_not_matter(plain, batch):
    weight = PROBLEMS["weighted"].weight
    options = {"batch_size": batch, "epochs": 50, "random_state": 0}
    fits = [fastgd.fit(plain.X, plain.y, sample_weight=k * weight, **options) for k in (1, 1024)]
    np.testing.assert_array_equal(fits[0].coef, fits[1].coef)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("epochs", [0, 1, 7])
def test_epochs_are_exact(plain, epochs, batch):
    r = fastgd.fit(plain.X, plain.y, epochs=epochs, batch_size=batch)
    assert r.status == "max_epochs"
    assert r.n_epochs == epochs
    assert r.n_steps == epochs * -(-80 // (batch or 80))
    for name in r.history.__dataclass_fields__:
        assert getattr(r.history, name).shape == (epochs,)
    assert np.isfinite(r.history.loss).all()
    assert np.isnan(r.history.objective).all()
    assert np.isfinite(r.history.gradient_norm).all() == (batch is None) or epochs == 0
    assert np.all(np.diff(r.history.seconds) >= 0)


@pytest.mark.parametrize("steps", [0, 1, 4, 5, 6, 33])
@pytest.mark.parametrize("batch", BATCHES)
def test_max_steps_are_exact(plain, batch, steps):
    r = fastgd.fit(plain.X, plain.y, max_steps=steps, batch_size=batch, learning_rate=0.01, random_state=0)
    assert r.status == "max_epochs"
    assert r.n_steps == steps
    assert r.n_epochs == steps // -(-80 // (batch or 80))
    assert str(steps) in r.message


def test_a_batch_beyond_n_is_the_full_batch(plain):
    a, b = (fastgd.fit(plain.X, plain.y, batch_size=batch) for batch in (None, 10_000))
    np.testing.assert_array_equal(a.coef, b.coef)


@pytest.mark.parametrize("batch", [None, *(pytest.param(batch, marks=pytest.mark.jit) for batch in (1, 16))])
def test_the_tolerance_ends_a_run(plain, batch):
    r = fastgd.fit(plain.X, plain.y, tol=1e-2, patience=2, batch_size=batch, epochs=100_000, random_state=0)
    assert r.status == "converged"
    assert r.n_epochs < 100_000
    assert "tol=0.01" in r.message


@pytest.mark.parametrize("batch", BATCHES)
def test_evaluate_records_the_whole_datas_objective(plain, batch):
    options = {"batch_size": batch, "alpha": 0.3, "l1_ratio": 0.5, "random_state": 0, "learning_rate": 0.01}
    r = fastgd.fit(plain.X, plain.y, epochs=5, evaluate=True, **options)
    np.testing.assert_allclose(r.history.objective[-1], r.loss, rtol=1e-12)
    if batch is None:
        np.testing.assert_allclose(r.history.objective[:-1], r.history.loss[1:], rtol=1e-12)
    residual = plain.X @ r.coef + r.intercept - plain.y
    penalty = 0.3 * (0.5 * np.abs(r.coef).sum() + 0.25 * r.coef @ r.coef)
    assert r.loss == pytest.approx(0.5 * np.mean(residual**2) + penalty, rel=1e-12)


@pytest.mark.parametrize("batch", BATCHES)
def test_predictions_are_means_or_labels(problems, batch):
    p = problems["labels"]
    r = fastgd.fit(p.X, p.y, loss="log_loss", batch_size=batch, epochs=50, random_state=0)
    np.testing.assert_array_equal(r.classes, ["ham", "spam"])
    np.testing.assert_allclose(r.decision_function(p.X), p.X @ r.coef + r.intercept, rtol=1e-12)
    np.testing.assert_array_equal(r.predict(p.X), np.where(r.decision_function(p.X) > 0, "spam", "ham"))
    assert np.mean(r.predict(p.X) == p.y) > 0.75
    p = problems["plain"]
    r = fastgd.fit(p.X, p.y)
    np.testing.assert_array_equal(r.predict(p.X), r.decision_function(p.X))
    with pytest.raises(ValueError, match="X has 2 columns, but the model was fitted on 3"):
        r.predict(p.X[:, :2])


# What it accepts ---------------------------------------------------------------------------------------------------


def kernels():
    modules = full_batch, row_loop, block_loop, order
    return [f for module in modules for f in vars(module).values() if hasattr(f, "signatures")]


def compiled():
    return sum(len(kernel.signatures) for kernel in kernels())


def fits(X, y, batches=(None, 16, 1), **options):
    """A fit of each batch kind: coefficients, intercept and losses."""
    results = [fastgd.fit(X, y, batch_size=batch, epochs=3, random_state=1, **options) for batch in batches]
    return np.array([[*r.coef, r.intercept, r.loss, *r.history.loss] for r in results])


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMATS = {
    "as it is": lambda X: X,
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": frozen,
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "misaligned": lambda X: np.frombuffer(b"x" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape),
    "list": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
    "frame": pd.DataFrame,
    "int64": lambda X: X.astype(np.int64),
    "int8": lambda X: X.astype(np.int8),
    "uint16": lambda X: X.astype(np.uint16),
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
}


@pytest.mark.parametrize("name", FORMATS)
def test_any_form_of_the_same_numbers_gives_the_same_bits_and_compiles_nothing(name):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, (60, 4)).astype(float)
    y = X @ [1.0, 2.0, 0.0, 1.0] + rng.integers(0, 3, 60)
    single = name in ("float16", "float32")
    expected = fits(X.astype(np.float32), y) if single else fits(X, y)
    before = compiled()
    np.testing.assert_array_equal(fits(FORMATS[name](X), y), expected)
    np.testing.assert_array_equal(fits(X.astype(np.float32) if single else X, pd.Series(y.astype(int))), expected)
    assert compiled() == before


def test_a_memory_map_is_neither_loaded_nor_written(tmp_path, plain):
    path = tmp_path / "X.bin"
    path.write_bytes(plain.X.tobytes())
    for mode in ("r", "r+", "c"):
        X = np.memmap(path, float, mode, shape=plain.X.shape)
        assert np.shares_memory(arrays.table(X, plain.y, None, losses.Mse()).X.values, X)
        np.testing.assert_array_equal(fits(X, plain.y), fits(plain.X, plain.y))
    assert path.read_bytes() == plain.X.tobytes()


def test_no_input_is_ever_written(plain):
    arrays = plain.X.copy(), plain.y.copy(), PROBLEMS["weighted"].weight.copy(), np.zeros(3), np.ones(3)
    copies = [array.copy() for array in arrays]
    X, y, weight, low, high = arrays
    for batch in BATCHES:
        fastgd.fit(X, y, sample_weight=weight, bounds=(low, high), batch_size=batch, optimizer="adam", epochs=3)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_names_of_a_frames_columns_are_kept(plain):
    frame = pd.DataFrame(plain.X, columns=["a", "b", "c"])
    r = fastgd.fit(frame, plain.y)
    assert r.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(r.predict(frame), r.predict(plain.X))
    with pytest.raises(ValueError, match=r"X has the columns \('c', 'b', 'a'\)"):
        r.predict(frame[["c", "b", "a"]])
    mixed = frame.assign(b=frame.b > 0, c=frame.c.round().astype("Int64"))
    assert np.isfinite(fastgd.fit(mixed, plain.y).coef).all()


@pytest.mark.jit
@pytest.mark.parametrize("batch", BATCHES)
def test_a_second_call_compiles_nothing(plain, batch):
    import numba.core.event

    def call(scale):
        optimizer = fastgd.optimizers.Adam(beta1=0.9 * scale)
        y, weight = scale * plain.y, None if scale == 1 else plain.X[:, 0] ** 2
        fastgd.fit(plain.X, y, optimizer=optimizer, alpha=scale, sample_weight=weight, batch_size=batch, epochs=2)

    call(1.0)
    with numba.core.event.install_recorder("numba:compile") as recorder:
        call(0.5)
    assert recorder.buffer == []


# The same bits -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.jit
def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(passes, "TASK_ELEMENTS", 1)  # a task for each of the 77 chunks
    X = np.random.default_rng(0).standard_normal((20_000 - 1, 513))
    y = X[:, :20].sum(axis=1) + 1
    expected, *others = (fits(X, y, batches=(None, 9000), n_threads=n, evaluate=True) for n in (1, 2, 4, 4))
    for other in others:
        np.testing.assert_array_equal(other, expected)


BLAS_SCRIPT = """
import numpy as np, fastgd
rng = np.random.default_rng(0)
X = rng.standard_normal((30_000, 200))
r = fastgd.fit(X, X[:, :9].sum(axis=1) + rng.standard_normal(30_000), epochs=5, n_threads=2)
print(r.coef.tobytes().hex(), r.intercept.hex(), float(r.loss).hex(), r.choices["learning_rate"])
"""


@pytest.mark.slow
@pytest.mark.jit
def test_the_threads_of_blas_do_not_change_a_bit():
    outputs = set()
    for threads in "124":
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)}
        outputs.add(
            subprocess.run([sys.executable, "-c", BLAS_SCRIPT], env=env, capture_output=True, check=True).stdout
        )
    assert len(outputs) == 1


@pytest.mark.parametrize("batch", BATCHES)
def test_a_seed_gives_the_same_bits_again(plain, batch):
    a, b, c = (fits(plain.X, plain.y, (batch,), shuffle=s) for s in ("block", "block", "full"))
    np.testing.assert_array_equal(a, b)
    assert np.array_equal(a, c) == (batch is None)


# How a run ends ----------------------------------------------------------------------------------------------------


@diverges
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize("batch", BATCHES)
def test_a_diverging_run_ends_with_finite_weights_and_says_so(plain, batch, optimizer):
    r = fastgd.fit(plain.X, plain.y, optimizer=optimizer, learning_rate=50.0, batch_size=batch, epochs=2000)
    assert r.status == "diverged"
    assert np.isfinite([*r.coef, r.intercept]).all()
    assert np.isfinite(r.history.loss).all()
    assert r.n_epochs == r.history.loss.size < 2000
    assert f"after epoch {r.n_epochs};" in r.message
    assert "learning_rate" in r.message


@diverges
@pytest.mark.parametrize("batch", BATCHES)
def test_a_run_that_ends_above_its_start_is_diverged_too(plain, batch):
    r = fastgd.fit(plain.X, plain.y, learning_rate=3.0, batch_size=batch, epochs=3, random_state=0)
    assert r.status == "diverged"
    assert "above its start" in r.message


@pytest.mark.parametrize("batch", BATCHES)
def test_a_callback_sees_every_epoch_and_may_end_the_run(plain, batch):
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.epoch == 4

    r = fastgd.fit(plain.X, plain.y, optimizer="momentum", batch_size=batch, callback=callback)
    assert (r.status, r.n_epochs) == ("early_stopped", 4)
    assert [p.epoch for p in seen] == [1, 2, 3, 4]
    assert [p.loss for p in seen] == list(r.history.loss)
    assert [p.learning_rate for p in seen] == list(r.history.learning_rate)
    assert seen[-1].n_steps == r.n_steps


@pytest.mark.parametrize("batch", BATCHES)
def test_an_interrupted_run_keeps_what_it_has(plain, batch):
    def callback(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    options = {"optimizer": "momentum", "batch_size": batch, "random_state": 0}
    r = fastgd.fit(plain.X, plain.y, callback=callback, **options)
    whole = fastgd.fit(plain.X, plain.y, epochs=3, **options)
    assert (r.status, r.n_epochs, r.n_steps) == ("interrupted", 3, whole.n_steps)
    np.testing.assert_array_equal(r.coef, whole.coef)
    np.testing.assert_array_equal(r.history.loss, whole.history.loss)


def test_an_error_in_a_callback_is_the_callers(plain):
    with pytest.raises(ZeroDivisionError):
        fastgd.fit(plain.X, plain.y, callback=lambda progress: 1 / 0)


# The result --------------------------------------------------------------------------------------------------------


def test_a_result_can_be_pickled_without_its_data(plain):
    r = fastgd.fit(plain.X, plain.y)
    copy = pickle.loads(pickle.dumps(r))
    np.testing.assert_array_equal(copy.coef, r.coef)
    np.testing.assert_array_equal(copy.history.loss, r.history.loss)
    assert (copy.status, copy.choices, copy.loss) == (r.status, r.choices, r.loss)
    assert copy.objective(plain.X, plain.y) == r.objective(plain.X, plain.y)
    assert len(pickle.dumps(r)) < 100_000


@pytest.mark.parametrize("evaluate", [True, False])
def test_plot_renders(plain, tmp_path, evaluate):
    import matplotlib.pyplot as plt

    r = fastgd.fit(plain.X, plain.y, evaluate=evaluate, epochs=30)
    axes = r.plot()
    drawn = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert len(drawn) == 1 + evaluate
    assert r.plot(axes) is axes
    axes.figure.savefig(tmp_path / "plot.png")
    plt.close(axes.figure)


def test_verbose_shows_a_bar_on_stderr(plain, capsys):
    fastgd.fit(plain.X, plain.y, verbose=1, batch_size=16, epochs=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    assert "loss=" in err


def test_verbose_prints_the_choices_of_every_call_once(plain, capsys):
    """Chunks after the first choose nothing; a sweep has those of each pass, here two."""
    r = fastgd.fit(plain.X, plain.y, verbose=1, epochs=2)
    assert all(f"{name}: {words}\n" in capsys.readouterr().err for name, words in [*r.choices.items()][:1])
    r = fastgd.partial_fit(plain.X, plain.y, verbose=1)
    assert f"solver: {r.choices['solver']}\n" in capsys.readouterr().err
    fastgd.partial_fit(plain.X, plain.y, r, verbose=1)
    assert "solver: " not in capsys.readouterr().err
    s = fastgd.sweep(plain.X, plain.y, verbose=1, alpha=[0.0, 0.1, 0.2], loss=["squared_error", "huber"], epochs=2)
    err = capsys.readouterr().err
    assert err.count(f"solver: {s.results[0].choices['solver']}\n") == 1
    s = fastgd.sweep(plain.X, plain.y, verbose=1, alpha=[0.1, 0.2], batch_size=[8, 16], epochs=2)
    err = capsys.readouterr().err
    assert [err.count(f"learning_rate: {r.choices['learning_rate']}\n") for r in s.results] == [1] * 4


def test_repr_tells_the_story(plain):
    text = repr(fastgd.fit(plain.X, plain.y))
    for word in ("FitResult", "epochs", "intercept", "learning_rate", "standardize"):
        assert word in text


# Nothing chosen ----------------------------------------------------------------------------------------------------


def start(problem, loss, y):
    """The objective of the best constant that an automatic fit starts from."""
    table = arrays.table(problem.X, y, problem.weight, LOSSES[loss])
    return data_statistics.mean_losses(table, LOSSES[loss], data_statistics.best_constants(table, LOSSES[loss]))[0]


def automatic():
    """Loss, optimizer, batch and whether columns are scaled: every loss and every optimizer on each kind of batch.

    All of them together would compile for minutes, and run as long. Batches of 7 and 32 have the same rates but for
    their size: losses and optimizers take turns between them, and between scaled and raw columns.
    """
    for k, loss in enumerate(LOSSES):
        yield loss, "auto", (7, 32)[k % 2], k % 4 < 2
        yield from ((loss, "auto", None, scaled) for scaled in (True, False))
    for k, optimizer in enumerate(OPTIMIZERS):
        yield from (("squared_error", optimizer, batch, k % 4 < 2) for batch in ((7, 32)[k % 2], None))
    yield from ((loss, "auto", 1, loss == "poisson") for loss in ("squared_error", "poisson", "hinge"))


@pytest.mark.slow
@pytest.mark.parametrize("loss, optimizer, batch, standardize", list(automatic()))
def test_automatic_settings_never_diverge(loss, optimizer, batch, standardize):
    for name, problem in PROBLEMS.items():
        if name in ("one_row", "constant_target") and LOSSES[loss].labels:
            continue  # no two classes
        if name == "float32" and (loss != "squared_error" or (batch is None and optimizer != "auto")):
            continue  # to compile less
        y = problem.target(LOSSES[loss])
        options = {"loss": loss, "optimizer": optimizer, "batch_size": batch, "standardize": standardize}
        if optimizer != "auto":
            options["bounds"] = (None, None)  # no bounds, but compiled as with a penalty
        if batch is not None and (name, loss) != ("plain", "squared_error"):
            # Of the 6,000 that so few rows are given, which take minutes; two optimizers go on for longer.
            options["epochs"] = 500 if optimizer in ("sgd", "adam") else 150
        r = fastgd.fit(problem.X, y, sample_weight=problem.weight, random_state=0, **options)
        before = start(problem, loss, y)
        assert r.status in ("converged", "max_epochs"), (name, r)
        after = r.objective(problem.X, y, problem.weight)
        assert np.isfinite([*r.coef, r.intercept, r.loss, after]).all(), (name, r)
        assert after <= before + 1e-6 * (1 + abs(before)), (name, before, after, r)
        for words in r.choices.values():
            assert isinstance(words, str)
            assert words


@pytest.mark.parametrize("batch", [None, pytest.param(16, marks=pytest.mark.jit)])
def test_raw_data_end_near_the_optimum(problems, batch):
    for name in ("plain", "raw", "raw_target", "one_column", "degenerate", "float32"):
        X, y, _ = problems[name]
        best = 0.5 * np.mean(residual(X, y) ** 2)
        r = fastgd.fit(X, y, batch_size=batch, random_state=0)
        assert r.objective(X, y) <= best + 0.02 * (0.5 * np.var(y) - best) + 1e-9, name


def residual(X, y):
    """The residual of least squares."""
    spread = X.std(axis=0)
    Z = np.column_stack([(X - X.mean(axis=0)) / np.where(spread > 0, spread, 1), np.ones(len(X))]).astype(float)
    return Z @ np.linalg.lstsq(Z, y)[0] - y


# Properties --------------------------------------------------------------------------------------------------------

run_options = st.fixed_dictionaries(
    {
        "batch_size": st.sampled_from(BATCHES),
        "random_state": st.integers(0, 99),
        "shuffle": st.sampled_from(["block", "full"]),
    }
)


@settings(max_examples=20)
@given(options=run_options, order=st.permutations(range(3)))
def test_the_order_of_columns_does_not_matter(options, order):
    X, y, _ = PROBLEMS["plain"]
    options = {**options, "epochs": 4, "learning_rate": 0.1, "standardize": True}
    a, b = fastgd.fit(X, y, **options), fastgd.fit(X[:, order], y, **options)
    np.testing.assert_allclose(b.coef, a.coef[list(order)], rtol=1e-9, atol=1e-9)


@settings(max_examples=20)
@given(options=run_options, powers=st.lists(st.integers(-60, 60), min_size=3, max_size=3))
def test_the_units_of_columns_do_not_matter(options, powers):
    X, y, _ = PROBLEMS["plain"]
    units = np.ldexp(1.0, powers)
    a, b = fastgd.fit(X, y, epochs=4, **options), fastgd.fit(X * units, y, epochs=4, **options)
    np.testing.assert_array_equal(b.coef * units, a.coef)
    assert b.intercept == pytest.approx(a.intercept, rel=1e-12)


@settings(max_examples=20)
@given(options=run_options, shift=st.floats(-1e4, 1e4))
def test_a_shift_of_the_target_shifts_the_intercept(options, shift):
    X, y, _ = PROBLEMS["plain"]
    options = {**options, "epochs": 4, "optimizer": "sgd"}
    a, b = fastgd.fit(X, y, **options), fastgd.fit(X, y + shift, **options)
    np.testing.assert_allclose(b.coef, a.coef, rtol=1e-6, atol=1e-6)
    assert b.intercept - a.intercept == pytest.approx(shift, rel=1e-6, abs=1e-6)


@pytest.mark.skipif(JIT_OFF, reason="Python kernels round as NumPy does")
@pytest.mark.parametrize("batch", BATCHES)
def test_float32_is_as_good_as_its_digits(plain, batch):
    a, b = (
        fastgd.fit(plain.X.astype(kind), plain.y.astype(kind), batch_size=batch, random_state=0, epochs=5)
        for kind in (np.float32, np.float64)
    )
    assert b.coef.dtype == a.coef.dtype == np.float64
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-4, atol=1e-4)


# Ctrl-C and memory, for real ------------------------------------------------------------------------------------------


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("options", [{"batch_size": None, "n_threads": 2}, {"batch_size": 32}, {"batch_size": 1}])
def test_a_signal_between_slices_interrupts(options):
    random = np.random.default_rng(0)
    X = random.standard_normal((400_000, 20))
    y = X.sum(axis=1)
    options = {"learning_rate": 1e-3, "random_state": 0, **options}
    fastgd.fit(X, y, epochs=1, **options)  # compiled

    def stop(number, frame):
        raise KeyboardInterrupt

    def press():
        begun.wait()
        signal.raise_signal(signal.SIGUSR1)  # its handler runs in the main thread, wherever that is

    begun, thread = threading.Event(), threading.Thread(target=press)
    before = signal.signal(signal.SIGUSR1, stop)
    thread.start()
    try:
        r = fastgd.fit(X, y, epochs=100_000, callback=lambda progress: begun.set(), **options)
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        begun.set()  # also where an error came before the first epoch
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert r.status == "interrupted"
    assert np.isfinite(r.coef).all()
    assert r.n_steps > 0
    assert r.history.loss.size == r.n_epochs


@pytest.mark.jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"batch_size": 32}, {"batch_size": 1, "learning_rate": 1e-3}])
def test_a_canonical_X_is_never_copied(dtype, options):
    X = np.random.default_rng(0).standard_normal((60_000, 100), dtype=dtype)
    y = X[:, 0].copy()
    fastgd.fit(X, y, epochs=1, **options)  # compiled
    tracemalloc.start()
    try:
        fastgd.fit(X, y, epochs=2, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.25 * X.nbytes


# What hostile users found ---------------------------------------------------------------------------------------------

FAR = {
    "float32, far from zero": (np.float32, 1e6, 1.0, {}),
    "float32, further": (np.float32, 1e9, 1.0, {}),
    "tiny units, batches": (np.float64, 0.0, 1e-13, {"batch_size": 32}),
    "far, batches, ridge": (np.float64, 1e6, 1.0, {"batch_size": 32, "alpha": 1e-4}),
    "far, batches, bounds": (np.float64, 1e6, 1.0, {"batch_size": 32, "bounds": (0, None)}),
    "huge units": (np.float64, 0.0, 1e120, {}),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.jit if "batch" in name else []) for name in FAR])
def test_targets_far_from_zero_and_of_any_units(name):
    dtype, away, unit, options = FAR[name]
    random = np.random.default_rng(0)
    X = random.standard_normal((2000, 3))
    y = unit * (X @ [1.0, 2.0, 3.0] + 0.1 * random.standard_normal(2000)) + away
    r = fastgd.fit(X.astype(dtype), y, random_state=0, **options)
    np.testing.assert_allclose(r.coef, unit * np.array([1.0, 2.0, 3.0]), rtol=0.05)
    assert r.intercept == pytest.approx(away, abs=0.1 * unit)


def test_a_rate_too_small_is_not_called_converged(plain):
    r = fastgd.fit(plain.X, plain.y, learning_rate=1e-9)
    assert r.status == "max_epochs"


@diverges
@pytest.mark.parametrize("options", [{"batch_size": None, "epochs": 1}, {"batch_size": 1, "max_steps": 40}])
def test_divergence_is_told_where_no_record_can(plain, options):
    r = fastgd.fit(plain.X, plain.y, learning_rate=20.0, random_state=0, **options)
    assert r.status == "diverged"
    assert np.isfinite(r.coef).all()


@pytest.mark.parametrize("away", [0.0, 3.0])
def test_an_exact_fit_converges(plain, away):
    r = fastgd.fit(plain.X, plain.X @ np.arange(plain.X.shape[1]) + away)
    assert (r.status, r.loss < 1e-20) == ("converged", True)


@diverges
def test_coefficients_that_overflow_are_not_returned(plain):
    r = fastgd.fit(1e-100 * plain.X, plain.y, standardize=True, learning_rate=1e250, epochs=3)
    assert r.status == "diverged"
    assert np.isfinite(r.coef).all()
    assert np.isfinite(r.intercept)


def test_rows_never_visited_are_met_by_the_objective(plain):
    X = plain.X.copy()
    X[-1] = np.nan
    r = fastgd.fit(X, plain.y, learning_rate=0.01, batch_size=8, max_steps=2, shuffle=False)
    with pytest.raises(ValueError, match=f"X holds NaN or infinity, the first in row {len(X) - 1}"):
        r.objective(X, plain.y)


HOSTILE = {
    "y is a masked array": {"y": np.ma.array([1.0, 2.0, 3.0], mask=[True, False, False])},
    "y holds NaN, the first in row 2": {"y": np.array([1.0, 1.0, np.nan], object), "loss": "log_loss"},
    "bounds has a .min, max. pair for each of 2 columns: pass all lower bounds": {"bounds": [(0, 1), (0, 1)]},
    "bounds overflow float32": {"bounds": (1e39, None), "X": np.ones((3, 2), np.float32)},
    "alpha=1e.39 overflows": {"alpha": 1e39, "X": np.ones((3, 2), np.float32)},
    "The loss overflows: the largest size of a value of y is 3e": {"y": [1e200, 2e200, 3e200]},
    "y is at most 3e-60, too small for float32": {"y": [1e-60, 2e-60, 3e-60], "X": np.ones((3, 2), np.float32)},
    "y has values whose squares overflow float32": {
        "y": np.array([1e20, 2e20, 4e20]),
        "X": np.eye(3, 2, dtype=np.float32),
        "batch_size": 2,
    },
    "column 1 that are too small to be scaled in float64: divide": {"X": np.array([[1, 1e-170], [2, 3e-170], [3, 0]])},
    "column 0 that are too small to be scaled in float32: divide": {"X": np.array([[0], [1e-42], [2e-42]], np.float32)},
    "offset is for losses of one score": {"loss": "multinomial", "y": ["a", "b", "c"], "offset": [1.0, 2.0, 3.0]},
    "learning_rate is too large": {"learning_rate": 10**400},
    "row 0, column 'a'": {"X": pd.DataFrame({"a": pd.array([None, 1, 2], dtype="Int64"), "b": 1.0})},
    "loss=.* is not one of fastgd's losses": {"loss": optimizers.Adam()},
    "False": {"shuffle": "none"},
}


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_arguments_are_named(words):
    arguments = {"X": np.arange(6.0).reshape(3, 2), "y": [1.0, 2.0, 4.0], **HOSTILE[words]}
    with pytest.raises((TypeError, ValueError), match=words):
        fastgd.fit(**arguments)


COUNTS = np.arange(40.0) % 7


class LogCosh(NamedTuple):
    """A user's loss, written so that it overflows."""

    scale: float = 1.0
    residual_only = True

    def value(self, p, y):
        return self.scale**2 * np.log(np.cosh((p - y) / self.scale))

    def slope(self, p, y):
        return self.scale * np.tanh((p - y) / self.scale)


@pytest.mark.parametrize(
    "y, options, words",
    [
        (
            COUNTS + 1.0,
            {"loss": "gamma", "offset": np.linspace(-2000.0, 0.0, 40)},
            "offset .*as large as 2000.*logarithm of the exposure",
        ),
        (COUNTS, {"loss": "mse", "offset": np.linspace(0, 1e300, 40)}, r"offset .*as large as 1e\+300.*larger unit"),
        (COUNTS * 1e4, {"loss": LogCosh()}, "y is [0-9e+]*: divide y by it, or write value of loss=LogCosh so that"),
        (COUNTS * 1e200, {"loss": "mse"}, r"y is [0-9]e\+200: divide y by it\.$"),
    ],
)
def test_the_cause_of_an_overflow_is_named(y, options, words):
    with pytest.raises(ValueError, match=f"^The loss overflows: .*{words}"):
        reference.fit(np.arange(40.0)[:, None], y, **options)


def test_options_have_the_bounds():
    X = np.arange(12.0).reshape(6, 2) % 5
    r = fastgd.fit(X, X @ [1.0, -1.0], bounds=(0, [1.0, np.inf]))
    low, high = r.options["bounds"]
    assert (low.tolist(), high.tolist()) == ([0.0, 0.0], [1.0, np.inf])
    low[:] = 5.0
    assert r.options["bounds"][0].tolist() == [0.0, 0.0]
    assert fastgd.fit(X, X[:, 0]).options["bounds"] is None
