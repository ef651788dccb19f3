"""The one reduction over rows: fixed chunks, whose sums are added in the chunks' order, on any number of threads."""

import threading

import numpy as np

from ..kernels.threads import run_tasks


class ChunkedReduction:
    """``n`` rows cut into chunks of ``rows`` rows; where chunks end depends on shapes alone, and so do the bits."""

    def __init__(self, n, rows, n_threads):
        self.n, self.rows, self.n_threads = n, rows, n_threads
        self.count = -(-n // rows)

    def over(self, run, stride=1, n_threads=None):
        """``run(first, last)`` over all chunks, ``stride`` of them a task; it stores a result for each chunk."""

        def task(k):
            run(k * stride, min((k + 1) * stride, self.count))

        run_tasks(task, -(-self.count // stride), self.n_threads if n_threads is None else n_threads)

    def total(self, sums_of, shapes):
        """The sums over all rows, arrays of ``shapes``: of ``sums_of(lo, hi)``, those of a chunk's rows.

        Only a few chunks' sums are held at a time.
        """
        total, ready, added, lock = [np.zeros(shape) for shape in shapes], {}, [0], threading.Lock()

        def add(first, last):
            sums = sums_of(first * self.rows, min(last * self.rows, self.n))
            with lock:
                ready[first] = sums
                while added[0] in ready:
                    for whole, part in zip(total, ready.pop(added[0]), strict=True):
                        whole += part
                    added[0] += 1

        self.over(add)
        return total
