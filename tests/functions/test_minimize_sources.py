"""``minimize`` over a source: the numbers of an array in the same order, one reading for many runs, and errors."""

import copy
import functools
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from batch_models import LINEAR, LINEAR_GRAD, X0, D, flat, linear, linear_grad, quadratic, quadratic_grad, same
from conftest import diverges
from held_source import Held

import fastgd
from fastgd import reference, schedules
from fastgd.inputs import opened
from fastgd.sources import shuffled
from fastgd.sources.base import ALL

N = 3000
RNG = np.random.default_rng(0)
X = np.column_stack([np.arange(N) / N, RNG.standard_normal((N, D - 1))])  # the first column tells which row it is
Y = X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(N)
GIVEN = {"batch_size": 16, "random_state": 2, "epochs": 2, "learning_rate": 0.02}
run = functools.partial(fastgd.minimize, linear, X0, linear_grad)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Buffers of a few hundred rows, and runs of a few; nothing is loaded."""
    monkeypatch.setattr(opened, "LOADED_BYTES", 0)
    monkeypatch.setattr(shuffled, "BUFFER_BYTES", 500 * (D + 3) * 8)
    monkeypatch.setattr(shuffled, "RUN_BYTES", 37 * D * 8)


def numbers_of(rows):
    """The numbers of rows of X."""
    return np.rint(rows[:, 0] * N).astype(int)


def recorded(source, **options):
    """The numbers of the rows of each step, and the result."""
    batches = []

    def grad(p, X, y):
        batches.append(numbers_of(X))
        return linear_grad(p, X, y)

    o = fastgd.minimize(linear, X0, grad, data=source, check_gradient=False, **{**GIVEN, **options})
    return batches[: o.nit], o


# The numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, "block", "full"])
def test_one_buffer_has_the_bits_of_an_array(monkeypatch, shuffle):
    monkeypatch.setattr(shuffled, "BUFFER_BYTES", 1 << 26)
    options = {**GIVEN, "shuffle": shuffle, "optimizer": "adam"}
    found, expected = run(data=Held(X, Y), **options), run(data=(X, Y), **options)
    same(found, expected)
    assert found.message == expected.message


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("shuffle", [False, "block", "full"])
@pytest.mark.parametrize("held", [None, 0.3])
def test_each_row_comes_once_an_epoch(mapped, shuffle, held):
    batches, o = recorded(Held(X, Y, mapped=mapped), shuffle=shuffle, validation=held)
    steps = o.nit // 2
    epochs = [np.concatenate(part) for part in (batches[:steps], batches[steps:])]
    trained = np.sort(epochs[0])
    assert trained.size == len(set(trained.tolist())) == (N if held is None else N - 900)
    np.testing.assert_array_equal(np.sort(epochs[1]), trained)
    assert (epochs[0].tolist() == trained.tolist()) == (shuffle is False)
    assert (epochs[0].tolist() == epochs[1].tolist()) == (shuffle is False)
    # The same steps by hand.
    w = np.zeros(D + 1)
    for rows in batches:
        w = w - 0.02 * flat(linear_grad({"w": w[:-1], "b": w[-1]}, X[rows], Y[rows]))
    np.testing.assert_allclose(o.state.weights[:-1], w, rtol=1e-11)
    if held is not None:
        out = np.setdiff1d(np.arange(N), trained)
        assert o.history.validation_fun[-1] == pytest.approx(
            linear({"w": w[:-1], "b": w[-1]}, X[out], Y[out]), rel=1e-10
        )
    else:
        assert o.fun == pytest.approx(linear(o.x, X, Y), rel=1e-10)


@pytest.mark.jit
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"validation": 0.2, "optimizer": "adam"}])
def test_compiled_plain_and_reference(options):
    plain = run(data=Held(X, Y), **GIVEN, **options)
    same(fastgd.minimize(LINEAR, X0, LINEAR_GRAD, data=Held(X, Y), **GIVEN, **options), plain, rtol=1e-10)
    same(reference.minimize(linear, X0, linear_grad, data=Held(X, Y), **GIVEN, **options), plain, rtol=1e-10)


def test_a_small_source_is_read_into_memory(monkeypatch):
    monkeypatch.setattr(opened, "LOADED_BYTES", 1 << 26)
    same(run(data=Held(X, Y), **GIVEN), run(data=(X, Y), **GIVEN))
    same(run(data=Held(X, Y), **{**GIVEN, "batch_size": None}), run(data=(X, Y), **{**GIVEN, "batch_size": None}))


def test_weights_are_an_array_more(monkeypatch):
    monkeypatch.setattr(shuffled, "BUFFER_BYTES", 1 << 26)
    weights = RNG.random(N)

    def fun(p, X, y, weight):
        np.testing.assert_array_equal(weight, weights[numbers_of(X)])
        return linear(p, X, y)

    o = fastgd.minimize(fun, X0, lambda p, X, y, weight: linear_grad(p, X, y), data=Held(X, Y, weight=weights), **GIVEN)
    same(o, run(data=Held(X, Y), **GIVEN), rtol=1e-14)


def test_a_source_of_rows_alone(tmp_path):
    np.save(tmp_path / "X.npy", X)
    source = fastgd.sources.npy(tmp_path / "X.npy")
    options = {"batch_size": 16, "random_state": 2, "shuffle": False, "learning_rate": 0.1}
    o, expected = (
        fastgd.minimize(quadratic, np.zeros(D), quadratic_grad, data=data, **options) for data in (source, X)
    )
    same(o, expected)
    for data in ((source, Y), [source]):
        with pytest.raises(TypeError, match=r"is a source, which holds all.*pass it alone, data=source"):
            fastgd.minimize(quadratic, np.zeros(D), quadratic_grad, data=data)


def test_float32_rows_make_float32_parameters(monkeypatch):
    monkeypatch.setattr(shuffled, "BUFFER_BYTES", 1 << 26)
    o = run(data=Held(X.astype(np.float32), Y.astype(np.float32)), **GIVEN)
    assert o.x["w"].dtype == np.float32
    np.testing.assert_allclose(flat(o.x), flat(run(data=Held(X, Y), **GIVEN).x), rtol=1e-4)


# Going on -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("steps", [1, 30, 70, 188, 200, 375])
def test_a_run_that_was_stopped_goes_on_with_the_same_bits(steps, mapped, tmp_path):
    source, options = Held(X, Y, mapped=mapped), {**GIVEN, "optimizer": "adam"}
    part = run(data=source, **options, max_iter=steps)
    part.save(tmp_path / "run.npz")
    whole = run(data=source, **options)
    assert (part.nit, whole.nit) == (steps, 376)
    for end in (part, fastgd.load(tmp_path / "run.npz"), copy.deepcopy(part)):
        same(run(data=source, **options, resume=end), whole)


def test_another_source_does_not_go_on_with_a_run():
    part = run(data=Held(X, Y), **GIVEN, max_iter=60)
    for other in (Held(X, Y, shards=(1000, 2000)), Held(X, Y, mapped=True), (X, Y)):
        with pytest.raises(ValueError, match=r"resume: the run had data: .*Pass the same"):
            run(data=other, **GIVEN, resume=part)


# Reading --------------------------------------------------------------------------------------------------------------


class Counted(Held):
    """A source that counts the rows of X that are read."""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.read = 0

    def pieces(self, shard, parts=ALL):
        for block in super().pieces(shard, parts):
            if "X" in parts:
                self.read += len(block.y)
            yield block


def test_the_runs_of_a_sweep_share_the_reading():
    one, many = Counted(X, Y), Counted(X, Y)
    options = {**GIVEN, "epochs": 8, "history": False, "check_gradient": False}
    alone = run(data=one, **options)
    s = fastgd.minimize_sweep(linear, X0, linear_grad, data=many, **{**options, "learning_rate": [0.01, 0.02, 0.03]})
    same(s.results[1], alone)
    # At its end each run reads rows for its value and that of the start, but those of epochs are read once.
    assert 10 * N < one.read < many.read < 1.7 * one.read


def test_seeds_of_a_sweep_have_orders_of_their_own():
    s = fastgd.minimize_sweep(linear, X0, linear_grad, data=Held(X, Y), **{**GIVEN, "random_state": [1, 2]})
    for seed, o in zip((1, 2), s.results, strict=True):
        same(o, run(data=Held(X, Y), **{**GIVEN, "random_state": seed}))


def reading():
    """The threads that read ahead."""
    return [thread for thread in threading.enumerate() if "reads ahead" in thread.name]


@pytest.mark.parametrize("how", ["end", "max_iter", "error", "ctrl-c", "lr_find", "sweep", "raises"])
def test_the_thread_ends_with_the_run(how):
    source = Held(X, Y)

    def stops(progress):
        assert len(reading()) == 1
        raise {"ctrl-c": KeyboardInterrupt}.get(how, LookupError)

    def fun(p, X, y):
        if how == "raises" and abs(p["b"]) > 1e-3:
            raise LookupError
        return linear(p, X, y)

    more = {"max_iter": {"max_iter": 60}, "error": {"callback": stops}, "ctrl-c": {"callback": stops}}.get(how, {})
    call = functools.partial(fastgd.minimize, fun, X0, linear_grad, data=source, **GIVEN, **more)
    if how == "lr_find":
        fastgd.lr_find(fun, X0, linear_grad, data=source, batch_size=16, num=30)
    elif how == "sweep":
        fastgd.minimize_sweep(fun, X0, linear_grad, data=source, **{**GIVEN, "learning_rate": [1e-3, 1e-2]})
    elif how in ("error", "raises"):
        with pytest.raises(LookupError):
            call()
    else:
        assert (call().status == "interrupted") == (how == "ctrl-c")
    assert not reading()


class Broken(Held):
    """A source whose last but one shard can not be read a second time, or has other rows then."""

    broken = False

    def pieces(self, shard, parts=ALL):
        if parts == ("X",) and shard == 3 and self.broken:
            raise OSError("the disk is gone")
        yield from super().pieces(shard, parts)


def test_an_error_of_the_reading_thread_is_raised():
    source = Broken(X, Y)

    def breaks(progress):
        source.broken = True

    with pytest.raises(OSError, match="the disk is gone"):
        run(data=source, **{**GIVEN, "epochs": 9}, callback=breaks)
    assert not reading()


@diverges
def test_rows_that_are_not_finite_are_named():
    bad = X.copy()
    bad[1800, 1] = np.nan
    o = run(data=Held(bad, Y), **GIVEN)
    assert o.status == "diverged" and "X holds NaN or infinity in shard 3" in o.message and "column 1" in o.message
    assert np.isfinite(flat(o.x)).all()
    y = Y.copy()
    y[7] = np.inf
    o = run(data=Held(X, y), **GIVEN)
    assert o.status == "diverged" and "data[1] holds NaN or infinity, first in row 7" in o.message


def test_rows_sorted_by_the_target_cause_one_warning():
    order = np.argsort(Y)
    with pytest.warns(UserWarning, match="variance lies between") as found:
        run(data=Held(X[order], Y[order], shards=(1000, 2000)), **GIVEN)
    assert [warning.filename for warning in found] == [__file__]


# Errors ---------------------------------------------------------------------------------------------------------------


def test_what_a_source_can_not_have():
    source = Held(X, Y)
    for options, words in (
        ({"shuffle": "replacement"}, r"shuffle='replacement'.*pass 'full'"),
        ({"batch_size": None}, "batch_size is needed"),
        ({"batch_size": "full"}, "batch_size is needed"),
        ({"batch_size": N}, "batch_size"),
        ({"validation": (X, Y, Y)}, "validation"),
        ({"validation": (X[:, :2], Y)}, "validation"),
    ):
        with pytest.raises(ValueError, match=words):
            run(data=source, **{**GIVEN, **options})


def test_sources_that_are_none_for_it():
    sparse = Held(sp.csr_array(X), Y)
    with pytest.raises(TypeError, match=r"sparse rows.*fastgd\.fit"):
        run(data=sparse, **GIVEN)
    with pytest.raises(TypeError, match=r"The source's y holds .*code the labels"):
        run(data=Held(X, np.where(Y > 0, "a", "b")), **GIVEN)
    with pytest.raises(ValueError, match="empty"):
        run(data=Held(X[:0], Y[:0], shards=(0,)), **GIVEN)


def test_a_held_out_set_in_memory_and_schedules():
    held = X[:50], Y[:50]
    o = run(data=Held(X, Y), **{**GIVEN, "learning_rate": schedules.Plateau(0.05, patience=0.0)}, validation=held)
    values = o.history.validation_fun
    assert values[o.state.best_epoch - 1] == values.min() == pytest.approx(linear(o.x, *held), rel=1e-12)
