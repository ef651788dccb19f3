"""Fits of rows that lie in files: the bits of the same rows in memory."""

import numpy as np
import pytest
from scipy import sparse

import fastgd
from fastgd import sources
from fastgd.inputs import opened

N, D = 6000, 7


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch):
    """However small a source is, its rows stay where they lie."""
    monkeypatch.setattr(opened, "LOADED_BYTES", 0)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Rows, targets by loss, and a function of targets that makes a source of shards of very different sizes."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("rows")
    X = (random.standard_normal((N, D)) * np.geomspace(0.1, 10.0, D) + 3.0).astype(np.float32)
    z = X @ (random.standard_normal(D) / np.geomspace(0.1, 10.0, D))
    z -= z.mean()
    targets = {
        "squared_error": z + random.standard_normal(N),
        "huber": z + random.standard_t(2, N),
        "log_loss": np.where(z + random.logistic(size=N) > 0, "yes", "no"),
        "poisson": random.poisson(np.exp(z / 5)),
        "multinomial": np.array(["a", "b", "c"])[np.digitize(z + random.standard_normal(N), [-1.0, 1.0])],
    }
    targets["hinge"], targets["quantile"] = targets["log_loss"], targets["squared_error"]
    np.save(folder / "X.npy", X)

    def source_of(loss, **more):
        if not (folder / f"{loss}.npy").exists():  # a file that changes is an error
            np.save(folder / f"{loss}.npy", targets[loss])
        return sources.npy(folder / "X.npy", folder / f"{loss}.npy", **more)

    return X, targets, source_of, folder


def assert_same(found, expected, words=True):
    """The same model and the same run, to the last bit."""
    for name in ("coef", "intercept", "loss"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.history.loss, expected.history.loss)
    assert found.status == expected.status
    assert not words or found.message == expected.message
    assert found.options["solver"] == expected.options["solver"]


def named(given):
    """A case, or a number of columns, in the name of a test."""
    return " ".join(map(str, given.values())) if isinstance(given, dict) else str(given)


CASES = [
    {"loss": "squared_error"},
    {"loss": "huber"},
    {"loss": "log_loss"},
    {"loss": "log_loss", "alpha": 0.01, "l1_ratio": 0.5},
    {"loss": "squared_error", "bounds": (-0.2, 0.2)},
    {"loss": "poisson"},
    pytest.param({"loss": "multinomial"}, marks=pytest.mark.slow),
    {"loss": "hinge"},
    {"loss": "quantile"},
    {"loss": "quantile", "alpha": 0.1, "l1_ratio": 1.0},
    {"loss": "log_loss", "optimizer": "momentum", "epochs": 20, "evaluate": True},
    {"loss": "squared_error", "learning_rate": 1e-3, "epochs": 5, "average": True},
    {"loss": "log_loss", "validation": 0.2},
    pytest.param({"loss": "log_loss", "bootstrap": 3}, marks=pytest.mark.slow),
]


@pytest.mark.jit
@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_source_has_the_bits_of_the_array(tables, case):
    X, targets, source_of, _ = tables
    source = source_of(case["loss"])
    found = fastgd.fit(source, random_state=0, **case)
    expected = fastgd.fit(X, targets[case["loss"]], random_state=0, **case)
    assert_same(found, expected)
    if "bootstrap" in case:
        np.testing.assert_array_equal(found.coef_std, expected.coef_std)


def test_weights_and_offsets_come_from_the_source(tables):
    X, targets, source_of, folder = tables
    weight, offset = np.arange(N) % 3, np.linspace(-1.0, 1.0, N)
    np.save(folder / "w.npy", weight)
    np.save(folder / "o.npy", offset)
    source = source_of("poisson", weight=folder / "w.npy", offset=folder / "o.npy")
    given = {"loss": "poisson", "sample_weight": weight, "offset": offset}
    assert_same(fastgd.fit(source, loss="poisson"), fastgd.fit(X, targets["poisson"], **given))
    with pytest.raises(ValueError, match=r"sample_weight is given, and the source holds its own"):
        fastgd.fit(source, loss="poisson", sample_weight=weight)
    plain = source_of("poisson")
    assert_same(
        fastgd.fit(plain, loss="poisson", sample_weight=weight, offset=offset), fastgd.fit(source, loss="poisson")
    )


