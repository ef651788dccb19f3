"""Short-lived threads over chunk numbers: no pool outlives a fit, so no fork or nesting can hang it.

Nor can a lock that fits share: there is none for a child to wait for, whose holder was not forked.
"""

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, TypeVar

import numpy as np

T = TypeVar("T")
LIMITS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def available_threads():
    """The smallest of CPU affinity, container quota and the usual environment limits; 1 inside a joblib worker."""
    return max(1, min(thread_limits().values()))


def thread_limits():
    """What limits the threads of this process: a dict of each limit that is there."""
    # Another thread may be importing joblib: it is there then, and empty.
    active = getattr(sys.modules.get("joblib.parallel"), "get_active_backend", None)
    if active is not None and getattr(active()[0], "nesting_level", 0):
        return {"joblib worker": 1}
    affinity = hasattr(os, "sched_getaffinity")
    found = {"affinity": len(os.sched_getaffinity(0))} if affinity else {"processors": os.cpu_count() or 1}
    found |= {name: int(os.environ[name]) for name in LIMITS if os.environ.get(name, "").isdigit()}
    if (quota := cgroup_quota()) is not None:
        found["cgroup quota"] = quota
    return found


@functools.cache
def cgroup_quota():
    """The processors that the container's quota allows, or None; read once: a file takes 3 % of a fit of 100 rows."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return int(quota) // int(period)
    except (OSError, ValueError):
        return None  # not Linux, an older cgroup, or "max"


def may_share_threads():
    """Whether several threads may call compiled functions of the user's at once.

    Two that call functions with parallel loops at once end the process where Numba has no OpenMP or TBB.
    """
    layer = getattr(sys.modules.get("numba"), "threading_layer", None)
    try:
        return layer is None or layer() != "workqueue"
    except ValueError:  # nothing parallel has been compiled
        return True


def run_tasks(task, tasks, n_threads):
    """Call ``task(k)`` for k in range(tasks), each once, on up to ``n_threads`` threads of which this is one.

    An exception in any thread, or Ctrl-C in this one, stops the others at their next task and is raised here.
    """
    task = np.errstate(all="ignore")(task)  # for kernels run as plain Python; a setting of each thread
    if n_threads == 1 or tasks == 1:
        for k in range(tasks):
            task(k)
        return
    numbers, errors = count(), []

    def work():
        try:
            while not errors and (k := next(numbers)) < tasks:
                task(k)
        except BaseException as error:
            errors.append(error)

    helpers = [threading.Thread(target=work, daemon=True) for _ in range(min(n_threads, tasks) - 1)]
    try:
        # No thread begins where a limit is met, nor in an exit handler of Python 3.12: this one does all then.
        with contextlib.suppress(RuntimeError):
            for helper in helpers:
                helper.start()
        work()
    except BaseException as error:
        errors.append(error)
    while alive := [helper for helper in helpers if helper.is_alive()]:
        try:
            for helper in alive:
                helper.join()
        except BaseException as error:  # a second Ctrl-C: the kernels still end within a chunk
            errors.append(error)
    if errors:
        raise errors[0]


class cached_property(Generic[T]):
    """A property that is computed once for each instance.

    As that of functools, whose lock all instances share in Python 3.11: fits in threads waited for each other, and
    children forked meanwhile for ever. Two threads may compute the same value; both get the first.
    """

    def __init__(self, compute: Callable[[Any], T]):
        self.compute, self.__doc__ = compute, compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> T:
        if instance is None:
            return self  # type: ignore[return-value]
        return vars(instance).setdefault(self.compute.__name__, self.compute(instance))
