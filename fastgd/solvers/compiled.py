"""The compiled backend: every solver on the kernels."""

from .backend import Backend
from .batches import Batches
from .first_order import FirstOrder
from .full_batch import FullBatch
from .gram_descent import GramDescent
from .multi_lane import ManyBatches, ManyFullBatch
from .newton import Derivatives, Newton
from .passes import Passes
from .sparse_lazy import EagerSparseBatches, Hogwild, LazyBatches
from .staged_sgd import StagedSGD, WhitenedSteps

COMPILED = Backend(
    name="compiled",
    compiles=True,
    passes=Passes,
    derivatives=Derivatives,
    staged_steps=WhitenedSteps,
    first_order=(
        Hogwild,
        LazyBatches,
        EagerSparseBatches,
        GramDescent,
        ManyFullBatch,
        ManyBatches,
        FullBatch,
        Batches,
    ),
    solvers=(Newton, StagedSGD, FirstOrder),
)
