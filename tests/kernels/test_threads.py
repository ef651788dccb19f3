"""Threads: every task once, errors raised, limits kept."""

import builtins
import io
import sys
import threading
import types

import joblib
import pytest

from fastgd.kernels.threads import available_threads, cached_property, cgroup_quota, run_tasks


@pytest.mark.parametrize("n_threads", [1, 2, 4, 9])
@pytest.mark.parametrize("tasks", [1, 2, 7, 100])
def test_every_task_runs_once(tasks, n_threads):
    done = []
    run_tasks(done.append, tasks, n_threads)
    assert sorted(done) == list(range(tasks))


def test_tasks_do_run_side_by_side():
    meeting = threading.Barrier(3)
    run_tasks(lambda k: meeting.wait(), 3, 3)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_stops_the_rest_and_is_raised(n_threads, error):
    done = []

    def task(k):
        if k == 5:
            raise error("no")
        done.append(k)

    with pytest.raises(error, match="no"):
        run_tasks(task, 10_000, n_threads)
    assert len(done) < 9_999


def test_no_thread_outlives_the_call():
    before = threading.active_count()
    run_tasks(lambda k: None, 100, 4)
    assert threading.active_count() == before


def test_a_property_is_computed_once_and_by_each_instance_for_itself():
    class Squared:
        def __init__(self, root):
            self.root, self.asked = root, []

        @cached_property
        def square(self):
            """Of the root."""
            self.asked.append(self.root)
            return [self.root**2]

    one, other = Squared(2), Squared(3)
    assert one.square is one.square == [4]
    assert other.square == [9]
    assert (one.asked, other.asked) == ([2], [3])
    assert Squared.square.__doc__ == "Of the root."


def test_who_computes_at_the_same_time_gets_the_same():
    """Also where all wait for each other, as behind a lock they would for ever."""
    meeting = threading.Barrier(3)

    class Met:
        @cached_property
        def value(self):
            meeting.wait()
            return object()

    one, found = Met(), []
    run_tasks(lambda k: found.append(one.value), 3, 3)
    assert len(set(found)) == 1


@pytest.fixture
def roomy(monkeypatch):
    """A machine of 16 processors without limits."""
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)), raising=False)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    real_open = builtins.open

    def with_quota(text):
        def fake(path, *args, **kwargs):
            return io.StringIO(text) if str(path).endswith("cpu.max") else real_open(path, *args, **kwargs)

        monkeypatch.setattr(builtins, "open", fake)
        cgroup_quota.cache_clear()

    with_quota("max 100000")
    yield monkeypatch, with_quota
    cgroup_quota.cache_clear()


def test_the_smallest_limit_counts(roomy):
    monkeypatch, with_quota = roomy
    assert available_threads() == 16
    with_quota("650000 100000")
    assert available_threads() == 6
    monkeypatch.setenv("NUMBA_NUM_THREADS", "5")
    assert available_threads() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert available_threads() == 3
    with_quota("50000 100000")
    assert available_threads() == 1


def test_one_inside_a_joblib_worker(roomy):
    counts = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(available_threads)() for _ in range(2))
    assert counts == [1, 1]
    assert available_threads() == 16


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_no_thread_can_begin(monkeypatch, allowed):
    """A limit of the container, or an exit handler of Python 3.12."""
    begin, begun, done = threading.Thread.start, [], []

    def refuse(thread):
        if len(begun) == allowed:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    run_tasks(done.append, 100, 4)
    assert sorted(done) == list(range(100))
    assert len(begun) == allowed


def test_while_another_thread_imports_joblib(monkeypatch):
    for name in ("joblib", "joblib.parallel"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        assert available_threads() >= 1
