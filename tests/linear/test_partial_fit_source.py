"""``partial_fit`` over a source takes the steps of its chunks, which are those of ``blocks_of``."""

import warnings

import numpy as np
import pytest
from pieces import Pieces
from scipy import sparse

import fastgd
from fastgd.sources import blocks

RNG = np.random.default_rng(8)
N, D, CHUNK = 150, 4, 16
X = RNG.standard_normal((N, D)) * [1.0, 20.0, 0.1, 1.0] + 1.0
SCORE = X @ [1.0, -0.2, 0.5, 0.0]
Y = SCORE + 0.1 * RNG.standard_normal(N)
WEIGHT, OFFSET = RNG.uniform(0.5, 2.0, (2, N))
SIZES = 0, 13, 40, 1


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", CHUNK * D * 8)


def by_chunks(X, y, weight=None, offset=None, rows=CHUNK, **options):
    r = None
    for lo in range(0, N, rows):
        some = slice(lo, lo + rows)
        own = {"sample_weight": weight, "offset": offset}
        own = {name: one if one is None else one[some] for name, one in own.items()}
        r = fastgd.partial_fit(X[some], y[some], r, **own, **options)
    return r


def assert_same(found, expected):
    assert (found.n_epochs, found.n_steps) == (expected.n_epochs, expected.n_steps)
    assert np.array_equal(found.coef, expected.coef)
    assert np.array_equal(found.history.loss, expected.history.loss)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("options", [{}, {"loss": "huber", "learning_rate": 0.1, "batch_size": 8, "standardize": True}])
def test_a_source_is_its_chunks(options, once):
    expected = by_chunks(X, Y, WEIGHT, OFFSET, **options)
    found = fastgd.partial_fit(Pieces(X, Y, WEIGHT, OFFSET, SIZES, once=once), **options)
    assert expected.n_epochs == 10
    assert_same(found, expected)


def test_goes_on_after_chunks():
    first = by_chunks(X, Y)
    expected = first
    for lo in range(0, N, CHUNK):
        expected = fastgd.partial_fit(X[lo : lo + CHUNK], Y[lo : lo + CHUNK], expected)
    assert_same(fastgd.partial_fit(Pieces(X, Y, sizes=SIZES), r=first), expected)


def test_sparse_rows(monkeypatch):
    rows = sparse.random_array((N, 30), density=0.2, format="csr", rng=np.random.default_rng(1))
    expected = by_chunks(rows, Y, rows=50)
    monkeypatch.setattr(blocks, "block_rows", lambda source: 50)
    assert_same(fastgd.partial_fit(Pieces(rows, Y, sizes=SIZES)), expected)


def test_labels_are_those_of_the_whole_source():
    y = np.array(["no"] * 60 + ["yes"] * 90)
    source = Pieces(X, y, sizes=SIZES)
    found = fastgd.partial_fit(source, loss="log_loss")
    assert_same(found, by_chunks(X, y, loss="log_loss", classes=["no", "yes"]))
    assert source.read == 2 * len(source.shards)
    once = Pieces(X, y, sizes=SIZES, once=True)
    with pytest.raises(ValueError, match="two classes for this loss, got 1: 'no'"):
        fastgd.partial_fit(once, loss="log_loss")
    found = fastgd.partial_fit(once, loss="log_loss", classes=["no", "yes"])
    assert_same(found, by_chunks(X, y, loss="log_loss", classes=["no", "yes"]))


def test_names_of_columns():
    r = fastgd.partial_fit(Pieces(X, Y, names=tuple("abcd")))
    assert r.feature_names == tuple("abcd")
    with pytest.raises(ValueError, match="columns"):
        fastgd.partial_fit(Pieces(X, Y, names=tuple("abce")), r=r)


def test_faults():
    r = fastgd.partial_fit(X[:9], Y[:9])
    with pytest.raises(TypeError, match="leave out y, and pass r by its name"):
        fastgd.partial_fit(Pieces(X, Y), r)
    with pytest.raises(ValueError, match="The source has no targets"):
        fastgd.partial_fit(Pieces(X))
    with pytest.raises(ValueError, match="sample_weight is given for the rows of a source"):
        fastgd.partial_fit(Pieces(X, Y), sample_weight=WEIGHT)
    with pytest.raises(ValueError, match="The source is empty"):
        fastgd.partial_fit(Pieces(X[:0], Y[:0]))
    bad = X.copy()
    bad[60, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity, the first in row 12, column 1") as raised:
        fastgd.partial_fit(Pieces(bad, Y, sizes=SIZES))
    assert raised.value.__notes__ == ["Row 0 of this chunk is shard 2, row 35."]


def test_a_stream_that_diverges_is_told_once():
    with pytest.warns(RuntimeWarning, match="Diverged") as told:
        r = fastgd.partial_fit(Pieces(X, Y, sizes=SIZES), learning_rate=10.0)
    assert r.status == "diverged"
    assert len(told) == 1
    assert told[0].filename == __file__


def test_ctrl_c_ends_it_with_the_last_chunk():
    def stop(shard):
        if shard == 3:
            raise KeyboardInterrupt

    source = Pieces(X, Y, sizes=(40, 40, 40), before=stop)
    with warnings.catch_warnings():
        r = fastgd.partial_fit(source)
    assert r.status == "interrupted"
    assert r.message.startswith("Interrupted: Ctrl-C after")
    expected = None
    for lo in range(0, 16 * r.n_epochs, 16):
        expected = fastgd.partial_fit(X[lo : lo + 16], Y[lo : lo + 16], expected)
    assert_same(r, expected)
    assert r.n_epochs == 7
    with pytest.raises(KeyboardInterrupt):
        fastgd.partial_fit(Pieces(X, Y, sizes=(0, 0, 0), before=stop))


def test_progress_is_one_bar_of_rows(capsys):
    pytest.importorskip("tqdm")
    fastgd.partial_fit(Pieces(X, Y, sizes=SIZES), verbose=1)
    said = capsys.readouterr().err
    assert "150/150" in said
    assert said.count("solver: ") == 1
