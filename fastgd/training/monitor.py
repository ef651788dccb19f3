"""The monitor: measures objectives and held-out losses between slices, calls back, and shows progress."""

import time

import numpy as np

from ..inputs import arguments
from ..inputs.sparse_rows import still_sound
from ..results.progress import Bar, EpochProgress
from ..solvers.passes import penalty_costs
from ..solvers.plan import unweighted
from .history import average

SHOWN = ("loss", "objective", "validation_loss")


class Evaluation:
    """Losses of the models of ``plan`` at given weights, in passes over the data."""

    def __init__(self, plan):
        self.plan, self.passes = plan, plan.passes(plan.data)
        self.held = None if plan.held is None else plan.passes(plan.held)

    def objective(self, lanes, weights):
        """The objectives (models, targets)."""
        lanes, parts = lanes._replace(weights=weights), self.plan.parts
        with np.errstate(all="ignore"):
            loss = self.passes.loss(parts.loss, lanes)
            return self.by_model(loss + penalty_costs(parts.penalty, lanes, self.plan.data))

    def validation_loss(self, lanes, weights):
        """The mean losses (models, targets) of the validation data; infinite where not finite."""
        with np.errstate(all="ignore"):
            loss = self.held.loss(self.plan.parts.loss, unweighted(lanes._replace(weights=weights)))
        return self.by_model(finite_or_infinite(loss))

    def selection_loss(self, lanes, weights):
        """The losses that models are compared by, (models, targets): those of held-out rows, if any, else objectives.

        Held out are the rows of the lanes' folds, or the validation data. Infinite where not finite.
        """
        if self.held is not None and lanes.fold[0] < 0:
            return self.validation_loss(lanes, weights)
        if lanes.fold[0] < 0:
            return finite_or_infinite(self.objective(lanes, weights))
        with np.errstate(all="ignore"):
            loss = self.passes.held_loss(self.plan.parts.loss, lanes._replace(weights=weights))
        return self.by_model(finite_or_infinite(loss))

    def by_model(self, numbers, combine=np.sum):
        """Numbers (..., lanes) as (..., models, targets): the lanes of a joint loss belong to one target."""
        joint = self.plan.data.classes
        targets, models = self.plan.width // joint, numbers.shape[-1] // self.plan.width
        if joint == 1:
            return numbers.reshape(*numbers.shape[:-1], models, targets)
        return combine(numbers.reshape(*numbers.shape[:-1], models, targets, joint), axis=-1)


class Monitor(Evaluation):
    """Measures the models that ``solver`` runs, and reports to callback and progress bar."""

    def __init__(self, plan, solver):
        super().__init__(plan)
        self.solver = solver
        self.bar = Bar(plan.options.verbose > 0, plan.epochs, "epoch")

    def present_objective(self, lanes, state, steps):
        """The objectives (models, targets) at the weights that a run would return after so many steps."""
        with np.errstate(all="ignore"):
            known = self.solver.objective(lanes, state)
        return self.objective(lanes, self.solver.answer(state, steps)) if known is None else self.by_model(known)

    def records(self, done):
        """The epochs that a slice finished as one list for each model: of dicts, with a number for each target."""
        columns = {"loss": self.by_model(done.loss).tolist()}
        rate = done.learning_rate[:, :: self.plan.width].tolist()
        if done.gradient_norm is not None:
            columns["gradient_norm"] = self.by_model(done.gradient_norm, euclidean_norm).tolist()
        if done.decrement is not None:
            columns["decrement"] = self.by_model(done.decrement).tolist()
        good = self.by_model(done.good, np.min).min(axis=-1).tolist()
        return [
            [
                {**{name: column[k][m] for name, column in columns.items()}, "learning_rate": rate[k][m]}
                for k in range(count)
            ]
            for m, count in enumerate(good)
        ]

    def record_epochs(self, lanes, state, clock, runs, records):
        """Add the epochs that a slice finished to the runs, with objective and validation loss where wanted."""
        plan, ended = self.plan, any(records)
        answer = self.solver.answer(state, clock.steps) if ended else None
        objective = held = None
        if ended and plan.options.evaluate:
            objective = self.present_objective(lanes, state, clock.steps).tolist()
        if ended and self.held is not None:
            held = self.validation_loss(lanes, answer).tolist()
        now = time.perf_counter()
        for k, (run, new) in enumerate(zip(runs, records, strict=True)):
            if not new:
                continue
            lowest, own = run.history.lowest, slice(k * plan.width, (k + 1) * plan.width)
            for record in new:
                record["seconds"] = now - run.began
            if objective:
                new[-1]["objective"] = objective[k]
            if held:
                new[-1]["validation_loss"] = held[k]
            for record in new:
                run.note(record)
            run.apply_rule(state.weights[own])
            if held and run.history.lowest < lowest:
                run.best = clock.epoch, answer[own].copy()

    def call_back(self, clock, runs):
        """Report the epoch; returns the runs that the callback ends, with their replicates and folds."""
        ended, callback = set(), self.plan.options.callback
        for k, run in enumerate(runs):
            if not run.history.records:
                continue
            last = run.history.records[-1]
            numbers = {name: average(last[name]) if name in last else np.nan for name in SHOWN}
            if k == 0:
                self.bar.update(clock.epoch, numbers["loss"])
            if callback is not None and run.model.replicate < 0:
                numbers |= {"learning_rate": last["learning_rate"], "seconds": last["seconds"]}
                progress = EpochProgress(clock.epoch, clock.steps, run=run.model.number, fold=run.model.fold, **numbers)
                if arguments.is_true("callback", callback(progress)):
                    ended.add(run.model.number)
                still_sound(self.plan.data.rows)
        return [k for k, run in enumerate(runs) if run.model.number in ended]

    def close(self, ended):
        """End the progress bar; ``ended`` says that the run was not interrupted."""
        self.bar.close(ended)


def finite_or_infinite(losses):
    """The losses, infinite where they are not finite."""
    return np.where(np.isfinite(losses), losses, np.inf)


def euclidean_norm(numbers, axis):
    """The Euclidean norm along an axis."""
    with np.errstate(all="ignore"):
        return np.sqrt(np.sum(numbers**2, axis=axis))
