"""The loop of a run: slices of about 10 ms of compiled work, and between them everything that a person may ask for.

The models of a plan run in step. One that has ended takes its lanes with it and costs no more time. One whose automatic
rate proves too large begins anew with a smaller one, in a run of its own after this.
"""

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..kernels.lanes import Lanes
from ..results.messages import ABOVE
from ..results.state import LOADED, Clock, State, state_of
from ..solvers.first_order import Batches, FullBatch
from ..solvers.passes import Passes
from ..solvers.plan import lanes_at, rate_table
from .convergence import Course, average
from .monitor import Watch

RETREAT = 0.1  # an automatic rate that diverged is multiplied by this
RETREATS = 40


@dataclass(frozen=True)
class Outcome:
    """How the run of a model ended."""

    weights: np.ndarray  # (lanes of the model, d + 1), the best or averaged ones where such were asked for
    state: State
    status: str
    reason: str
    retreats: int
    compared: float = np.inf  # the last loss that was judged; infinite where the run diverged


def drive(plan, work=None, measure=Passes):
    """Run a plan to its end: the outcome of each of its models.

    ``work`` and ``measure`` are classes: the reference's own, or those that fit the plan.
    """
    return finish([Group(plan, work, measure)])[0]


def work_of(plan):
    """The class of the work that fits a plan: vectors run along the columns for one lane, across the lanes for many."""
    if plan.method == "newton":
        from ..solvers.newton import Newton

        return Newton
    if plan.method == "stages":
        from ..solvers.staged_sgd import Stages

        return Stages
    rows_matter = plan.parts.optimizer.by_row and not plan.full  # which the kernels of many lanes don't ask
    if plan.data.rows.sparse and not plan.full and not plan.many:
        from ..solvers import sparse_lazy

        return sparse_lazy.work_of(plan)
    if not plan.many or rows_matter:
        return FullBatch if plan.full else Batches
    from ..solvers import gram, multi_lane  # whose kernels a single fit need not load

    if gram.suits(plan):
        return gram.GramDescent
    return multi_lane.ManyFullBatch if plan.full else multi_lane.ManyBatches


def finish(groups):
    """Run groups to their ends: a list of outcomes for each. The worst half is dropped where a plan says so."""
    interrupted = False
    for epoch in (*groups[0].plan.keep, None):
        for group in groups:
            interrupted = group.run(epoch, interrupted)
        try:
            if epoch is not None and not interrupted:
                drop_half(groups, epoch)
        except KeyboardInterrupt:
            interrupted = True
    return [[group.outcomes[k] for k in range(len(group.plan.models))] for group in groups]


