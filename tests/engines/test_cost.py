"""What a pass costs: the model, and its constants as they are measured."""

import numpy as np
import pytest
from clusters import Shards

from fastgd.engines import Dask, cost
from fastgd.engines.cost import Constants, Estimate, estimated, like, pass_seconds
from fastgd.kernels.layouts import CSR, Dense, frozen

FAST = Constants(latency=0.01, task=0.001, rate=5e9, network=1e9, rate_here=2e10, read_here=1e9)


class Sized:
    """A source that has only a size."""

    def __init__(self, gigabytes, columns=100):
        self.columns, self.dtype, self.sparse = columns, np.dtype(np.float64), False
        self.stored = int(gigabytes * 1e9 / 8)


def test_a_pass_is_tasks_and_reading_and_sending():
    assert pass_seconds(FAST, 10e9, 4, 4) == pytest.approx((0.014, 0.5, 0.0))
    assert pass_seconds(FAST, 10e9, 4, 2)[1] == pytest.approx(1.0)  # two rounds
    assert pass_seconds(FAST, 10e9, 5, 4)[1] == pytest.approx(0.8)  # a thread has two of five
    assert pass_seconds(FAST, 10e9, 4, 4, 1e6)[2] == pytest.approx(0.005)


def test_whether_a_cluster_pays(monkeypatch):
    monkeypatch.setattr(cost, "free_memory", lambda: 64e9)
    small = estimated(FAST, Sized(0.1), 16, 64, 64, 1)
    assert not small.pays
    assert "does not pay: passes over less than 1 GB are short" in str(small)
    some = estimated(FAST, Sized(10), 1, 2, 2, 1)
    assert some.fits
    assert some.seconds > some.here == pytest.approx(0.5)
    assert "this machine is about as fast" in str(some)
    large = estimated(FAST, Sized(100), 16, 64, 64, 1)
    assert not large.fits
    assert large.pays
    assert large.here == pytest.approx(100.0)
    assert large.seconds == pytest.approx(0.01 + 0.064 + 100 / 64 / 5 + large.sending)
    assert "The cluster pays: a pass takes 0.0039 of the time." in str(large)
    wide = estimated(FAST, Sized(100, 10**6), 16, 64, 64, 10)
    assert wide.sending == pytest.approx(65 * 8e7 / 1e9, rel=1e-5)
    assert not wide._replace(sending=1000.0).pays


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_that_are_like_those_of_a_source(sparse):
    X = np.random.default_rng(0).random((50, 40)) * (np.arange(40) % 4 == 0)
    from scipy.sparse import csr_array

    rows = CSR.of(csr_array(X)) if sparse else Dense(frozen(X))
    found = like(Shards(rows, X[:, 0], [50]))
    assert (type(found), found.dtype, found.shape[1]) == (type(rows), rows.dtype, 40)
    assert cost.bytes_of(found) == pytest.approx(cost.ROWS_BYTES, rel=0.01)
    if sparse:
        assert found.stored == 10 * found.shape[0]
        assert (np.diff(found.indices.reshape(-1, 10).astype(int), axis=1) > 0).all()
        assert found.indices.max() < 40


@pytest.mark.jit
def test_an_estimate(client, monkeypatch):
    monkeypatch.setattr(cost, "SECONDS", 0.01)
    X = np.random.default_rng(0).random((2000, 5))
    source = Shards(Dense(frozen(X)), np.arange(2000) % 3, [2000])
    found = Dask(client).estimate(source)
    assert isinstance(found, Estimate)
    assert (found.bytes, found.workers, found.threads, found.bundles) == (80_000, 2, 2, 1)
    assert min(found.constants) > 0.0
    assert not found.pays
    lanes = Dask(client).estimate(source, loss="multinomial", bootstrap=2)
    assert lanes.sending * lanes.constants.network == pytest.approx(9 * found.sending * found.constants.network)
    with pytest.raises(TypeError, match="unexpected option 'optimiser'"):
        Dask(client).estimate(source, optimiser="sgd")
