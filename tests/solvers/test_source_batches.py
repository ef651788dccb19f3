"""Batches of the rows of a source: each row once an epoch, and the bits of an array whose rows have the same order."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import diverges, plan_of
from held_source import Held
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd
from fastgd.inputs import opened
from fastgd.solvers import batches, multi_lane, sparse_lazy, staged_sgd
from fastgd.sources import shuffled
from fastgd.sources.base import ALL
from fastgd.training.loop import train

N, D = 3000, 6


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Slices and buffers of a few hundred rows, and runs of a few; nothing is loaded."""
    monkeypatch.setattr(opened, "LOADED_BYTES", 0)
    monkeypatch.setattr(batches, "SLICE_ELEMENTS", 120 * (D + 33))
    monkeypatch.setattr(staged_sgd, "SLICE_ELEMENTS", 120 * (D + 33))
    monkeypatch.setattr(multi_lane, "SLICE_ELEMENTS", 120 * 34)
    monkeypatch.setattr(multi_lane, "SLICE_COLUMNS", 1)
    monkeypatch.setattr(sparse_lazy, "SLICE_NUMBERS", 120 * 34)
    monkeypatch.setattr(sparse_lazy, "SLICE_COLUMNS", 1)
    monkeypatch.setattr(shuffled, "BUFFER_BYTES", 500 * (D + 3) * 8)
    monkeypatch.setattr(shuffled, "RUN_BYTES", 37 * D * 8)


RNG = np.random.default_rng(0)
X = np.column_stack([np.linspace(-2, 2, N), RNG.standard_normal((N, D - 1))])
SCORES = X @ RNG.standard_normal(D)
Y = (SCORES + RNG.logistic(size=N) > 0) * 1.0
SPARSE = np.where(RNG.random((N, D)) < 0.3, X, 0.0)
SPARSE[:, 0] = np.linspace(1, 2, N)
SPARSE = sp.csr_array(SPARSE)
WEIGHT = RNG.integers(0, 3, N) * 1.0


def rows_of(plan, epoch, row=0):
    """The numbers of an epoch's rows from some position on, in the order in which steps take them."""
    loop = plan.solver.bind(plan)
    loop, found = getattr(loop, "engine", loop), []
    first = first_numbers(plan.data.rows.source.rows)
    while row < loop.rows:
        count = min(loop.slice - row % loop.slice, loop.rows - row)
        with np.errstate(over="ignore"):  # for kernels run as plain Python
            rows, _ = loop.order(epoch, row, count)
        found.append(np.searchsorted(first, first_numbers(loop.data.rows)[rows[:count]]))
        row += count
    loop.close()
    return np.concatenate(found)


def first_numbers(rows):
    """The first number of each row; they ascend in all tables here, so that they tell which row it is."""
    return rows.values[rows.starts[:-1].astype(int)] if rows.sparse else rows.values[:, 0]


def numbers_plan(source_options, n=N, **options):
    """A plan whose targets are the rows' numbers."""
    numbers = np.arange(float(n))
    source = Held(np.column_stack([numbers, numbers % 7]), numbers % 5, **source_options)
    given = {"batch_size": 8, "learning_rate": 1e-9, "fit_intercept": False, "random_state": 3, "epochs": 3} | options
    return plan_of(source, None, **given)