def drop_half(groups, epoch):
    """End the worse half of the settings that still run; of folds the mean counts."""
    losses = {}
    for group in groups:
        for number, loss in group.standings():
            losses.setdefault(number, []).append(loss)
    for group in groups:
        for number, loss in group.ended():
            if number in losses:  # some of its folds still run
                losses[number].append(loss)
    ranked = sorted(losses, key=lambda number: average(losses[number]))
    for number in ranked[(len(ranked) + 1) // 2 :]:
        for group in groups:
            group.drop(number, f"Dropped after epoch {epoch}: its loss was among the worse half (keep).")


class Group:
    """The runs of a plan's models: all of them, then those that begin anew."""

    def __init__(self, plan, work=None, measure=Passes):
        self.plan, self.kinds = plan, (work or work_of(plan), measure)
        self.outcomes, self.interrupted = {}, False
        retreats = 0 if plan.past is None else plan.past.facts["certain_retreats"]
        self.drivers = [Driver(plan, dict.fromkeys(range(len(plan.models))), retreats, self.outcomes, *self.kinds)]

    def run(self, until=None, interrupted=False):
        """Go on to the end of epoch ``until``, or of all runs; whether Ctrl-C has ended them, or others before."""
        self.interrupted |= interrupted
        for driver in self.drivers:
            driver.run(until, self.interrupted)
            self.interrupted |= driver.interrupted
            if driver.again:
                anew, driver.again = driver.again, {}
                self.drivers.append(Driver(self.plan, anew, driver.retreats + 1, self.outcomes, *self.kinds))
        return self.interrupted

    def standings(self):
        """Of each model that still runs the number of its setting, and what it is compared by."""
        return [pair for driver in self.drivers for pair in driver.standings()]

    def ended(self):
        """Of each model that has ended the number of its setting, and what it is compared by."""
        return [(self.plan.models[k].number, outcome.compared) for k, outcome in self.outcomes.items()]

    def drop(self, number, reason):
        """End the runs of a setting."""
        for driver in self.drivers:
            gone = [k for k, course in enumerate(driver.runs.courses) if course.model.number == number]
            for k in gone:
                driver.end(k, "early_stopped", reason)
            driver.leave(gone)


class Runs(NamedTuple):
    """The models that are still running: their numbers in the plan, their lanes and their courses."""

    numbers: tuple
    lanes: Lanes
    courses: tuple


class Snapshot:
    """The last state that was looked at and found finite."""

    def __init__(self, driver):
        lanes = driver.runs.lanes
        copies = {name: getattr(lanes, name).copy() for name in LOADED}
        self.runs, self.clock = driver.runs._replace(lanes=lanes._replace(**copies)), driver.clock.copy()
        self.bests = [course.best for course in driver.runs.courses]


class Driver:
    """A run in step of some models of a plan: where it stands, and the ways back.

    ``models`` are their numbers in the plan, with the retreats before the first that only a run's end asked for (None:
    there was none); ``outcomes`` is filled.
    """

    def __init__(self, plan, models, retreats, outcomes, work, measure):
        self.plan = plan = plan.of(list(models))
        self.work = work(plan)
        self.watch = Watch(plan, measure, self.work)
        courses = tuple(Course(plan, model, self.work) for model in plan.models)
        self.runs = Runs(tuple(models), plan.lanes, courses)
        self.retreats, self.certain, self.outcomes = retreats, models, outcomes
        self.again = {}  # the models that are to begin anew
        self.interrupted, self.clock = False, Clock(steps=plan.first)
        if plan.past is not None:
            self.go_on(plan.past)
        self.last = Snapshot(self)

    def go_on(self, past):
        """Begin where the run ``past`` stands."""
        # A run that was to be longer might not have retreated where this one ended: it begins as it would have.
        if past.facts["certain_retreats"] == past.facts["retreats"] and (
            self.plan.stream or self.retreats == past.facts["retreats"]
        ):
            past.load(self.plan.lanes)
            self.clock = past.clock
            self.runs.courses[0].begin(past)
        if self.plan.stream:
            # Of a chunk that was interrupted, the rest is not waited for.
            self.clock.row, self.clock.loss_sum = 0, 0.0

    def run(self, until=None, interrupted=False):
        """One slice after another, until all models have a verdict or epoch ``until`` is over."""
        try:
            if interrupted:
                raise KeyboardInterrupt
            self.know_starts()
            while self.runs.numbers and (until is None or self.clock.epoch < until or self.over):
                self.judge()
                if self.runs.numbers:
                    self.advance()
        except KeyboardInterrupt:
            self.interrupted = True
            self.back_to_last()
            for k, number in enumerate(self.runs.numbers):
                if number not in self.outcomes:
                    self.end(k, "interrupted", f"Ctrl-C after {self.clock.steps} steps.")
            self.leave(range(len(self.runs.numbers)))
        finally:
            if not self.runs.numbers:
                self.watch.close()

    def know_starts(self):
        """A pass for the objectives at the start, where they are not known; the full batch will meet them."""
        if not self.work.exact and self.plan.rule is None and any(course.unknown for course in self.runs.courses):
            for course, start in zip(self.runs.courses, self.watch.objective(self.runs.lanes, 0), strict=True):
                if course.unknown:
                    course.starts_at(start)

    def standings(self):
        """Of each model the number of its setting, and what it is compared by."""
        if not self.runs.numbers:
            return []
        losses = self.watch.compared(self.runs.lanes, self.clock.steps).mean(axis=1).tolist()
        return [(course.model.number, loss) for course, loss in zip(self.runs.courses, losses, strict=True)]

    @property
    def left(self):
        """The steps that are left."""
        return 2**62 if self.plan.max_steps is None else self.plan.max_steps - self.clock.steps

    @property
    def over(self):
        """Whether all that was asked for is done."""
        return self.clock.epoch >= self.plan.epochs or self.left <= 0

    @property
    def may_retreat(self):
        return self.plan.automatic_rate and self.plan.method != "newton" and self.retreats < RETREATS

    def judge(self):
        """End the runs that are over; those whose rates prove too large at the end are to begin anew."""
        clock, lanes, done = self.clock, self.runs.lanes, []
        over = self.over
        objectives = functools.cache(lambda: self.watch.objective(lanes, clock.steps).tolist())
        for k, course in enumerate(self.runs.courses):
            status, reason = self.verdict(course)
            if status is None and over:
                status, reason = course.ended(clock, lambda k=k: objectives()[k])
            if status is None:
                continue
            if status == "converged" and course.stuck_above(lambda k=k: objectives()[k]):
                status, reason = "diverged", ABOVE
            done.append(k)
            # Batches may lead to a larger objective than the start's, which the losses met need not show.
            unseen = not self.work.exact and not self.plan.stream
            if (
                self.may_retreat
                and course.best is None
                and (status == "diverged" or (unseen and course.risen(objectives()[k])))
            ):
                self.retreat(k, at_end=True)
            else:
                self.end(k, status, reason)
        self.leave(done)

    def verdict(self, course):
        """The status of a run that need not go on, and why; work that knows better than its losses says so itself."""
        own = getattr(self.work, "verdict", None)
        return course.verdict() if own is None else own(self.runs.lanes, course)

    def advance(self):
        """One slice of work, and a look at what it left."""
        before, (_, lanes, courses) = self.clock.copy(), self.runs
        with np.errstate(all="ignore"):
            epochs = self.work.advance(lanes, self.rates, self.clock, self.left)
        whole, sound = self.by_model(np.isfinite(lanes.weights).all(axis=1)), self.by_model(~epochs.broken)
        records, gone = self.watch.records(epochs), []
        for k, course in enumerate(courses):
            if self.may_retreat and not (sound[k] and whole[k] and not course.rises(records[k])):
                self.retreat(k)
            elif not (sound[k] and whole[k]):
                self.fail(k, before, records[k], at_end=whole[k] and self.plan.full)
            else:
                continue
            gone.append(k)
        self.leave(gone, snapshot=False)
        records = [new for k, new in enumerate(records) if k not in gone]
        self.watch.see(self.runs.lanes, self.clock, self.runs.courses, records)
        self.last = Snapshot(self)
        if any(records):
            ended = self.watch.ask(self.clock, self.runs.courses)
            for k in ended:
                self.end(k, "early_stopped", f"The callback said so after epoch {self.clock.epoch}.")
            self.leave(ended)

    def rates(self, first, count):
        """The rates (count, lanes) of the steps ``first + 1`` on."""
        courses = self.runs.courses
        factors = [RETREAT**self.retreats * course.factor for course in courses]
        return rate_table([course.model for course in courses], factors, self.plan.width, first, count)

    def by_model(self, flags):
        """Which models have all their lanes' flags set."""
        return (flags.reshape(-1, self.plan.width).all(axis=1) if self.plan.width > 1 else flags).tolist()

    def retreat(self, k, at_end=False):
        """Let a model begin anew with a smaller rate: what an epoch too fast has left may be too far off."""
        number = self.runs.numbers[k]
        certain = self.certain[number]
        self.again[number] = self.retreats if at_end and certain is None else certain

    def fail(self, k, before, records, at_end):
        """End a run that is no longer finite, where the kernels left it (``at_end``) or where it was looked at last."""
        course, lanes, clock = self.runs.courses[k], self.last.runs.lanes, self.last.clock
        if at_end:
            done = len(records)
            lanes, clock = self.runs.lanes, replace(before, epoch=before.epoch + done, steps=before.steps + done)
            self.watch.see(lanes_at(lanes, [k], self.plan.width), clock, [course], [records])
        reason = (
            f"The loss or a weight became infinite or NaN after epoch {clock.epoch}; the last finite weights are kept."
        )
        self.end(k, "diverged", reason, lanes, clock)

    def back_to_last(self):
        """Back to the last state that was looked at."""
        last = self.last
        self.runs, self.clock = last.runs, last.clock.copy()
        for course, best in zip(last.runs.courses, last.bests, strict=True):
            course.best = best
        self.again = {number: certain for number, certain in self.again.items() if number not in last.runs.numbers}

    def leave(self, gone, snapshot=True):
        """Go on without some of the models."""
        if not len(gone):
            return
        numbers, lanes, courses = self.runs
        kept = [k for k in range(len(numbers)) if k not in gone]
        self.clock.loss_sum = self.loss_sum(kept)
        self.runs = Runs(
            tuple(numbers[k] for k in kept), lanes_at(lanes, kept, self.plan.width), tuple(courses[k] for k in kept)
        )
        if snapshot:
            self.last = Snapshot(self)

    def loss_sum(self, models, clock=None):
        """The sums of the losses met in the running epoch, of the lanes of some models."""
        loss_sum = (clock or self.clock).loss_sum
        return loss_sum if np.ndim(loss_sum) == 0 else loss_sum.reshape(-1, self.plan.width)[models].reshape(-1)

    def end(self, k, status, reason, lanes=None, clock=None):
        """The outcome of a model whose run has ended: now, or with the lanes and at the clock given."""
        course, clock = self.runs.courses[k], clock or self.clock
        clock = replace(clock, loss_sum=self.loss_sum([k], clock))
        lanes = lanes_at(lanes or self.runs.lanes, [k], self.plan.width)
        weights = self.watch.answer(lanes, clock.steps) if course.best is None else course.best[1]
        if self.plan.method == "steps" and lanes.averages.size and clock.steps < lanes.begin[0]:
            reason += f" Averaging was to begin with step {lanes.begin[0]}: these are the last weights."
        if course.best is not None:
            reason += f" The weights are those of epoch {course.best[0]}, whose validation loss was the lowest."
        number = self.runs.numbers[k]
        certain = self.certain[number]
        state = state_of(self.plan, lanes, clock, course, self.retreats, self.retreats if certain is None else certain)
        compared = np.inf if status == "diverged" else course.latest
        self.outcomes[number] = Outcome(weights, state, status, reason, self.retreats, compared)
