"""What goes wrong on a cluster: one error that says what and where, never a hang."""

import functools
import sys
from types import FunctionType

import distributed
import numpy as np
import pytest
from clusters import Shards, local

from fastgd.engines import Dask, engine_of, tasks
from fastgd.kernels.layouts import Dense, frozen

RNG = np.random.default_rng(0)


def source_of(lengths=(100, 50, 0, 150), **fault):
    """A small source."""
    X = RNG.standard_normal((sum(lengths), 3))
    return Shards(Dense(frozen(X)), X[:, 0], lengths, **fault)


def test_no_client():
    with pytest.raises(ValueError, match=r"needs a client: make one first, distributed.Client\(\)"):
        Dask().rows(source_of())
    assert isinstance(engine_of("dask"), Dask)
    assert engine_of(engine := Dask()) is engine
    with pytest.raises(ValueError, match=r"engine='spark' is unknown: pass \"dask\""):
        engine_of("spark")


def test_options_are_checked_before_a_fit():
    with pytest.raises(TypeError, match=r"client='tcp://a:1' is no distributed.Client: make one"):
        Dask("tcp://a:1")
    with pytest.raises(ValueError, match="timeout=-1"):
        Dask(timeout=-1)
    with pytest.raises(TypeError, match="checkpoint_every='1'"):
        Dask(checkpoint_every="1")
    with pytest.raises(TypeError, match="A source is needed, not ndarray"):
        Dask().estimate(RNG.standard_normal((3, 2)))


def test_functions_of_the_main_program_are_sent_whole(monkeypatch):
    function = FunctionType((lambda k: k + 1).__code__, {"__name__": "__main__"}, "load")
    function.__module__, function.__qualname__ = "__main__", "load"
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "load", function, raising=False)
    sent = tasks.packed(function)
    monkeypatch.delattr(main, "load")  # as in a worker, whose main program is another one
    assert tasks.unpacked(sent)(1) == 2


def test_a_source_that_can_be_read_once(client):
    source = source_of()
    source.repeatable = False
    with pytest.raises(ValueError, match="can be read once only"):
        Dask(client).rows(source)


def test_a_shard_that_can_not_be_read(client):
    rows = Dask(client).rows(source_of(faulty=1, fault="raise"))
    with pytest.raises(ValueError, match="part 1 can not be read: OSError: the disk is on fire"):
        rows.non_finite()


@pytest.mark.slow
def test_a_shard_that_ends_its_workers():
    with local(2) as client:
        rows = Dask(client).rows(source_of(faulty=3, fault="abort"))
        with pytest.raises(RuntimeError, match=r"part 3: each of the 4 workers that read it ended without a word"):
            rows.non_finite()


@pytest.mark.long
@pytest.mark.slow
def test_no_workers_are_left():
    with local(1) as client:
        engine = Dask(client, timeout=1.0)
        rows = engine.rows(source_of())
        assert rows.non_finite() is None
        client.cluster.scale(0)
        while client.nthreads():  # they leave one after the other
            pass
        with pytest.raises(RuntimeError, match=r"has had no worker that runs for .* s: start workers"):
            rows.take(np.arange(5))
        with pytest.raises(RuntimeError, match=r"has had no worker that runs for 1 s"):
            engine.rows(source_of())


@pytest.mark.long
@pytest.mark.slow
def test_the_last_worker_leaves_with_a_result():
    with local(1) as client:
        rows = Dask(client, timeout=1.0).rows(source_of())
        made = rows.map("non_finite", tasks.asked, ["non_finite"], rows.bundles, [tasks.packed(())])
        with client.as_current():
            distributed.wait(made)
        client.cluster.scale(0)
        while client.nthreads():
            pass
        with pytest.raises(RuntimeError, match=r"has had no worker that runs for .* s: start workers"):
            rows.cluster.results(rows, made)


@pytest.mark.long
@pytest.mark.slow
def test_the_cluster_is_gone():
    with local(1) as client:
        rows = Dask(client).rows(source_of())
        rows.non_finite()
        client.close()
        with pytest.raises(RuntimeError, match="The cluster is gone, or its client was closed"):
            rows.take(np.arange(5))


def test_processors_that_differ(client):
    rows = Dask(client).rows(source_of())
    rows.cluster.notice(frozenset(["one"]))
    with pytest.warns(UserWarning, match=r"The workers are of different kinds \(one; two\)"):
        rows.cluster.notice(frozenset(["one", "two"]))
    rows.cluster.notice(frozenset(["three"]))  # once is enough


def cpu_is(name):
    """On a worker."""
    tasks.own_cpu = functools.partial(str, name)


def test_tasks_say_on_which_processor_they_ran(client):
    one, other = client.nthreads()
    try:
        client.run(cpu_is, "another", workers=[other])
        rows = Dask(client).rows(source_of())
        made = [
            rows.map("same", tasks.called, [str], [tasks.packed("x")], [tasks.packed(())], workers=[worker])[0]
            for worker in (one, other)
        ]
        with pytest.warns(UserWarning, match=r"of different kinds \(another; "):
            assert rows.cluster.results(rows, made) == ["x", "x"]
    finally:
        client.run(cpu_is, tasks.own_cpu(), workers=[other])
