"""Streams are what their names say, and three of them are no worse than the peers' models of them."""

import numpy as np
import pytest

from . import streams
from .stream_cases import streams as all_streams

STREAMS = {stream.label: stream for stream in all_streams()}


def test_names_are_different_and_the_goal_of_40_is_met():
    assert len(STREAMS) == len(all_streams()) >= 40
    assert {stream.chunk for stream in STREAMS.values()} >= {1, 32, 100, 1000, 10_000}
    assert {stream.loss for stream in STREAMS.values()} >= {"squared_error", "log_loss", "poisson", "quantile 0.9"}


def test_rows_are_what_the_names_say():
    X, y = STREAMS["squared_error, first chunk 10,000 times smaller, chunks of 100"].make()
    assert 1e3 * np.abs(y[:100]).mean() < np.abs(y[100:]).mean()
    X, _ = STREAMS["squared_error, a column constant at first, chunks of 100"].make()
    assert np.ptp(X[:150, 1]) == 0 < np.ptp(X[:, 1])
    X, y = STREAMS["log_loss, sparse, chunks of 100"].make()
    assert X.format == "csr" and set(y) == {0.0, 1.0}


@pytest.mark.parametrize(
    "label",
    [
        "squared_error, first chunk 10,000 times smaller, chunks of 100",
        "log_loss, after a fit of 500 rows, chunks of 100",
        "quantile 0.5, plain, chunks of 100",
    ],
)
def test_no_worse_than_the_better_peer(label):
    pytest.importorskip("river")
    *found, ratio = streams.compared(STREAMS[label])
    assert np.isfinite(found).all() and ratio == found[0] / min(found[1:])
    assert ratio <= streams.TOL


def test_the_page_leaves_out_what_a_peer_has_not():
    page = streams.table([("poisson, plain, chunks of 1", 0.5, np.nan, 1.0, 0.5)])
    assert page.splitlines()[-1] == "| poisson, plain, chunks of 1 | 0.5 |  | 1 | 0.500 |"
