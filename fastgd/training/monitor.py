"""What is looked at between slices: objectives, held-out data, the callback. ``course.py`` says what follows."""

import time

import numpy as np

from ..inputs import arguments
from ..inputs.sparse_rows import still_sound
from ..results.progress import Bar, EpochProgress
from ..solvers.passes import Passes, penalty_costs
from ..solvers.plan import unweighted
from .convergence import average


def length(numbers, axis):
    """The Euclidean norm along an axis."""
    with np.errstate(all="ignore"):
        return np.sqrt(np.sum(numbers**2, axis=axis))


TOLD = ("loss", "objective", "validation_loss")


class Watch:
    """Looks at the models of ``plan``; ``measure`` makes passes over data, unless ``work`` knows without one."""

    def __init__(self, plan, measure=Passes, work=None):
        self.plan, self.known = plan, getattr(work, "objective", None)
        self.passes = measure(plan.data, plan.n_threads, plan.many)
        self.held = None if plan.held is None else measure(plan.held, plan.n_threads, plan.many)
        self.bar = Bar(plan.verbose, plan.epochs, "epoch")

    def answer(self, lanes, steps):
        """The weights (lanes, d + 1) that runs would give back after so many steps."""
        if lanes.averages.shape[1] == 0:
            return lanes.weights
        begun = steps >= lanes.begin
        return np.where(begun[:, None], lanes.averages, lanes.weights).astype(lanes.weights.dtype)

    def objective(self, lanes, steps):
        """The objectives (models, targets) at the present weights: a pass over the data."""
        lanes, parts = lanes._replace(weights=self.answer(lanes, steps)), self.plan.parts
        with np.errstate(all="ignore"):
            if self.known is not None:
                return self.by_model(self.known(lanes))
            return self.by_model(self.passes.loss(parts.loss, lanes) + penalty_costs(parts.penalty, lanes))

    def validation_loss(self, lanes, steps):
        """The mean losses (models, targets) of what is held out at the present weights; infinite where not finite."""
        lanes = unweighted(lanes._replace(weights=self.answer(lanes, steps)))
        with np.errstate(all="ignore"):
            loss = self.held.loss(self.plan.parts.loss, lanes)
        return self.by_model(np.where(np.isfinite(loss), loss, np.inf))

    def fold_loss(self, lanes, steps):
        """The mean losses (models, targets) of what the lanes' folds hold out; infinite where not finite."""
        lanes = lanes._replace(weights=self.answer(lanes, steps))
        with np.errstate(all="ignore"):
            loss = self.passes.held_loss(self.plan.parts.loss, lanes)
        return self.by_model(np.where(np.isfinite(loss), loss, np.inf))

    def compared(self, lanes, steps):
        """What models are compared by, (models, targets): losses of what is held out, if anything is, else objectives.

        Infinite where not finite.
        """
        if lanes.fold[0] >= 0:
            return self.fold_loss(lanes, steps)
        if self.held is not None:
            return self.validation_loss(lanes, steps)
        objective = self.objective(lanes, steps)
        return np.where(np.isfinite(objective), objective, np.inf)

    def by_model(self, numbers, combine=np.sum):
        """Numbers (..., lanes) as (..., models, targets): a joint loss's lanes are one target's."""
        joint = self.plan.data.classes
        targets, models = self.plan.width // joint, numbers.shape[-1] // self.plan.width
        if joint == 1:
            return numbers.reshape(*numbers.shape[:-1], models, targets)
        return combine(numbers.reshape(*numbers.shape[:-1], models, targets, joint), axis=-1)

    def records(self, epochs):
        """The epochs of a slice as one list for each model: of dicts, with a number for each target."""
        loss = self.by_model(epochs.loss).tolist()
        rate = epochs.learning_rate[:, :: self.plan.width].tolist()
        columns = {"loss": loss}
        if epochs.gradient_norm is not None:
            columns["gradient_norm"] = self.by_model(epochs.gradient_norm, length).tolist()
        if epochs.decrement is not None:
            columns["decrement"] = self.by_model(epochs.decrement).tolist()
        good = self.by_model(epochs.good, np.min).min(axis=-1).tolist()
        return [
            [
                {**{name: column[k][m] for name, column in columns.items()}, "learning_rate": rate[k][m]}
                for k in range(count)
            ]
            for m, count in enumerate(good)
        ]

    def see(self, lanes, clock, courses, records):
        """Measure what is asked for after the epochs that a slice finished, and let the courses note them."""
        plan = self.plan
        ended = any(records)
        objective = self.objective(lanes, clock.steps).tolist() if ended and plan.evaluate else None
        held = self.validation_loss(lanes, clock.steps).tolist() if ended and self.held is not None else None
        now = time.perf_counter()
        weights = None
        for k, (course, new) in enumerate(zip(courses, records, strict=True)):
            lowest = course.lowest
            for record in new:
                record["seconds"] = now - course.began
            if new and objective:
                new[-1]["objective"] = objective[k]
            if new and held:
                new[-1]["validation_loss"] = held[k]
            for record in new:
                course.note(record)
            if new:
                course.obey(lanes.weights[k * plan.width : (k + 1) * plan.width])
            if new and held and course.lowest < lowest:
                weights = self.answer(lanes, clock.steps) if weights is None else weights
                course.best = clock.epoch, weights[k * plan.width : (k + 1) * plan.width].copy()

    def ask(self, clock, courses):
        """Tell of the epoch; the runs that the callback ends, replicates and folds with them."""
        ended, callback = set(), self.plan.callback
        for k, course in enumerate(courses):
            if not course.records:
                continue
            last = course.records[-1]
            numbers = {name: average(last[name]) if name in last else np.nan for name in TOLD}
            if k == 0:
                self.bar.update(clock.epoch, numbers["loss"])
            if callback is not None and course.model.replicate < 0:
                numbers |= {"learning_rate": last["learning_rate"], "seconds": last["seconds"]}
                told = EpochProgress(
                    clock.epoch, clock.steps, run=course.model.number, fold=course.model.fold, **numbers
                )
                if arguments.truthy("callback", callback(told)):
                    ended.add(course.model.number)
                still_sound(self.plan.data.rows)
        return [k for k, course in enumerate(courses) if course.model.number in ended]

    def close(self):
        self.bar.close()
