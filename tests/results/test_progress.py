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
def test_without_tqdm_there_are_plain_lines(call, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.std", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    call()
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("epoch ", "step "))]
    assert said
    assert all(": " in line for line in said)


def test_lines_are_one_after_1_2_4_and_the_last(monkeypatch, capsys):
    monkeypatch.setattr(progress, "kind_of_bar", lambda: progress.Lines)
    bar = progress.Bar(True, 100, "epoch")
    for done in range(1, 7):
        bar.update(done, 1 / done)
    bar.close()
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == [f"epoch {done} of 100" for done in (1, 2, 4, 6)]
    assert said[0] == "epoch 1 of 100: loss=1"


def test_the_time_that_is_left_never_counts_compiling(monkeypatch):
    tqdm = pytest.importorskip("tqdm.std")
    bar = progress.Bar(True, 100, "epoch", mininterval=1e9)
    began = bar.bar.start_t
    monkeypatch.setattr(progress.notice, "total", progress.notice.total + 50.0)
    told = []
    monkeypatch.setattr(tqdm.tqdm, "set_postfix_str", lambda bar, words, **options: told.append(words))
    bar.update(1, 0.5)
    bar.close()
    assert told == ["loss=0.5, compiled 50.0 s"]
    assert bar.bar.start_t == began + 50.0


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_stderr_it_is_silent(call, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)  # as in an application without a console
    call()
    assert capsys.readouterr().out == ""


def test_a_pass_over_a_source_says_how_far_it_is_and_where(monkeypatch, capsys):
    tqdm = pytest.importorskip("tqdm.std")
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
