"""Predictions for collections of Dask: collections of the predictions for their partitions."""

import numpy as np
import pandas as pd
import pytest

import fastgd

da, dd = pytest.importorskip("dask.array"), pytest.importorskip("dask.dataframe")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((100, 3))
LABELS = np.where(X[:, 0] + RNG.logistic(size=100) > 0, "yes", "no")
CHUNKED = da.from_array(X, chunks=(30, 2))


def test_arrays():
    r = fastgd.fit(X, X[:, 0] + 1.0)
    found = r.predict(CHUNKED)
    assert (type(found), found.shape, found.chunks[0]) == (da.Array, (100,), (30, 30, 30, 10))
    np.testing.assert_allclose(found.compute(scheduler="synchronous"), r.predict(X), rtol=1e-12)
    labelled = fastgd.fit(X, LABELS, loss="log_loss")
    np.testing.assert_array_equal(labelled.predict(CHUNKED).compute(scheduler="synchronous"), labelled.predict(X))
    shares = labelled.predict_proba(CHUNKED)
    assert shares.shape == (100, 2)
    np.testing.assert_allclose(shares.compute(scheduler="synchronous"), labelled.predict_proba(X), rtol=1e-12)


def test_frames_and_their_index():
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(100)[::-1])
    parts = dd.from_pandas(frame, npartitions=3, sort=False)
    r = fastgd.fit(frame, np.stack([X[:, 0], X[:, 1]], axis=1))
    found = r.predict(parts[parts.a > -10])
    assert list(found.columns) == ["prediction_0", "prediction_1"]
    computed = found.compute(scheduler="synchronous")
    np.testing.assert_allclose(computed, r.predict(frame), rtol=1e-12)
    assert (computed.index == frame.index).all()
    scores = fastgd.fit(frame, LABELS, loss="log_loss").decision_function(parts[parts.a > 1e9])
    assert scores.name == "score"
    assert len(scores.compute(scheduler="synchronous")) == 0  # partitions without rows
    with pytest.raises(ValueError, match="but the model was fitted on"):
        r.predict(parts[["a", "c", "b"]])


def test_files_and_faults(tmp_path):
    r = fastgd.fit(X, X[:, 0] + 1.0)
    path = r.predict(da.from_array(X, chunks=(30, 3)), to=tmp_path / "found.npy")
    np.testing.assert_allclose(np.load(path), r.predict(X), rtol=1e-12)
    with pytest.raises(ValueError, match="X has 2 columns, but the model was fitted on 3"):
        r.predict(CHUNKED[:, :2])
    with pytest.raises(ValueError, match="offset is for rows in memory and sources"):
        r.predict(CHUNKED, offset=np.zeros(100))
    counts = fastgd.fit(X, np.ones(100), loss="poisson", offset=np.zeros(100))
    with pytest.raises(ValueError, match="offset is missing"):
        counts.predict(CHUNKED)
