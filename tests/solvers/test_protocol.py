"""A solver in a file of a user's own: one class and its state, put before the others, does all that a solver does."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

import fastgd
from fastgd.linear.fit import fit_by
from fastgd.linear.sweep import sweep_by
from fastgd.results.state import SolverState, Weights
from fastgd.solvers.base import Limits, Records, Solver, Verdict
from fastgd.solvers.compiled import COMPILED


@dataclass(frozen=True, eq=False)
class LineSearchState(SolverState):
    """The weights."""

    weights: Weights


class LineSearch(Solver):
    """Gradient descent on the squared error of dense rows, each step to the minimum along the gradient."""

    name = "line_search"
    fits_rate = False
    many_models = False

    @classmethod
    def suits(cls, problem):
        """Squared error on dense rows, one model, no penalty."""
        if not problem.options.loss.squared:
            return "the loss is not the squared error"
        if problem.options.alpha or problem.bounds is not None:
            return "there is a penalty or bounds"
        return None if problem.full and not problem.table.X.sparse else "steps take all rows of dense X"

    @classmethod
    def limits(cls, problem):
        """Many cheap steps."""
        return Limits(2000, 1e-12)

    def __init__(self, plan):
        super().__init__(plan)
        data = plan.data
        Z = (data.rows.values - data.shift) * data.inverse_scale
        self.Z = np.column_stack([Z, np.full(len(Z), data.constant)])
        self.weight = data.weight if data.weight.size else np.ones(len(self.Z))
        self.offset = data.offset if data.offset.size else np.zeros(len(self.Z))

    def init(self):
        """Where the plan starts."""
        return LineSearchState(self.plan.lanes.weights.copy())

    def advance(self, lanes, state, rates, clock, steps):
        """One step of every lane."""
        count = len(state.weights)
        loss, norm, rate = np.empty((3, 1, count))
        for k in range(count):
            weight = self.weight * lanes.scale[k]
            if lanes.fold[k] >= 0:
                weight = weight * np.maximum(self.plan.data.roles[lanes.fold[k]], 0)
            off = self.Z @ state.weights[k] + self.offset - self.plan.data.targets[lanes.target[k]]
            gradient = self.Z.T @ (weight * off) / self.plan.data.count
            along = self.Z @ gradient
            bend = weight @ along**2 / self.plan.data.count
            loss[0, k], norm[0, k] = weight @ off**2 / self.plan.data.count / 2, np.linalg.norm(gradient)
            rate[0, k] = gradient @ gradient / bend if bend > 0 else 0.0
            state.weights[k] -= rate[0, k] * gradient
        clock.epoch, clock.steps = clock.epoch + 1, clock.steps + 1
        good = np.isfinite(loss).all(axis=0)
        return Records(loss, rate, norm, good.astype(int), ~good)


MINE = dataclasses.replace(COMPILED, solvers=(LineSearch, *COMPILED.solvers))
RNG = np.random.default_rng(3)
X = RNG.standard_normal((40, 3)) * [1.0, 2.0, 0.5] + [0.0, 3.0, 1.0]
Y = 1.0 + X @ [2.0, -1.0, 0.5] + 0.3 * RNG.standard_normal(40)


def fit(X=X, y=Y, **options):
    """A fit with the solver at hand."""
    return fit_by(MINE, X, y, {"random_state": 0, **options})


def sweep(X=X, y=Y, product=True, cv=None, **options):
    """A sweep with the solver at hand."""
    return sweep_by(MINE, X, y, {"random_state": 0, **options}, product, cv, None, None, False, None)


def least_squares(X, y, weight=None):
    """Coefficients and intercept of least squares, by NumPy."""
    root = np.ones(len(X)) if weight is None else np.sqrt(weight)
    A = np.column_stack([X, np.ones(len(X))])
    found = np.linalg.lstsq(A * root[:, None], y * (root if np.ndim(y) == 1 else root[:, None]), rcond=None)[0]
    return found[:-1].T, found[-1]


def close(r, solution, rtol=1e-5):
    """Assert that a result is a solution."""
    np.testing.assert_allclose(r.coef, solution[0], rtol=rtol)
    np.testing.assert_allclose(r.intercept, solution[1], rtol=rtol)


def test_it_reaches_the_least_squares_solution():
    r = fit()
    assert (r.status, r.options["solver"], r.choices["solver"]) == ("converged", "line_search", "line_search")
    close(r, least_squares(X, Y))
    assert r.options["optimizer"] is None
    assert (np.diff(r.history.loss) <= 1e-12).all()
    assert r.options["epochs"] == 2000
    assert r.options["tol"] == 1e-12


def test_weights_targets_and_an_offset():
    weight = RNG.integers(0, 3, 40).astype(float)
    close(fit(sample_weight=weight), least_squares(X, Y, weight))
    close(fit(y=np.column_stack([Y, 2 - Y])), least_squares(X, np.column_stack([Y, 2 - Y])))
    offset = X[:, 0] ** 2
    close(fit(offset=offset), least_squares(X, Y - offset))
    close(fit(sample_weight=weight, evaluate=True, start=([1.0, 1.0, 1.0], 0.0)), least_squares(X, Y, weight))


def test_sweeps_and_folds():
    s = sweep(loss=["squared_error"], epochs=400)
    close(s.best, least_squares(X, Y))
    train = np.arange(40) % 4 != 0
    folds = [(np.flatnonzero(train), np.flatnonzero(~train)), (np.flatnonzero(~train), np.flatnonzero(train))]
    s = sweep(cv=folds, epochs=400)
    for r, rows in zip(s.results[0], (train, ~train), strict=True):
        assert r.options["solver"] == "line_search"
        close(r, least_squares(X[rows], Y[rows]), rtol=1e-4)
    pairs = zip(s.results[0], (train, ~train), strict=True)
    held = [np.mean((r.predict(X[~rows]) - Y[~rows]) ** 2) / 2 for r, rows in pairs]
    np.testing.assert_allclose(s.losses[0], np.mean(held), rtol=1e-9)


def test_a_sweep_of_mixed_settings_takes_the_solver_where_it_suits():
    s = sweep(alpha=[0.0, 0.1])
    assert [r.options["solver"] for r in s.results] == ["line_search", "quasi_newton"]
    close(s.results[0], least_squares(X, Y))


def test_why_it_does_not_suit_is_among_the_choices():
    r = fit(loss="huber")
    assert r.choices["solver"].startswith("quasi_newton: quasi-Newton steps")
    assert r.choices["solver"].endswith("; line_search does not suit (the loss is not the squared error)")
    assert fit(alpha=0.1).choices["solver"].endswith("; line_search does not suit (there is a penalty or bounds)")
    r = fit(loss="perceptron", y=np.where(Y > 0, "a", "b"), epochs=2)
    assert r.choices["solver"] == (
        "first_order: line_search does not suit (the loss is not the squared error); quasi_newton does not suit (the "
        "loss has no second derivative); interior_point does not suit (the loss is not made of lines); staged_sgd does "
        "not suit (a step takes all rows)"
    )
    why = fit(batch_size=4, epochs=2).choices["solver"]
    assert why.endswith("interior_point does not suit (a step takes a part of the rows)")


@pytest.mark.parametrize(
    "given, named",
    [({"learning_rate": 0.1}, "learning_rate"), ({"optimizer": "sgd"}, "optimizer"), ({"average": True}, "average")],
)
def test_given_steps_are_taken_by_a_solver_that_takes_them(given, named):
    """``suits`` says only whether it can run the problem: this one, which finds its own rates, would ignore them."""
    r = fit(**given, epochs=5)
    assert r.options["solver"] == "first_order"
    assert r.choices["solver"] == f"first_order: {named} is given"
    usual = fastgd.fit(X, Y, **given, epochs=5, random_state=0)
    assert r.coef.tobytes() == usual.coef.tobytes()

    class Mine(LineSearch):
        """A solver that takes them."""

        name = "mine"
        takes_steps = True

    r = fit_by(dataclasses.replace(COMPILED, solvers=(Mine, *COMPILED.solvers)), X, Y, {**given, "epochs": 5})
    assert r.options["solver"] == "mine"


def test_validation():
    """The first epoch is the best: what is held out has the targets' mean."""
    held = X[:10], np.full(10, Y.mean())
    r = fit(validation=held, patience=3, epochs=50)
    assert r.status == "early_stopped"
    assert r.best_epoch == 1 + np.argmin(r.history.validation_loss)
    assert r.n_epochs == r.best_epoch + 3
    np.testing.assert_allclose(
        r.history.validation_loss.min(), np.mean((r.predict(held[0]) - held[1]) ** 2) / 2, rtol=1e-12
    )
    share = fit(validation=0.25, epochs=300, tol=None)
    assert np.isfinite(share.history.validation_loss).all()


