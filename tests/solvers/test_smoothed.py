"""Losses with kinks under L1 or bounds: the optimum of the linear programme, on smoothed losses whose width falls."""

import numpy as np
import pytest
from resumed import facts_of
from scipy import optimize

import fastgd
from fastgd import losses

RNG = np.random.default_rng(21)
N, D = 120, 4
X = RNG.standard_normal((N, D)) * [1.0, 3.0, 0.5, 1.0] + [0.0, 10.0, 0.0, -2.0]
Y = X @ [1.0, -0.5, 0.0, 0.3] + RNG.standard_t(2, N)
LABELS = np.median(Y) < Y


def optimum(low, high, scale, alpha, bounds=(None, None)):
    """The least mean of ``max(low * r, high * r)``, r = y - score, plus alpha * |w * scale|, by a linear programme."""
    # w+, w-, b+, b-, then r+ and r- of each row
    cost = np.concatenate([np.tile(alpha * scale, 2), [0.0, 0.0], np.full(N, high / N), np.full(N, -low / N)])
    rows = np.hstack([X, -X, np.ones((N, 1)), -np.ones((N, 1)), np.eye(N), -np.eye(N)])
    limits = [(0, None)] * (2 * D + 2 + 2 * N)
    if bounds[0] == 0:
        limits[D : 2 * D] = [(0, 0)] * D
    found = optimize.linprog(cost, A_eq=rows, b_eq=Y, bounds=limits, method="highs")
    assert found.status == 0
    return found.fun


@pytest.mark.parametrize("fit", [fastgd.fit, fastgd.reference.fit], ids=["fit", "reference"])
@pytest.mark.parametrize("loss, low, high", [("absolute_error", -1.0, 1.0), (losses.Quantile(0.8), -0.2, 0.8)])
@pytest.mark.parametrize("options", [{"alpha": 0.05, "l1_ratio": 1.0}, {"bounds": (0, None)}], ids=["L1", "bounds"])
def test_the_optimum_of_the_linear_programme(fit, loss, low, high, options):
    r = fit(X, Y, loss=loss, tol=1e-8, **options)
    assert (r.status, r.options["solver"]) == ("converged", "quasi_newton")
    least = optimum(low, high, X.std(axis=0), options.get("alpha", 0.0), options.get("bounds", (None, None)))
    assert least * (1 - 1e-9) <= r.objective(X, Y) <= least * (1 + 2e-6)
    assert r.loss == pytest.approx(r.objective(X, Y), rel=1e-6)
    if "bounds" in options:
        assert (r.coef >= 0).all()


def test_nothing_is_known_to_be_left_while_smoothing_matters():
    r = fastgd.fit(X, Y, loss="absolute_error", bounds=(0, None))
    assert np.isinf(r.history.decrement[:-1]).any() and np.isfinite(r.history.decrement[-1])
    # The recorded loss is that without smoothing.
    start = np.abs(Y - np.median(Y)).mean()
    assert r.history.loss[0] == pytest.approx(start, rel=0.05)


@pytest.mark.parametrize("options", [{"alpha": 0.02, "l1_ratio": 1.0}, {"bounds": (None, 0.4)}], ids=["L1", "bounds"])
def test_a_stopped_run_goes_on_bit_for_bit(options, tmp_path):
    options = {"loss": "hinge", "random_state": 0, "tol": 1e-6, **options}
    whole = fastgd.fit(X, LABELS, **options)
    for epochs in (1, whole.n_epochs // 2, whole.n_epochs - 1):
        fastgd.fit(X, LABELS, epochs=epochs, **options).save(tmp_path / "run")
        again = fastgd.fit(X, LABELS, resume=tmp_path / "run", **options)
        assert facts_of(again) == facts_of(whole)


@pytest.mark.jit
def test_samples_come_first(monkeypatch):
    from fastgd.solvers.stages import Stage

    n, rows, look = 40_000, [], Stage.look
    monkeypatch.setattr(Stage, "look", lambda self, lanes: rows.append(self.rows) or look(self, lanes))
    Z = RNG.standard_normal((n, 3))
    r = fastgd.fit(Z, Z @ [1.0, 2.0, -1.0] + RNG.standard_t(2, n), loss="absolute_error", bounds=(-5, 5))
    assert r.status == "converged" and min(rows) < n // 8
    np.testing.assert_allclose(r.coef, [1.0, 2.0, -1.0], atol=0.05)
