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


@pytest.mark.parametrize("name", FITS)
def test_dense_columns_are_penalised_as_behind_a_scaler(name):
    call, near = FITS[name]
    r, std = call(X), X.std(axis=0)
    np.testing.assert_allclose(r.coef * std, ridge(X, std) * std, atol=near)
    assert r.options["standardize"] is True


@pytest.mark.parametrize("name", FITS)
def test_sparse_columns_are_penalised_as_they_are(name):
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    call, near = FITS[name]
    rows = X - [0.0, 5.0, 100.0]  # first-order steps on sparse rows, which are not centred, are slow far from zero
    r = call(csr_array(rows))
    np.testing.assert_allclose(r.coef * SCALES, ridge(rows, np.ones(3)) * SCALES, atol=near)
    assert r.options["standardize"] is False


@pytest.mark.parametrize("sparse", [False, True])
def test_given_rates_and_standardize_false_take_columns_as_they_are(sparse):
    Z = (X - X.mean(axis=0)) / SCALES * [0.5, 1.0, 2.0]
    expected = ridge(Z, np.ones(3))
    given = pytest.importorskip("scipy.sparse").csr_array(Z) if sparse else Z
    for options in ({"learning_rate": 0.1, "epochs": 2000}, {"standardize": False, "tol": 1e-12}):
        r = fastgd.fit(given, Y, alpha=ALPHA, **options)
        np.testing.assert_allclose(r.coef, expected, rtol=1e-5)
