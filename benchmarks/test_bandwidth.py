"""The ceiling is read by code that reads everything, and the command prints what it found."""

import re

import numpy as np
import pytest

from . import bandwidth, measure


@pytest.mark.parametrize("streams", bandwidth.STREAMS)
@pytest.mark.parametrize("dtype", bandwidth.TYPES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_reading_reads_every_number_once(streams, dtype, threads, monkeypatch):
    monkeypatch.setattr(bandwidth, "TASK_BYTES", 1 << 12)
    X = np.arange(40 * 256, dtype=dtype).reshape(-1, 32)
    run = bandwidth.reading(X, threads, streams)
    assert run.bytes == X.nbytes  # a whole number of vectors of eight streams a task
    assert run() == run() == X.sum(dtype=np.float64)


def test_shares_are_of_the_best_reading_of_a_turn():
    rates = bandwidth.Rates({"a": [10.0, 20.0], "b": [20.0, 10.0]}, {"squares": [10.0, 18.0]})
    assert rates.ceiling == 20.0
    low, median, high = rates.share("squares")
    assert 0.5 <= low <= median <= high <= 0.9
    assert median == pytest.approx(0.7)


def test_the_command_prints_rates_and_shares(capsys, monkeypatch):
    monkeypatch.setattr(measure, "PAUSE", 0.0)
    assert bandwidth.main(["--smoke", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    shapes = len(bandwidth.TINY) * len(bandwidth.TYPES)
    best = [float(rate) for rate in re.findall(r"the best ([\d.]+) GB/s", printed)]
    assert len(best) == shapes and all(0 < rate < 1e4 for rate in best)
    shares = [float(share) for share in re.findall(r"gradient, .*  (\d+)% \(", printed)]
    assert len(shares) == 2 * shapes and all(0 <= share < 1000 for share in shares)
    for name in (*bandwidth.STREAMS, "NumPy's sum", "BLAS's product"):
        assert printed.count(f"  {name} ") == shapes