@pytest.mark.jit
def test_lanes_and_folds(tables):
    X, targets, source_of, _ = tables
    axes = {"loss": "log_loss", "alpha": [1e-3, 1e-1], "random_state": 0}
    found = fastgd.sweep(source_of("log_loss"), cv=3, **axes)
    expected = fastgd.sweep(X, targets["log_loss"], cv=3, **axes)
    np.testing.assert_array_equal(found.losses, expected.losses)
    axes = {"learning_rate": [1e-3, 1e-4], "epochs": 4}
    found = fastgd.sweep(source_of("squared_error"), **axes)
    np.testing.assert_array_equal(found.losses, fastgd.sweep(X, targets["squared_error"], **axes).losses)
    found, expected = (
        fastgd.lr_find(source_of("huber"), loss="huber"),
        fastgd.lr_find(X, targets["huber"], loss="huber"),
    )
    np.testing.assert_array_equal(found.losses, expected.losses)


def test_a_run_is_resumed_from_its_state(tables, tmp_path):
    _, _, source_of, _ = tables
    source, options = source_of("log_loss"), {"loss": "log_loss", "tol": 1e-12}
    whole = fastgd.fit(source, epochs=4, **options)
    first = fastgd.fit(source, epochs=2, **options)
    first.save(tmp_path / "run.npz")
    assert_same(fastgd.fit(source, epochs=4, resume=tmp_path / "run.npz", **options), whole)


def test_the_reference_reads_sources_too(tables):
    _, _, source_of, _ = tables
    found, expected = (
        fastgd.reference.fit(source_of("huber"), loss="huber"),
        fastgd.fit(source_of("huber"), loss="huber"),
    )
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-3)


def test_what_a_source_can_not_be(tables, tmp_path):
    X, targets, source_of, folder = tables
    with pytest.raises(TypeError, match="X is a source, which holds its targets: leave out y"):
        fastgd.fit(source_of("huber"), targets["huber"], loss="huber")
    with pytest.raises(ValueError, match="The source has no targets"):
        fastgd.fit(sources.npy(folder / "X.npy"))
    bad = X.copy()
    bad[4321, 2] = np.nan
    np.save(tmp_path / "bad.npy", bad)
    source_of("huber")
    with pytest.raises(ValueError, match=r"NaN or infinity, the first in bad.npy, row 4321, column 2"):
        fastgd.fit(sources.npy(tmp_path / "bad.npy", folder / "huber.npy"), loss="huber")


def test_many_rows_keep_no_numbers_of_each(tables, monkeypatch):
    X, targets, source_of, _ = tables
    expected = fastgd.fit(X, targets["quantile"], loss="quantile")
    monkeypatch.setattr("fastgd.solvers.kinks.MOST_ROWS", N - 1)
    found = fastgd.fit(source_of("quantile"), loss="quantile")
    assert found.options["solver"] == "quasi_newton"
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-5)


WIDE = [
    {"loss": "log_loss", "alpha": 0.01, "l1_ratio": 0.5},
    {"loss": "squared_error", "bounds": (0.0, 1.0)},
    {"loss": "hinge", "alpha": 0.1},
]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("case", WIDE, ids=named)
def test_many_columns_have_the_bits_of_the_array(case, tmp_path):
    random = np.random.default_rng(1)
    X = random.standard_normal((2500, 1100)).astype(np.float32)
    y = X[:, 0] - X[:, 1] + random.standard_normal(2500)
    y = y if case["loss"] == "squared_error" else np.sign(y)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    found = fastgd.fit(sources.npy(tmp_path / "X.npy", tmp_path / "y.npy"), **case)
    assert_same(found, fastgd.fit(X, y, **case))


SPARSE = [
    ({"loss": "squared_error"}, 150),
    ({"loss": "squared_error"}, 3000),
    ({"loss": "log_loss", "alpha": 1e-3, "l1_ratio": 0.5}, 3000),
    pytest.param({"loss": "multinomial"}, 150, marks=pytest.mark.slow),
    pytest.param({"loss": "hinge", "alpha": 1e-3}, 150, marks=pytest.mark.slow),
    ({"loss": "poisson", "optimizer": "momentum", "epochs": 5}, 3000),
]