@pytest.mark.jit
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("shuffle", [False, "block", "full"])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_each_row_comes_once_an_epoch(mapped, shuffle, data):
    shards = data.draw(st.lists(st.integers(0, 900), min_size=1, max_size=12).filter(sum))
    batch, n = data.draw(st.integers(1, 60)), sum(shards)
    options = {"batch_size": min(batch, max(1, n - 1)), "shuffle": shuffle}
    held = data.draw(st.sampled_from([None, 0.3])) if n > 3 else None
    plan = numbers_plan({"shards": shards, "mapped": mapped, "piece": data.draw(st.integers(1, 400))}, n, **options,
                        validation=held)  # fmt: skip
    if plan.full:
        return
    trained = np.arange(n) if plan.rows is None else plan.rows
    for epoch in range(2):
        rows = rows_of(plan, epoch)
        np.testing.assert_array_equal(np.sort(rows), trained)
        if not shuffle:
            np.testing.assert_array_equal(rows, trained)
        row = data.draw(st.integers(0, (len(rows) - 1) // plan.batch)) * plan.batch
        np.testing.assert_array_equal(rows_of(plan, epoch, row), rows[row:])


def test_orders_differ_between_epochs_and_seeds():
    orders = [rows_of(numbers_plan({}, random_state=seed), epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_a_buffer_has_a_part_of_each_of_several_shards():
    plan = numbers_plan({"shards": [375] * 8})
    size = plan.solver.bind(plan).buffers.size
    for first in range(0, N - size, size):
        assert (np.bincount(rows_of(plan, 0)[first : first + size] // 375) == size // 8).all()


def test_a_buffer_has_runs_of_all_parts_where_rows_are_read_anywhere():
    plan = numbers_plan({"mapped": True, "shards": (2000, 1000)})
    epochs = plan.solver.bind(plan).buffers.epochs
    rows, length = rows_of(plan, 0), epochs.run * epochs.count
    for first in range(0, epochs.size * (epochs.count - 1), epochs.size):
        assert (np.bincount(rows[first : first + epochs.size] // length, minlength=N // length) > 0).all()


CASES = {
    "batches": {"learning_rate": 0.01, "batch_size": 16},
    "a batch that no slice is a multiple of": {"learning_rate": 0.01, "batch_size": 23},
    "single rows": {"learning_rate": 0.01, "batch_size": 1},
    "single rows, averaged": {"learning_rate": 0.01, "batch_size": 1, "average": True},
    "adam": {"optimizer": "adam", "batch_size": 16, "standardize": True},
    "stages": {"batch_size": 16},
    "validation": {"optimizer": "adam", "batch_size": 16, "validation": 0.2},
    "weights": {"learning_rate": 0.01, "batch_size": 16, "sample_weight": WEIGHT},
    "bootstrap": {"learning_rate": 0.01, "batch_size": 16, "bootstrap": 3},
    "many lanes": {"learning_rate": 0.01, "batch_size": 16, "loss": "squared_error", "y": np.column_stack([Y, SCORES])},
}
SPARSE_CASES = {
    "postponed steps": {"learning_rate": 0.01, "batch_size": 16, "alpha": 0.01},
    "postponed steps of single rows": {"learning_rate": 0.01, "batch_size": 1, "alpha": 0.01, "l1_ratio": 0.5},
    "steps of all columns": {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 16},
    "several targets": {"learning_rate": 0.01, "batch_size": 1, "loss": "squared_error",
                        "y": np.column_stack([Y, SCORES])},
    "hogwild": {"learning_rate": 0.01, "batch_size": 1, "parallel": "hogwild", "n_threads": 2},
}  # fmt: skip
EACH = [(X, name, case) for name, case in CASES.items()] + [(SPARSE, name, case) for name, case in SPARSE_CASES.items()]
WAYS = [pytest.param(*way, marks=pytest.mark.jit) for way in ((False, False), (True, "full"))] + [(False, "block")]
RESUMED = [each for each in EACH if each[1] not in ("bootstrap", "hogwild")]
RESUMED = [(*each, k % 2 == 1) for k, each in enumerate(RESUMED)]  # read in turn, and anywhere


def plans(rows, case, mapped, shuffle):
    """The plans of a source, and of the array with the order of the source's rows."""
    options = {"loss": "log_loss", "epochs": 2, "random_state": 1, "shuffle": shuffle} | case
    y, weight = options.pop("y", Y), options.pop("sample_weight", None)
    source = plan_of(Held(rows, y, mapped=mapped, weight=weight), None, **options)
    if not shuffle:
        return source, plan_of(rows, y, **options, sample_weight=weight)
    array = plan_of(rows, y, **options | {"shuffle": "full"}, sample_weight=weight)
    trained = np.arange(N) if source.rows is None else source.rows
    orders = [np.searchsorted(trained, rows_of(source, epoch)) for epoch in range(options["epochs"])]
    return source, replace(array, order=orders.__getitem__)


@pytest.mark.parametrize(("mapped", "shuffle"), WAYS)
@pytest.mark.parametrize(("rows", "name", "case"), EACH, ids=[name for _, name, _ in EACH])
def test_a_source_has_the_bits_of_an_array_in_its_order(rows, name, case, mapped, shuffle):
    source, array = plans(rows, case, mapped, shuffle)
    loop = source.solver.bind(source)
    assert getattr(loop, "engine", loop).buffers.count > 2
    for found, expected in zip(train(source), train(array), strict=True):
        np.testing.assert_array_equal(found.weights, expected.weights)
        np.testing.assert_array_equal(found.history["loss"], expected.history["loss"])
        assert found.objective == expected.objective


def test_one_buffer_has_the_order_of_an_array_and_is_read_once(monkeypatch):
    monkeypatch.setattr(shuffled, "BUFFER_BYTES", 1 << 26)
    source = Held(X, Y)
    options = {"loss": "log_loss", "learning_rate": 0.1, "batch_size": 16, "epochs": 4, "random_state": 2}
    found, expected = fastgd.fit(source, **options), fastgd.fit(X, Y, **options)
    np.testing.assert_array_equal(found.coef, expected.coef)


@diverges
@pytest.mark.jit
@pytest.mark.parametrize(("rows", "name", "case", "mapped"), RESUMED, ids=[name for _, name, *_ in RESUMED])
def test_a_run_that_was_stopped_goes_on_with_the_same_bits(rows, name, case, mapped):
    options = {"loss": "log_loss", "epochs": 3, "random_state": 1} | case
    y, weight = options.pop("y", Y), options.pop("sample_weight", None)
    source = Held(rows, y, mapped=mapped, weight=weight)
    whole = fastgd.fit(source, **options)
    for steps in (1, 40, 100):
        part = fastgd.fit(source, **options, max_steps=steps)
        on = fastgd.fit(source, **options, resume=part)
        # As in memory: postponed steps, and the losses of many lanes, have the same numbers to rounding only.
        agree = np.testing.assert_array_equal if "postponed" not in name else np.testing.assert_allclose
        agree(on.coef, whole.coef)
        np.testing.assert_allclose(
            on.history.loss, whole.history.loss, rtol=1e-14 if y.ndim == 2 or "postponed" in name else 0
        )


def test_replacement_is_an_error():
    with pytest.raises(ValueError, match=r"shuffle='replacement'.*pass 'full'"):
        fastgd.fit(Held(X, Y), shuffle="replacement", batch_size=8)


def test_another_source_does_not_go_on_with_a_run(tmp_path):
    options = {"loss": "log_loss", "learning_rate": 0.1, "batch_size": 16, "random_state": 2}
    part = fastgd.fit(Held(X, Y), **options, max_steps=60)
    part.save(tmp_path / "run")
    for other in ((Held(X, Y, shards=(1000, 2000)),), (Held(X, Y, mapped=True),), (X, Y)):
        with pytest.raises(ValueError, match=r"order of 5 shards read in turn.*the same source"):
            fastgd.fit(*other, **options, max_steps=90, resume=tmp_path / "run")
    on = fastgd.fit(Held(X, Y), **options, max_steps=90, resume=tmp_path / "run")
    np.testing.assert_array_equal(on.coef, fastgd.fit(Held(X, Y), **options, max_steps=90).coef)


def test_the_variance_between_buffers_is_what_it_says():
    y = np.column_stack([Y, np.sort(SCORES)])
    options = {"batch_size": 16, "learning_rate": 0.1, "validation": 0.2, "random_state": 1}
    plan = plan_of(Held(X, y), None, **options)
    with pytest.warns(UserWarning, match="read from their beginning"):
        epochs, rows = plan.solver.bind(plan).buffers.epochs, rows_of(plan, 0)
    edges = range(0, len(rows), epochs.size)
    parts = [y[rows[first : first + epochs.size]] for first in edges]
    mean = y[plan.rows].mean(axis=0)
    between = sum(len(part) * (part.mean(axis=0) - mean) ** 2 for part in parts) / len(rows)
    assert shuffled.between_buffers(epochs, plan.data.targets) == pytest.approx(
        (between / y[plan.rows].var(axis=0)).max()
    )


def test_rows_sorted_by_the_target_cause_one_warning():
    options = {"loss": "log_loss", "learning_rate": "auto", "optimizer": "sgd", "batch_size": 16, "epochs": 1}
    by_target = np.argsort(Y, kind="stable")
    with pytest.warns(UserWarning, match=r"variance lies between the \d buffers.*source.cached") as found:
        fastgd.fit(Held(X[by_target], Y[by_target], shards=(1000, 2000)), **options)
    assert [warning.filename for warning in found] == [__file__]
    # Where there is nothing to say, there is no warning.
    fastgd.fit(Held(X, Y), **options)
    fastgd.fit(Held(X[by_target], Y[by_target], mapped=True), **options)
    fastgd.fit(Held(X[by_target], Y[by_target], shards=(1000, 2000)), shuffle=False, **options)


def test_readers_share_the_memory(monkeypatch):
    def turns():
        plan = numbers_plan({"shards": [375] * 8})
        return plan.solver.bind(plan).buffers.epochs.turns

    assert turns() == 8
    monkeypatch.setattr(shuffled, "READERS_BYTES", 3 * shuffled.PIECE_BYTES + 3 * 375 * 16)
    assert turns() == 3
    monkeypatch.setattr(shuffled, "READERS_BYTES", 0)
    assert turns() == 1


def test_rows_in_memory_maps_are_copied_as_others_are(tmp_path):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y)
    options = {"loss": "log_loss", "learning_rate": 0.1, "batch_size": 16, "epochs": 2, "random_state": 2}
    found = fastgd.fit(fastgd.sources.npy(tmp_path / "X.npy", tmp_path / "y.npy"), **options)
    expected = fastgd.fit(Held(X, Y, shards=(N,), mapped=True), **options)
    np.testing.assert_array_equal(found.coef, expected.coef)
    assert shuffled.mapped(fastgd.sources.npy(tmp_path / "X.npy")) is not None
    np.save(tmp_path / "X.npy", np.asfortranarray(X))  # no map of rows
    assert shuffled.mapped(fastgd.sources.npy(tmp_path / "X.npy")) is None
    found = fastgd.fit(fastgd.sources.npy(tmp_path / "X.npy", tmp_path / "y.npy"), **options, validation=0.2)
    expected = fastgd.fit(Held(X, Y, shards=(N,), mapped=True), **options, validation=0.2)
    np.testing.assert_array_equal(found.coef, expected.coef)


# The thread ---------------------------------------------------------------------------------------------------------


def reading():
    """The threads that read ahead."""
    return [thread for thread in threading.enumerate() if "reads ahead" in thread.name]


class Broken(Held):
    """A source whose last shard can not be read a second time."""

    def pieces(self, shard, parts=ALL):
        if parts == ("X",) and shard == 3 and getattr(self, "broken", False):
            raise OSError("the disk is gone")
        yield from super().pieces(shard, parts)


def test_an_error_of_the_reading_thread_is_raised():
    source = Broken(X, Y)

    def breaks(progress):
        source.broken = True

    with pytest.raises(OSError, match="the disk is gone"):
        fastgd.fit(source, batch_size=8, learning_rate=0.01, epochs=9, callback=breaks, random_state=0)
    assert not reading()


@pytest.mark.parametrize("how", ["end", "max_steps", "error", "ctrl-c", "lr_find", "sweep"])
def test_the_thread_ends_with_the_run(how):
    source, options = Held(X, Y), {"batch_size": 8, "random_state": 0}

    def stops(progress):
        assert len(reading()) == 1
        raise {"ctrl-c": KeyboardInterrupt}.get(how, ZeroDivisionError)

    if how == "lr_find":
        fastgd.lr_find(source, **options)
    elif how == "sweep":
        fastgd.sweep(source, learning_rate=[1e-3, 1e-2], epochs=2, **options)
    elif how == "error":
        with pytest.raises(ZeroDivisionError):
            fastgd.fit(source, learning_rate=0.01, callback=stops, **options)
    else:
        more = {"end": {"epochs": 2}, "max_steps": {"max_steps": 30}, "ctrl-c": {"callback": stops}}[how]
        result = fastgd.fit(source, learning_rate=0.01, **options, **more)
        assert (result.status == "interrupted") == (how == "ctrl-c")
    assert not reading()