def test_a_callback():
    told = []

    def callback(progress):
        told.append((progress.epoch, progress.n_steps, progress.loss))
        return progress.epoch == 4

    r = fit(callback=callback)
    assert (r.status, r.n_epochs) == ("early_stopped", 4)
    assert [one[:2] for one in told] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [one[2] for one in told] == r.history.loss.tolist()


def test_resumed_bit_for_bit_also_from_a_file(tmp_path):
    whole = fit(epochs=12, tol=None)
    part = fit(epochs=5, tol=None)
    assert part.coef.tobytes() != whole.coef.tobytes()
    part.save(tmp_path / "part.npz")
    loaded = fastgd.load(tmp_path / "part.npz")
    assert type(loaded.state.solver) is LineSearchState
    assert loaded.predict(X).tobytes() == part.predict(X).tobytes()
    assert loaded.options["solver"] == "line_search"
    for run in (part, loaded, tmp_path / "part.npz"):
        r = fit(epochs=12, tol=None, resume=run)
        assert r.coef.tobytes() == whole.coef.tobytes()
        assert r.history.loss.tobytes() == whole.history.loss.tobytes()
        assert (r.n_epochs, r.n_steps, r.status) == (12, 12, "max_epochs")


def test_the_state_of_another_solver_is_no_place_to_go_on_from():
    part = fit(epochs=5, tol=None)
    with pytest.raises(ValueError, match="the state is a LineSearchState; a QuasiNewtonState is needed"):
        fastgd.fit(X, Y, epochs=12, tol=None, resume=part)


def test_a_file_whose_solver_is_not_defined_says_so(tmp_path, monkeypatch):
    fit(epochs=5).save(tmp_path / "part.npz")
    monkeypatch.delitem(SolverState.classes, "LineSearchState")
    with pytest.raises(ValueError, match="LineSearchState"):
        fastgd.load(tmp_path / "part.npz")


def test_a_verdict_of_its_own():
    class Quick(LineSearch):
        """Ends after three steps."""

        name = "quick"
        judges_tol = True

        def verdict(self, state, history):
            return Verdict("converged", "Converged: three will do.") if len(history.records) == 3 else None

    backend = dataclasses.replace(COMPILED, solvers=(Quick,))
    r = fit_by(backend, X, Y, {})
    assert (r.status, r.n_epochs, r.options["solver"]) == ("converged", 3, "quick")
    assert r.message.startswith("Converged: three will do.")
