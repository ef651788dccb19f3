"""A run goes on, and says so once, where its progress cannot be shown."""

import sys

import numpy as np
import pytest
from pieces import Pieces

import fastgd
from fastgd.inputs import opened
from fastgd.results import progress
from fastgd.sources.rows import SourceRows

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


def test_a_pass_over_a_source_says_how_far_it_is_and_where(monkeypatch, capsys):
    tqdm = pytest.importorskip("tqdm.auto")
    monkeypatch.setattr(opened, "LOADED_BYTES", 0)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 2))
    source = Pieces(rows, rows @ [1.0, 2.0], sizes=(100, 100))
    told, real = [], tqdm.tqdm.set_postfix_str
    monkeypatch.setattr(tqdm.tqdm, "set_postfix_str", lambda bar, words, **options: told.append((bar.n, words)))
    assert np.array_equal(fastgd.fit(source, epochs=2, verbose=1).coef, fastgd.fit(source, epochs=2).coef)
    assert told[0] == (300, "shard 0"), "one block of all rows, the first of them in shard 0"
    assert told[-1][1].startswith("loss=")
    rows = SourceRows(source)
    told.clear()
    for _ in progress.watched(rows.blocks(128), source):
        pass
    assert told == [(128, "shard 0"), (256, "shard 1"), (300, "shard 2")]
    monkeypatch.setattr(tqdm.tqdm, "set_postfix_str", real)
    capsys.readouterr()
    for first, _ in progress.watched(rows.blocks(100), source):
        if first == 100:
            break
    assert capsys.readouterr().err == "", "a pass that is over in a second is not shown"
