"""The compiled backend: every solver on the kernels."""

from .backend import Backend
from .batches import Batches, SingleRows
from .first_order import FirstOrder
from .full_batch import FullBatch
from .kinked import Kinked
from .passes import Passes, second_derivatives
from .quasi_newton import QuasiNewton
from .staged_sgd import StagedSGD, WhitenedSteps


def first_order(plan):
    """The loop for a plan's data and lanes. What one lane of dense rows does not need is imported here, when it is."""
    if plan.many and (plan.full or not plan.parts.optimizer.by_row):  # kernels of many lanes have no steps by row
        from . import gram_descent, multi_lane

        if gram_descent.suits(plan):
            return gram_descent.GramDescent
        return multi_lane.ManyFullBatch if plan.full else multi_lane.ManyBatches
    if plan.full:
        return FullBatch
    if plan.data.rows.sparse and not plan.many:
        from . import sparse_lazy

        return sparse_lazy.loop(plan)
    return SingleRows if plan.batch == 1 and not plan.data.rows.sparse else Batches


COMPILED = Backend(
    name="compiled",
    compiles=True,
    passes=Passes,
    second_derivatives=second_derivatives,
    staged_steps=WhitenedSteps,
    first_order=first_order,
    solvers=(QuasiNewton, Kinked, StagedSGD, FirstOrder),
)
