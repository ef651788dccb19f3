"""Where the time of a fit over a source goes: decoding, copying, kernels, waiting."""

import contextlib
import threading
import time
from unittest import mock

from fastgd.sources import blocks, rows, shuffled
from fastgd.sources.parquet_source import Parquet


class Spent:
    """Processor seconds of what is named, less those of what is named inside, by thread; and seconds of waiting."""

    def __init__(self):
        self.seconds = {"decode": 0.0, "copy": 0.0, "waiting": 0.0}
        self.here, self.lock = threading.local(), threading.Lock()

    def add(self, name, seconds):
        """Threads add at the same time."""
        with self.lock:
            self.seconds[name] += seconds

    def making(self, name, items):
        """The items of an iterator, whose making is of the processor."""
        with contextlib.closing(items):
            while True:
                outer, began = getattr(self.here, "inside", 0.0), time.thread_time()
                self.here.inside = 0.0
                item = next(items, self)
                whole = time.thread_time() - began
                self.add(name, whole - self.here.inside)
                self.here.inside = outer + whole
                if item is self:
                    return
                yield item

    def waiting(self, items):
        """The items of an iterator that are waited for."""
        with contextlib.closing(items):
            while True:
                began = time.perf_counter()
                item = next(items, self)
                self.add("waiting", time.perf_counter() - began)
                if item is self:
                    return
                yield item


@contextlib.contextmanager
def watched():
    """A dict that has the shares at the end: of the processor's seconds, and of the wall's for ``waiting``.

    ``copy`` is the making of rows of columns and of blocks of rows, ``kernels`` all that is neither.
    """
    spent, shares, ahead = Spent(), {}, rows.ahead
    batches, pieces = Parquet.batches, Parquet.pieces

    def watched_ahead(items, *more, **options):
        return spent.waiting(ahead(spent.making("copy", iter(items)), *more, **options))

    with contextlib.ExitStack() as stack:
        for module in (rows, blocks, shuffled):
            stack.enter_context(mock.patch.object(module, "ahead", watched_ahead))
        for name, what, made in (("batches", "decode", batches), ("pieces", "copy", pieces)):

            def watched_making(*given, what=what, made=made, **options):
                return spent.making(what, made(*given, **options))

            stack.enter_context(mock.patch.object(Parquet, name, watched_making))
        wall, cpu = time.perf_counter(), time.process_time()
        yield shares
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    decode, copy, waiting = spent.seconds.values()
    shares |= {"decode": decode / cpu, "copy": copy / cpu, "kernels": 1 - (decode + copy) / cpu}
    shares["waiting"] = waiting / wall
