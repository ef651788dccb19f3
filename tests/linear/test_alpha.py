"""What ``alpha`` acts on: one rule for all calls, widths, optimizers and batches."""

import numpy as np
import pytest

import fastgd

RNG = np.random.default_rng(0)
N = 200
SCALES = np.array([0.1, 1.0, 10.0])
X = RNG.normal(size=(N, 3)) * SCALES + [0.0, 5.0, 100.0]
Y = (X - X.mean(axis=0)) / SCALES @ [1.0, -2.0, 0.5] + 1 + 0.3 * RNG.normal(size=N)
ALPHA = 0.5


def ridge(rows, penalised_as):
    """The closed form: coefficients whose multiples ``penalised_as`` (d,) have the penalty."""
    Z = rows - rows.mean(axis=0)
    return np.linalg.solve(Z.T @ Z / len(Z) + ALPHA * np.diag(penalised_as**2), Z.T @ (Y - Y.mean()) / len(Z))


def in_chunks(rows, **options):
    r = None
    for _ in range(150):
        r = fastgd.partial_fit(rows, Y, r, **options)
    return r


FITS = {
    "default": (lambda rows: fastgd.fit(rows, Y, alpha=ALPHA, tol=1e-12), 1e-6),
    "sweep": (lambda rows: fastgd.sweep(rows, Y, alpha=[ALPHA, 2 * ALPHA], tol=1e-12).results[0], 1e-6),
    "momentum": (lambda rows: fastgd.fit(rows, Y, alpha=ALPHA, optimizer="momentum", tol=1e-12, epochs=30_000), 1e-3),
    "batches": (lambda rows: fastgd.fit(rows, Y, alpha=ALPHA, batch_size=50, epochs=600, random_state=0), 0.1),
    "sweep with 0": (lambda rows: fastgd.sweep(rows, Y, alpha=[0, ALPHA], batch_size=50, epochs=600).results[1], 0.1),
    "average": (lambda rows: fastgd.fit(rows, Y, alpha=ALPHA, average=True, epochs=20_000, tol=None), 0.05),
    "chunks": (lambda rows: in_chunks(rows, alpha=ALPHA), 0.1),
}


# Many steps of first order take long where nothing is compiled.
NAMES = [pytest.param(name, marks=() if name in ("default", "sweep") else pytest.mark.jit) for name in FITS]


@pytest.mark.parametrize("name", NAMES)
def test_dense_columns_are_penalised_as_behind_a_scaler(name):
    call, near = FITS[name]
    r, std = call(X), X.std(axis=0)
    np.testing.assert_allclose(r.coef * std, ridge(X, std) * std, atol=near)
    assert r.options["standardize"] is True


@pytest.mark.parametrize("name", NAMES)
def test_sparse_columns_are_penalised_as_they_are(name):
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    call, near = FITS[name]
    rows = X - [0.0, 5.0, 100.0]  # first-order steps on sparse rows, which are not centred, are slow far from zero
    r = call(csr_array(rows))
    np.testing.assert_allclose(r.coef * SCALES, ridge(rows, np.ones(3)) * SCALES, atol=near)
    assert r.options["standardize"] is False


@pytest.mark.jit
@pytest.mark.parametrize("sparse", [False, True])
def test_given_rates_and_standardize_false_take_columns_as_they_are(sparse):
    Z = (X - X.mean(axis=0)) / SCALES * [0.5, 1.0, 2.0]
    expected = ridge(Z, np.ones(3))
    given = pytest.importorskip("scipy.sparse").csr_array(Z) if sparse else Z
    for options in ({"learning_rate": 0.1, "epochs": 2000}, {"standardize": False, "tol": 1e-12}):
        r = fastgd.fit(given, Y, alpha=ALPHA, **options)
        np.testing.assert_allclose(r.coef, expected, rtol=1e-5)


def counts(n, d, density=0.2):
    """Sparse rows whose columns are of sizes from 0.01 to 1,000, and a target."""
    sparse, rng = pytest.importorskip("scipy.sparse"), np.random.default_rng(1)
    rows = sparse.random_array((n, d), density=density, rng=rng, format="csr")
    rows = sparse.csr_array(rows @ sparse.diags_array(10.0 ** rng.uniform(-2, 3, d)))
    y = rows @ (rng.normal(size=d) / np.maximum(rows.toarray().std(axis=0), 1e-3)) + 0.1 * rng.normal(size=n)
    return rows, y / y.std()


@pytest.mark.jit
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "momentum"},
        {"batch_size": 16, "epochs": 100},
        {"batch_size": 16, "epochs": 100, "optimizer": "sgd"},
        {"batch_size": 16, "epochs": 100, "alpha": [1e-4, 1e-3]},
    ],
    ids=str,
)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_steps_of_first_order_are_not_hindered_by_the_scales_of_sparse_columns(options, l1_ratio):
    rows, y = counts(2000, 30)
    given = {"alpha": 1e-3, "l1_ratio": l1_ratio, "random_state": 0} | options
    r = fastgd.sweep(rows, y, **given).results[1] if isinstance(given["alpha"], list) else fastgd.fit(rows, y, **given)
    best = fastgd.fit(rows, y, alpha=1e-3, l1_ratio=l1_ratio, standardize=False, tol=1e-10)
    least = best.objective(rows, y)
    assert r.objective(rows, y) < least + 0.02 * (0.5 * y.var() - least)
    Z, size = rows.toarray(), best.coef
    penalty = 1e-3 * (l1_ratio * np.abs(size).sum() + (1 - l1_ratio) / 2 * (size**2).sum())
    expected = 0.5 * np.mean((Z @ size + best.intercept - y) ** 2) + penalty
    assert least == pytest.approx(expected, rel=1e-9)


def test_steps_that_are_postponed_for_many_columns_take_them_as_they_are():
    rows, y = counts(100, 2000, density=0.002)
    options = {"alpha": 1e-3, "batch_size": 4, "epochs": 3, "random_state": 0}
    r, raw = fastgd.fit(rows, y, **options), fastgd.fit(rows, y, standardize=False, **options)
    np.testing.assert_array_equal(r.coef, raw.coef)
    assert not fastgd.fit(rows, y, **{**options, "alpha": 0.0}).state.inverse_scale.all()


def test_later_chunks_are_penalised_as_the_first_one_whatever_they_hold():
    """A chunk of empty rows moves weights by the penalty alone, of columns that are scaled for the steps' sake."""
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    rows, y = counts(400, 100)
    r = fastgd.partial_fit(rows, y, alpha=1e-7, optimizer="sgd", batch_size=1)
    after = fastgd.partial_fit(csr_array((400, 100)), y, r)
    shrunk, square = np.log(r.coef / after.coef), after.state.inverse_scale**2  # of L2 on raw columns, in scaled ones
    some = square > 1e-3 * square.max()
    assert 2 < np.count_nonzero(some) < 100
    np.testing.assert_allclose(shrunk[some] / square[some], shrunk[some][0] / square[some][0], rtol=1e-2)
