"""Kernels that are there before a worker's first task: a plugin, so that workers that come later have them too."""

import numpy as np
from distributed import WorkerPlugin

from ..kernels import full_batch
from ..kernels.lanes import Data
from ..kernels.layouts import Dense, frozen
from ..parts.losses import SquaredError
from ..solvers.passes import lane_of
from ..solvers.reduction import Chunks
from . import tasks


class Warm(WorkerPlugin):
    """Loads the compiler and its kernels' cache when a worker starts: 1 to 2 s, which its first task took else."""

    name, idempotent = "fastgd", True

    def setup(self, worker):
        """In the worker, before it takes tasks."""
        tasks.own_cpu()
        gradient(Dense(frozen(np.ones((8, 1)))))


def gradient(rows, n_threads=1):
    """The sums of a gradient of squares over rows in memory: a pass as most fits take them."""
    n, d = rows.shape
    dtype, none = rows.dtype, np.empty(0, rows.dtype)
    data = Data(
        rows, frozen(np.ones((1, n), dtype)), frozen(none), frozen(none), np.zeros(d, dtype), np.ones(d, dtype), 1.0,
        float(n), np.empty((0, 0), np.int8), 0, 1, none,
    )  # fmt: skip
    lanes = lane_of(np.zeros(d + 1), dtype)
    chunks = Chunks(data, full_batch.chunk_rows(rows), n_threads)
    return chunks.sums(full_batch.chunk_sums, (SquaredError(), lanes), [(1, d + 1), (1,)])
