"""First-order steps: against the gradient of all rows or of a batch, by any optimizer and schedule."""

import numpy as np

from ..parts import optimizers, schedules
from ..results.state import FirstOrderState
from .base import Limits, Solver
from .learning_rate import automatic_rate

EPOCHS_FULL, EPOCHS_BATCHES = 1000, 20
TOL_FULL, TOL_BATCHES = 1e-6, 1e-4
MANY_COLUMNS = 1024  # with as many sparse columns or more, batches take SGD's steps: Adam's would move all columns
POSTPONED = 16  # columns for each number of a batch: with more, moving all columns would take several times as long


class FirstOrder(Solver):
    """The usual loop of gradient descent; the backend has one class for each layout of data and number of lanes."""

    name = "first_order"
    takes_steps = True
    objective_is_free = False

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """Any problem."""
        return

    @classmethod
    def wants_scale(cls, problem):
        """Yes, but where postponed steps of a penalty, which need the same one in all columns, save too much.

        Of 5,000 texts, 3,000 words and the hinge, SGD by 32 ended at 0.28 with scaled columns and at 0.83 without; of
        20,000 texts and 10,000 words at 0.40 in 0.24 s and at 0.87 in 0.13 s.
        """
        options, rows = problem.options, problem.table.X
        if options.optimizer == "auto":
            postponed = problem.d >= MANY_COLUMNS
        else:
            postponed = options.optimizer.zero_gradient in ("sgd", "adagrad")
        numbers = problem.batch * rows.stored / rows.shape[0]
        return problem.full or options.lazy or not (postponed and problem.d > POSTPONED * numbers)

    @classmethod
    def limits(cls, problem):
        """1000 epochs of full-batch steps, 20 of smaller batches."""
        if problem.full:
            return Limits(EPOCHS_FULL, TOL_FULL)
        return Limits(EPOCHS_BATCHES, TOL_BATCHES)

    @classmethod
    def optimizer(cls, problem, targets, words):
        """The optimizer given, that of the resumed run, or one that suits the batches."""
        options, full = problem.options, problem.full
        known = problem.start.optimizer(options)
        if known is not None:
            return known
        if options.optimizer != "auto":
            return options.optimizer
        found = optimizers.Sgd()
        if problem.automatic and not problem.start.chunked:
            # 327,346 flights in batches of 32, excess over the optimum: Sgd 2.5 % after 20 epochs, Adam 0.3 % after 7.
            found = optimizers.Momentum() if full and options.loss.smooth else optimizers.Adam()
            if problem.table.X.sparse and problem.d >= MANY_COLUMNS and not full:
                found = optimizers.Sgd()
        words["optimizer"] = type(found).__name__.lower()
        if found.scale_free:
            # Its epsilon is in units of the gradient.
            residual_rms = problem.statistics.residual_rms(options.loss, targets.constants)
            found = found._replace(epsilon=found.epsilon * residual_rms.min())
        return found

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """The schedule given, that of the resumed run, or a rate that the curvature of the data allows."""
        options, usual = problem.options, np.ones(len(model.start))
        known = problem.start.schedule(options)
        if known is not None:
            return known
        if not problem.automatic:
            return resolved_schedule(problem, epochs), usual
        found = [automatic_rate(problem, model, targets, scaled, k) for k in range(len(problem.table.y))]
        schedule, words["learning_rate"] = found[0]
        if len(found) == 1:
            return schedule, usual
        multiplier = np.array([one.rate(1.0) / schedule.rate(1.0) for one, _ in found])
        words["learning_rate"] += "; of the other targets times " + ", ".join(f"{m:.3g}" for m in multiplier[1:])
        return schedule, multiplier

    @classmethod
    def bind(cls, plan):
        """The backend's loop for the plan."""
        return plan.backend.first_order(plan)(plan)

    # A run ------------------------------------------------------------------------------------------------------------

    def shortened(self, rates, rows):
        """Rates (steps, lanes) for batches of ``rows``: smaller where they would lead a row beyond its own target.

        Limits fall as the root of the rates do: fewer and fewer rows are held back, so that the optimum is that of all,
        and single ones matter less and less. Where limits fell as the rates, Poisson counts of a skewed column ended 15
        times as high as with these; where they stayed, rare counts led half of the way to their own score for ever.
        """
        limit, batch = self.plan.models[0].row_limit, self.plan.batch
        if limit is None:
            return rates
        some = limit.sizes[:, rows]
        if batch > 1:
            starts = np.arange(0, len(rows), batch)
            some = np.add.reduceat(some, starts, axis=1) / np.diff(np.append(starts, len(rows)))
        with np.errstate(divide="ignore", invalid="ignore"):
            fallen = np.sqrt(np.where(limit.usual > 0, rates / limit.usual, 0.0))
            return np.fmin(rates, limit.rate * fallen / some.T)

    def init(self):
        """The weights of the plan, and an optimizer state of zeros."""
        lanes = self.plan.lanes
        return FirstOrderState(lanes.weights, lanes.slots, lanes.carry, lanes.averages).take()

    def answer(self, state, steps):
        """The averages, from the step on where averaging begins, else the weights."""
        if state.averages.shape[1] == 0 or steps < self.plan.lanes.begin[0]:
            return state.weights
        return state.averages.astype(state.weights.dtype)


def resolved_schedule(problem, epochs):
    """The schedule given, with its durations in steps."""
    options, steps = problem.options, -(-problem.n // problem.batch)
    problem.start.check_schedule(options.learning_rate)
    if options.max_steps is not None:
        epochs = min(epochs, options.max_steps / steps)
    return schedules.in_steps(options.learning_rate, steps, epochs, options.alpha)
