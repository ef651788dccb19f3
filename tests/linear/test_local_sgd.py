"""Averages of models of parts, and the source of a part."""

import numpy as np
import pytest
from clusters import Shards

import fastgd
from fastgd.engines import Dask
from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.linear.local_sgd import part_fit
from fastgd.sources.row_range import RowRange

RNG = np.random.default_rng(0)
N, D = 6000, 4


def data():
    """Rows and two kinds of targets."""
    X = RNG.standard_normal((N, D))
    z = X @ np.linspace(-1, 1, D) + 0.5
    return X, z + RNG.standard_normal(N), np.where(z + RNG.logistic(size=N) > 0, "yes", "no")


@pytest.mark.parametrize("sparse", [False, True])
def test_some_rows_of_a_source(sparse):
    from scipy.sparse import csr_array

    X, y, _ = data()
    rows = CSR.of(csr_array(X * (X > 0))) if sparse else Dense(frozen(X))
    source = Shards(rows, y, [0, 1000, 2000, 0, 3000], step=700)
    for lo, hi in ((0, N), (0, 1), (999, 1001), (1500, 1600), (1000, 3000), (5000, N)):
        part = RowRange(source, lo, hi)
        blocks = [block for shard in range(len(part.shards)) for block in part.pieces(shard)]
        np.testing.assert_array_equal(
            np.concatenate([b.X.array() for b in blocks]), rows.take(np.arange(lo, hi)).array()
        )
        np.testing.assert_array_equal(np.concatenate([b.y for b in blocks]), y[lo:hi])
        assert part.n == hi - lo
        assert part.place(0) == source.place(lo)
    assert [shard.label for shard in RowRange(source, 999, 1001).shards] == ["part 1", "part 2"]


@pytest.mark.jit
def test_the_mean_of_the_models_of_parts(client):
    X, y, _ = data()
    source = Shards(Dense(frozen(X)), y, [1000, 5000])
    found = fastgd.local_sgd(source, engine=Dask(client), parts=4, random_state=0)
    each = [fastgd.partial_fit(X[k : k + 1500], y[k : k + 1500], random_state=0) for k in range(0, N, 1500)]
    np.testing.assert_allclose(found.coef, np.mean([one.coef for one in each], axis=0), rtol=1e-12)
    best = fastgd.fit(X, y)
    assert best.loss < found.loss < 1.05 * best.loss
    assert found.loss == pytest.approx(found.objective(X, y))
    again = fastgd.fit(source, start=found, engine=Dask(client))
    assert again.loss == pytest.approx(best.loss, rel=1e-9)


def test_classes_of_which_a_part_has_one(client):
    X, _, labels = data()
    order = np.argsort(labels, kind="stable")
    source = Shards(Dense(frozen(X[order])), labels[order], [N])
    found = fastgd.local_sgd(source, engine=Dask(client), parts=8, rounds=2, loss="log_loss", random_state=0)
    assert found.classes.tolist() == ["no", "yes"]
    with pytest.raises(TypeError, match=r"does not take sample_weight: the source holds it"):
        fastgd.local_sgd(source, engine=Dask(client), sample_weight=np.ones(N))


def test_workers_change_no_bit(client):
    X, _, labels = data()
    source, given = Shards(Dense(frozen(X)), labels, [N]), {"loss": "log_loss", "random_state": 0}
    found = fastgd.local_sgd(source, engine=Dask(client), parts=5, **given)
    here = [part_fit(source, lo, lo + N // 5, ["no", "yes"], given) for lo in range(0, N, N // 5)]
    mean = tuple(sum(0.2 * one[k] for one in here) for k in range(2))
    np.testing.assert_array_equal(found.coef, fastgd.fit(X, labels, start=mean, epochs=0, **given).coef)
