"""A run goes on, and says so once, where its progress cannot be shown."""

import sys

import numpy as np
import pytest

import fastgd
from fastgd.results import progress

X = np.arange(12.0).reshape(6, 2) / 10
CALLS = {
    "fit": lambda: fastgd.reference.fit(X, X[:, 0], epochs=2, learning_rate=0.1, verbose=1),
    "lr_find": lambda: fastgd.reference.lr_find(X, X[:, 0], num=10, verbose=1),
    "minimize": lambda: fastgd.minimize(lambda x: x**2, 1.0, lambda x: 2 * x, max_iter=3, verbose=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_tqdm_a_line_says_so_once(call, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    progress.tell_of_no_bar.cache_clear()
    call()
    call()
    said = capsys.readouterr().err
    assert said.count("No progress bar: tqdm is not installed (python -m pip install 'fastgd[progress]')") == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_stderr_it_is_silent(call, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)  # as in an application without a console
    call()
    assert capsys.readouterr().out == ""