@pytest.mark.jit
@pytest.mark.parametrize(("case", "columns"), SPARSE, ids=named)
def test_sparse_rows_have_the_bits_of_those_in_memory(case, columns, tmp_path):
    random = np.random.default_rng(2)
    X = sparse.random_array((4000, columns), density=5 / columns, rng=random, format="csr")
    z = X @ random.standard_normal(columns)
    kinds = {"squared_error": z, "poisson": np.round(np.exp(z / 3)), "multinomial": np.digitize(z, [-0.5, 0.5])}
    y = kinds.get(case["loss"], np.sign(z + 0.1))
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(X, name))
    np.save(tmp_path / "y.npy", y)
    source = sources.csr(tmp_path, tmp_path / "y.npy", n_features=columns)
    options = {"epochs": 8, **case}
    # Separation of sparse rows is looked for in memory only.
    assert_same(fastgd.fit(source, **options), fastgd.fit(X, y, **options), words=False)


def test_collections_of_dask_are_sources():
    array = pytest.importorskip("dask.array")
    random = np.random.default_rng(3)
    X = random.standard_normal((500, 3))
    y, weight = X @ [1.0, 2.0, 3.0] + random.standard_normal(500), np.arange(500) % 3.0
    one, two, three = array.from_array(X, (120, 3)), array.from_array(y, 120), array.from_array(weight, 120)
    found = fastgd.fit(one, two, sample_weight=three)
    assert_same(found, fastgd.fit(X, y, sample_weight=weight))


def test_what_reads_rows_often_decodes_them_once(tables, monkeypatch):
    X, targets, _, _ = tables
    read = []

    def load(part):
        read.append(part)
        return X[part::3], targets["quantile"][part::3]

    source = sources.shards(load, range(3))
    order = np.concatenate([np.arange(N)[part::3] for part in range(3)])
    expected = fastgd.fit(X[order], targets["quantile"][order], loss="quantile")
    read.clear()
    assert_same(fastgd.fit(source, loss="quantile"), expected)
    assert len(read) <= 3 * 5  # rows are counted, vectors read, columns measured, rows copied, columns of the reading


def test_fewer_rows_than_columns_where_a_loss_has_kinks(tmp_path):
    X = np.random.default_rng(0).standard_normal((30, 40))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", X[:, 0])
    given = {"loss": "absolute_error", "alpha": 0.1}
    source = sources.npy(tmp_path / "X.npy", tmp_path / "y.npy")
    assert_same(fastgd.fit(source, **given), fastgd.fit(X, X[:, 0], **given))


def test_targets_of_shards_are_of_one_kind():
    X = np.random.default_rng(0).standard_normal((60, 2))
    z = np.round(3 * X[:, 0])

    def of(*kinds):
        return sources.shards(lambda k: (X[30 * k : 30 * k + 30], kinds[k](z[30 * k : 30 * k + 30])), range(2))

    mixed = of(lambda z: z.astype(np.int64), lambda z: z + 0.5)  # as of tables of which one has whole numbers only
    assert_same(fastgd.fit(mixed), fastgd.fit(X, z + 0.5 * (np.arange(60) >= 30)))
    for other in (lambda z: z.astype(str), lambda z: np.stack([z, z], axis=1), lambda z: z[:, None]):
        with pytest.raises(ValueError, match=r"shard 1 \(1\), row 0: y holds .* unlike the rows before it: all shards"):
            fastgd.fit(of(lambda z: z, other))


def test_files_that_change_during_a_run(tables, tmp_path):
    X, targets, *_ = tables
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", targets["huber"])
    source = sources.npy(tmp_path / "X.npy", tmp_path / "y.npy")
    with pytest.raises(ValueError, match=r"X.npy has changed since the source was opened: open the source again"):
        fastgd.fit(source, callback=lambda _: np.save(tmp_path / "X.npy", X[:9]), optimizer="momentum", epochs=3)
    with pytest.raises(ValueError, match=r"X.npy has changed since"):
        fastgd.partial_fit(source)


def test_no_rows_at_all(tmp_path):
    (tmp_path / "x.svm").write_text("# nothing\n")
    with pytest.raises(ValueError, match="The source is empty: none of its shards has a row"):
        fastgd.fit(sources.svmlight(tmp_path / "x.svm", 3))
