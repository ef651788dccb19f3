"""Rows on a cluster against the same rows in memory: the bits of every pass and of every fit."""

import numpy as np
import pytest
import scipy.sparse
from clusters import Shards, local

import fastgd
from fastgd.engines import Dask, cluster_rows
from fastgd.engines.cluster_rows import ClusterRows, bundle_level, moves
from fastgd.kernels import column_statistics, curvature, full_batch
from fastgd.kernels.lanes import Data
from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.parts.losses import LogLoss
from fastgd.solvers.passes import lane_of
from fastgd.solvers.reduction import Chunks, chunks_of

RNG = np.random.default_rng(0)
N, D = 9000, 6
SMALL = {"CHUNK_ELEMENTS": 1, "DENSE_CHUNKS": 10**6}
LARGE = {name: getattr(full_batch, name) for name in SMALL}


def rows_of(kind, dtype):
    """Random rows of a layout."""
    X = RNG.standard_normal((N, D)).astype(dtype)
    if kind == "dense":
        return Dense(frozen(X))
    return CSR.of(scipy.sparse.csr_array(np.where(RNG.uniform(size=X.shape) < 0.3, X, 0)))


def data_of(rows, targets, weighted):
    """What passes read."""
    dtype, empty = rows.dtype, np.empty(0, rows.dtype)
    return Data(
        rows, frozen(targets[None].astype(dtype)), frozen(RNG.uniform(size=N).astype(dtype) if weighted else empty),
        frozen(empty), np.full(D, 0.1, dtype), np.full(D, 2.0, dtype), 1.0, float(N), np.empty((0, 0), np.int8), 0, 1,
        empty,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 264 rows, so that there are some of them."""
    for name, value in SMALL.items():
        monkeypatch.setattr(full_batch, name, value)


@pytest.fixture
def small_chunks_there(client):
    """The same on the workers, where passes over some rows are made of those over others."""
    client.run(chunks_are, SMALL)
    yield
    client.run(chunks_are, LARGE)


def chunks_are(constants):
    """On a worker."""
    vars(full_batch).update(constants)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("kind", "dtype", "level"),
    [*(("dense", np.float64, level) for level in (0, 1, 3, 5)), ("dense", np.float32, 1), ("sparse", np.float64, 1)],
)
def test_passes_have_the_bits_of_rows_in_memory(client, monkeypatch, kind, dtype, level):
    monkeypatch.setattr(cluster_rows, "bundle_level", lambda *_: level)
    monkeypatch.setattr(cluster_rows, "FAN_IN", 4)
    monkeypatch.setattr(cluster_rows, "HERE_BYTES", 0 if level else 1 << 20)
    rows = rows_of(kind, dtype)
    y = np.where(RNG.uniform(size=N) < 0.5, 1.0, -1.0)
    there = Dask(client).rows(Shards(rows, y, [1, 0, 5000, 3999, 0]))
    here, data = (data_of(some, y, kind == "dense") for some in (rows, there))
    data = data._replace(weight=here.weight)
    lanes, unit = lane_of(RNG.standard_normal(D + 1), dtype), full_batch.chunk_rows(rows)
    assert unit == there.unit
    loss, shapes = LogLoss(), [lanes.weights.shape, lanes.weights.shape[:1]]
    for chunk in (unit, 4 * unit, 64 * unit):
        expected = Chunks(here, chunk, 2).sums(full_batch.chunk_sums, (loss, lanes), shapes)
        found = chunks_of(data, chunk, 2).sums(full_batch.chunk_sums, (loss, lanes), shapes, stride=2)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    results = []
    for some in (here, data):
        chunks, out, largest = chunks_of(some, unit, 2), np.empty(N, dtype), np.empty(-(-N // unit))
        chunks.by_row(curvature.scores, (lanes, 0), out)
        chunks.by_chunk(column_statistics.largest_row, (), (largest,))
        results.append((out, largest))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_questions_about_rows(client, kind):
    rows = rows_of(kind, np.float64)
    there = Dask(client).rows(Shards(rows, np.zeros(N), [4000, 0, 5000]))
    assert (there.shape, there.dtype, there.stored) == (rows.shape, rows.dtype, rows.stored)
    some = RNG.permutation(N)[:50]
    for wanted in (some, np.arange(N) % 7 == 0, some[:0]):
        np.testing.assert_array_equal(there.take(wanted).array(), rows.take(wanted).array())
    coef = RNG.standard_normal((2, D))
    np.testing.assert_allclose(there.scores(coef), rows.scores(coef), rtol=1e-12)
    np.testing.assert_array_equal(there.array(), rows.array())
    assert there.non_finite() is None
    assert there.place(4000) == "part 2, row 0"
    values = np.array(rows.values)
    values.reshape(-1)[values.size - 2] = np.nan
    bad = type(rows)(frozen(values), *rows[1:])
    assert Dask(client).rows(Shards(bad, np.zeros(N), [4000, 0, 5000])).non_finite() == bad.non_finite()


def test_bundles_are_shared_out_evenly():
    for count in (1, 2, 7, 64, 1000):
        for threads in (1, 2, 3, 4, 5, 6, 64, 256):
            level = bundle_level(count, threads, 1 << 40)
            bundles = -(-count >> level)
            assert bundles >= min(threads, count)
            assert bundles <= max(1, 16 * threads)
            if count >= 64 and threads <= 6:
                assert -(-bundles // threads) * threads * 2**level <= 1.5 * count
    assert bundle_level(64, 2, 1 << 40) == 5
    assert bundle_level(64, 2, 5) == 2  # no bundle has more chunks than that
    assert bundle_level(64, 2, 0) == 0


def test_bundles_move_to_those_that_have_few():
    assert moves(dict.fromkeys(range(4), "a"), {"a": 1, "b": 1}) == [(3, "b"), (2, "b")]
    assert moves(dict.fromkeys(range(4), "a"), {"a": 3, "b": 1}) == [(3, "b")]
    assert moves({0: "a", 1: "a", 2: "b"}, {"a": 1, "b": 1}) == []
    assert moves({0: "a", 1: "gone"}, {"a": 1}) == []
    assert moves({}, {"a": 1}) == moves({}, {}) == []


def test_vectors_are_sent_once(client, monkeypatch):
    rows, y = rows_of("dense", np.float64), np.ones(N)
    there, sent = Dask(client).rows(Shards(rows, y, [N])), []
    whole = ClusterRows.map
    monkeypatch.setattr(
        ClusterRows, "map", lambda self, *what, **where: sent.append(what[0]) or whole(self, *what, **where)
    )
    data, lanes, out = data_of(there, y, True), lane_of(np.zeros(D + 1), np.float64), np.empty(N)
    bundles = len(there.edges) - 1
    for _ in range(2):
        chunks_of(data, there.unit, 1).by_row(curvature.scores, (lanes, 0), out)
    assert sent.count("vector") == 2 * bundles  # targets and weights
    chunks_of(data._replace(weight=frozen(np.ones(N))), there.unit, 1).by_row(curvature.scores, (lanes, 0), out)
    assert sent.count("vector") == 3 * bundles
    for k in range(2):  # one that can be written to is sent each time
        weight = np.full(N, float(k))
        chunks_of(data._replace(weight=weight), there.unit, 1).by_row(curvature.scores, (lanes, 0), out)
    assert sent.count("vector") == 5 * bundles


CASES = [
    {"loss": "squared_error"},
    {"loss": "multinomial"},
    {"loss": "hinge"},
    {"loss": "quantile"},
    {"loss": "log_loss", "alpha": 0.01, "l1_ratio": 0.5},
    {"loss": "log_loss", "optimizer": "momentum", "epochs": 10},
    {"loss": "log_loss", "validation": 0.2},
    {"loss": "log_loss", "bootstrap": 3},
]


def targets_of(loss, X):
    """Targets of a kind."""
    z = X @ np.linspace(-1, 1, X.shape[1])
    if loss == "multinomial":
        return np.digitize(z + RNG.standard_normal(len(z)), [-1.0, 1.0])
    if loss in ("log_loss", "hinge"):
        return np.where(z + RNG.logistic(size=len(z)) > 0, "yes", "no")
    return z + RNG.standard_normal(len(z))


def assert_same(found, expected):
    """The same model and the same run, to the last bit."""
    for name in ("coef", "intercept", "loss"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.history.loss, expected.history.loss)
    assert (found.status, found.message) == (expected.status, expected.message)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_a_fit_has_the_bits_of_one_machine(client, case):
    rows = rows_of("dense", np.float64)
    y = targets_of(case["loss"], rows.values)
    source = Shards(rows, y, [1000, 0, 7000, 1000])
    found = fastgd.fit(source, engine=Dask(client), random_state=0, **case)
    assert_same(found, fastgd.fit(rows.values, y, random_state=0, **case))


def test_nothing_is_left_on_the_cluster(client):
    rows, before = rows_of("dense", np.float64), {*client.futures}  # errors of other tests may keep some of theirs
    found = fastgd.fit(Shards(rows, rows.values[:, 0], [N]), engine=Dask(client))
    client.nthreads()  # what is let go of is told to the scheduler after a while
    assert {*client.futures} <= before
    assert found.coef[0] == pytest.approx(1.0)


def test_small_and_one_sided_shards(client):
    rows, engine = rows_of("dense", np.float64), Dask(client)
    y = np.sort(targets_of("log_loss", rows.values))
    lengths = [0, *[1] * 10, N - 11, 1, 0]
    assert_same(
        fastgd.fit(Shards(rows, y, lengths), loss="log_loss", engine=engine),
        fastgd.fit(rows.values, y, loss="log_loss"),
    )
    few = Dense(frozen(np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 0.0]])))
    y = np.array([1.0, 2.0, 5.0])
    assert_same(fastgd.fit(Shards(few, y, [1, 0, 2]), engine=engine), fastgd.fit(few.values, y))


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks_there")
def test_lanes_folds_and_rates(client):
    rows, engine = rows_of("dense", np.float64), Dask(client)
    y = targets_of("log_loss", rows.values)
    source, axes = Shards(rows, y, [N]), {"loss": "log_loss", "alpha": [1e-3, 1e-1], "random_state": 0}
    found = fastgd.sweep(source, engine=engine, cv=3, **axes)
    np.testing.assert_array_equal(found.losses, fastgd.sweep(rows.values, y, cv=3, **axes).losses)
    axes = {"loss": "log_loss", "learning_rate": [1e-2, 1e-3], "epochs": 4}
    found = fastgd.sweep(source, engine=engine, **axes)
    np.testing.assert_array_equal(found.losses, fastgd.sweep(rows.values, y, **axes).losses)
    found = fastgd.lr_find(source, loss="log_loss", engine=engine, num=20)
    np.testing.assert_array_equal(found.losses, fastgd.lr_find(rows.values, y, loss="log_loss", num=20).losses)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "threads"), [pytest.param(1, 2, marks=pytest.mark.long), (3, 1)])
def test_workers_and_threads_change_no_bit(workers, threads):
    rows = rows_of("dense", np.float64)
    y = targets_of("log_loss", rows.values)
    with local(workers, threads) as client:
        found = fastgd.fit(Shards(rows, y, [N]), engine=Dask(client), loss="log_loss")
    assert_same(found, fastgd.fit(rows.values, y, loss="log_loss"))
