"""The simulator of clusters: what follows from its model without chance, and that failures cost what they must."""

import numpy as np
import pytest

from .cluster_simulator import Cluster, Run, passes

QUIET = Cluster(4, 40e9, latency=0.02, task=1e-3, rate=5e9, spread=0.0, sent=1e6)


def test_a_pass_without_chance():
    seconds, lost = passes(QUIET, 3)
    # Half the latency there, four tasks, reading 10 GB, the sums of one node of four bundles, half the latency back.
    expected = 0.01 + 4e-3 + 2.0 + (1e-3 + 8e6 / 1.25e9) + 0.01
    np.testing.assert_allclose(seconds, expected)
    assert lost == 0


def test_threads_take_bundles_in_turn():
    two = Cluster(2, 40e9, threads=2, bundles=8, latency=0.0, task=0.0, rate=5e9, spread=0.0)
    assert passes(two, 1)[0][0] == pytest.approx(2.0)  # two bundles of 5 GB a thread
    odd = Cluster(2, 40e9, bundles=3, latency=0.0, task=0.0, rate=5e9, spread=0.0)
    assert passes(odd, 1)[0][0] == pytest.approx(2 * 40 / 3 / 5)


def test_stragglers_make_passes_longer():
    few, many = (passes(Cluster(w, w * 5e9, rate=5e9, task=0.0, latency=0.0, spread=0.3), 200)[0] for w in (1, 64))
    assert few.mean() == pytest.approx(1.0, rel=0.1)  # a task takes one second in the mean
    assert 1.6 < many.mean() < 2.4  # the slowest of 64 is 2.3 standard deviations of the logarithm above
    assert (passes(Cluster(8, 1e12), 5, seed=3)[0] == passes(Cluster(8, 1e12), 5, seed=3)[0]).all()


def test_a_lost_worker_is_noticed_and_its_rows_are_loaded_again():
    cluster = Cluster(2, 20e9, latency=0.0, task=0.0, rate=5e9, spread=0.0, noticed=3.0, back=7.0, storage=1e9)
    run = Run(cluster)
    run.at(1.0, run.lose, 0)
    # Lost after 1 s, noticed after 4 s; then the other loads its 10 GB in 10 s and takes 2 s for them.
    assert run.one_pass() == pytest.approx(16.0)
    assert run.lost == 1
    assert run.holder == [1, 1]
    assert run.one_pass() == pytest.approx(12.0)  # the one that is back loads its share
    assert sorted(run.holder) == [0, 1]
    assert run.one_pass() == pytest.approx(2.0)
    run.at(0.5, run.lose, run.holder[0])
    assert run.one_pass() == pytest.approx(3.5 + 12.0)  # the other had done its own meanwhile


def test_sums_of_a_lost_worker_are_lost_too():
    cluster = Cluster(2, 20e9, threads=1, bundles=4, latency=0.0, task=0.0, rate=5e9, spread=0.0, noticed=1.0)
    cluster = Cluster(**{**vars(cluster), "storage": 1e12, "back": 1e6})
    run = Run(cluster)
    run.at(1.5, run.lose, 0)  # one of its two tasks of a second is done
    assert run.one_pass() == pytest.approx(2.5 + 2.0, rel=0.01)


def test_all_workers_are_lost():
    cluster = Cluster(1, 5e9, latency=0.0, task=0.0, rate=5e9, spread=0.0, noticed=2.0, back=3.0, storage=5e9)
    run = Run(cluster)
    run.at(0.5, run.lose, 0)
    assert run.one_pass() == pytest.approx(0.5 + 2.0 + 3.0 + 1.0 + 1.0)


def test_failures_at_a_rate():
    cluster = Cluster(100, 1e12, lost_an_hour=1.0, noticed=5.0, storage=1e9, spread=0.0)
    seconds, lost = passes(cluster, 300)
    hours = seconds.sum() / 3600
    assert lost == pytest.approx(100 * hours, rel=0.3)
    assert seconds.mean() > passes(Cluster(100, 1e12, spread=0.0), 1)[0][0]
