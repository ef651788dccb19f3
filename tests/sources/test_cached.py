"""Rows that are written once and read through memory maps."""

import json
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from filelock import FileLock
from scipy import sparse

from fastgd.kernels.layouts import CSR, Dense
from fastgd.sources import cached as module
from fastgd.sources import npy
from fastgd.sources.base import Block, Shard, Source
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(3)


class Memory(Source):
    """Blocks in memory, as a source; ``read`` counts them."""

    def __init__(self, shards, repeatable=True, name="a", **known):
        self.blocks, self.repeatable, self.name, self.read = shards, repeatable, name, 0
        first = shards[0][0]
        self.columns, self.dtype, self.sparse = first.X.shape[1], first.X.dtype, first.X.sparse
        self.parts = tuple(
            part for part, value in zip(("X", "y", "weight", "offset"), first, strict=True) if value is not None
        )
        rows = [sum(block.rows for block in blocks) for blocks in shards]
        self.shards = tuple(Shard(f"part {k}", n if repeatable else 0) for k, n in enumerate(rows))
        vars(self).update(known)

    def pieces(self, shard, parts=("X",)):
        for block in self.blocks[shard]:
            self.read += 1
            yield block

    def digest(self):
        return self.name


def dense(n, y=None, d=3, **others):
    return Block(Dense(RNG.standard_normal((n, d)).astype(np.float32)), y, **others)


def csr(n, y=None, d=7):
    return Block(CSR.of(sparse.csr_array(sparse.random_array((n, d), density=0.4, rng=RNG))), y)


def whole(blocks, part):
    return np.concatenate([getattr(block, part) for shard in blocks for block in shard])


def read(source, part):
    found = [getattr(block, part) for k in range(len(source.shards)) for block in source.pieces(k)]
    return np.concatenate(found)


@pytest.mark.parametrize("repeatable", [True, False])
def test_gives_the_rows_of_the_source_and_reads_it_once(tmp_path, repeatable):
    blocks = [
        [dense(5, RNG.standard_normal(5), weight=np.ones(5)), dense(2, np.ones(2), weight=np.ones(2))],
        [],
        [dense(4, np.zeros(4), weight=np.full(4, 2.0))],
    ]
    source = Memory(blocks, repeatable)
    found = source.cached(tmp_path / "c")
    assert not (tmp_path / "c").exists(), "written on first use"
    assert (found.n, [shard.rows for shard in found.shards]) == (11, [7, 0, 4])
    X = np.concatenate([block.X.values for shard in blocks for block in shard])
    for size in (1, 3, 11, 20, None):
        rows = list(SourceRows(found).blocks(size))
        assert np.array_equal(np.concatenate([some.values for _, some in rows]), X)
        assert not any(some.values.flags.owndata or some.values.flags.writeable for _, some in rows)
    assert np.array_equal(read(found, "y"), whole(blocks, "y"))
    assert np.array_equal(read(found, "weight"), whole(blocks, "weight"))
    assert next(found.pieces(0)).offset is None
    assert next(found.pieces(0, ("y",))).X is None
    assert found.place(8) == "part 2, row 1"
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(found))))
    assert (again.source is None) == (not repeatable)
    assert str(tmp_path / "c") in repr(again)
    assert np.array_equal(np.concatenate([some.values for _, some in SourceRows(again).blocks()]), X)
    assert source.read == 3
    found.verify()
    os.rename(tmp_path / "c", tmp_path / "d")
    if not repeatable:
        with pytest.raises(FileNotFoundError, match="is not there: the rows came from a source that can be read once"):
            list(pickle.loads(pickle.dumps(again)).pieces(0))


def test_sparse_rows(tmp_path):
    blocks = [[csr(4), csr(3)], [csr(5)]]
    found = Memory(blocks).cached(tmp_path)
    X = np.concatenate([block.X.array() for shard in blocks for block in shard])
    for size in (1, 2, 12, None):
        rows = [some.array() for _, some in SourceRows(found).blocks(size)]
        assert np.array_equal(np.concatenate(rows), X)
    assert found.stored == np.count_nonzero(X)
    assert np.array_equal(next(found.pieces(1)).X.array(), X[7:])
    assert np.array_equal(SourceRows(found).take([11, 0, 7, 7]).array(), X[[11, 0, 7, 7]])


LABELS = {
    "wider later": [np.array(["no", "yes"]), np.array(["perhaps"])],
    "bytes": [np.array([b"a", b"\xff"]), np.array([b"long\x01"])],
    "objects": [np.array(["no", "a longer one", "no"], object), np.array(["\udcff \n"], object)],
    "objects of kinds": [np.array([1, True, 1.0, "1"], object), np.array([np.float64(2.5)], object)],
    "times": [np.array(["2020-01-01"], "M8[D]"), np.array(["2021-01-01"], "M8[D]")],
    "flags": [np.array([True, False]), np.array([True])],
    "big-endian": [np.array([1, 2], ">f4"), np.array([3], ">f4")],
    "columns": [np.array([["a", "b"], ["c", "a"]]), np.array([["d", "dd"]])],
    "whole": [np.array([2**62 + 1, -5]), np.array([7])],
}


@pytest.mark.parametrize("name", LABELS)
def test_targets_keep_their_values_and_type(tmp_path, name):
    parts = LABELS[name]
    found = Memory([[dense(len(y), y) for y in parts]]).cached(tmp_path)
    y, expected = read(found, "y"), np.concatenate(parts)
    assert y.dtype == expected.dtype
    assert y.tolist() == expected.tolist()
    assert [type(one) for one in y.ravel().tolist()] == [
        float if isinstance(one, np.generic) else type(one) for one in expected.ravel().tolist()
    ]


def test_new_strings(tmp_path):
    y = np.array(["no", "yes" * 30], np.dtypes.StringDType())
    found = read(Memory([[dense(2, y)]]).cached(tmp_path), "y")
    assert (found.dtype, found.tolist()) == (y.dtype, y.tolist())


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([np.array([1.0]), np.array([1])], "part 0 has y of int64 ('n',), but rows before it float64"),
        ([np.ones(1), np.ones((1, 2))], "has y of float64 ('n', 2), but rows before it float64 ('n',)"),
        ([np.array(["a"]), np.array(["a"], object)], "y is object from part 0, row 1 on"),
        ([np.array(["a"]), np.array([1.0])], "part 0 has y of float64"),
        ([np.array(["a", None], object)], "y holds None in the rows from part 0, row 0 on"),
        ([np.array([float("nan")], object)], "y holds nan"),
    ],
)
def test_targets_that_can_not_be_kept(tmp_path, parts, words):
    found = Memory([[dense(len(y), y) for y in parts]]).cached(tmp_path / "c")
    with pytest.raises(TypeError) as error:
        _ = found.n
    assert words in str(error.value)
    assert os.listdir(tmp_path / "c") == [".lock"]


def test_rows_that_are_missing(tmp_path):
    with pytest.raises(ValueError, match=r"part 0 has 3 rows of X, but 2 of y"):
        _ = Memory([[dense(3, np.ones(2))]]).cached(tmp_path).n
    source = Memory([[dense(3)]])
    source.shards = (Shard("part 0", 4),)
    with pytest.raises(ValueError, match=r"part 0 has 3 rows, but had 4"):
        _ = source.cached(tmp_path).n
    with pytest.raises(ValueError, match="no rows"):
        _ = Memory([[dense(0)]]).cached(tmp_path).n


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"name": "b"}, "written from a source with other files or options"),
        ({"names": ("a", "b", "c")}, "names None, which are now ['a', 'b', 'c']"),
        ({"columns": 4}, "columns 3, which are now 4"),
        ({"dtype": np.dtype(float)}, "dtype 'float32', which are now 'float64'"),
        ({"parts": ("X",)}, "parts ['X', 'y'], which are now ['X']"),
    ],
)
def test_another_source(tmp_path, known, words):
    blocks = [[dense(3, np.ones(3))]]
    assert Memory(blocks).cached(tmp_path).n == 3
    with pytest.raises(ValueError) as error:
        _ = Memory(blocks, **known).cached(tmp_path).n
    assert str(error.value).startswith(f"The cache in {tmp_path} can not be used: it was")
    assert words in str(error.value)
    assert str(error.value).endswith("Delete this folder, and the rows are written again, or name another folder.")


def damaged(change, name="X.npy"):
    def do(folder):
        path = folder / "rows" / name
        stat, raw = path.stat(), bytearray(path.read_bytes())
        path.write_bytes(change(raw))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return do


def flipped(place):
    def change(raw):
        raw[place] ^= 1
        return raw

    return change


def rewritten(**facts):
    """A manifest with other facts and the right checksum."""

    def change(raw):
        rows = json.loads(raw)["rows"] | facts
        return json.dumps({"rows": rows, "crc32": module.checksum_of(rows)}).encode()

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damaged(lambda raw: raw[:-1]), "X.npy has"),
        (damaged(lambda raw: raw + b"1"), "X.npy has"),
        (damaged(flipped(-1)), "X.npy is damaged"),
        (damaged(flipped(30)), "X.npy is damaged"),
        (damaged(flipped(200), "y.npy"), "y.npy is damaged"),
        (damaged(flipped(40), "manifest.json"), "manifest.json is not what was written"),
        (damaged(lambda raw: b"", "manifest.json"), "manifest.json is not what was written"),
        (damaged(lambda raw: b"[]", "manifest.json"), "manifest.json is not what was written"),
        (damaged(rewritten(format=9), "manifest.json"), "it has format 9"),
        (lambda folder: (folder / "rows/X.npy").unlink(), "X.npy can not be read (No such file or directory)"),
        (lambda folder: (folder / "rows/manifest.json").unlink(), "manifest.json is not what was written"),
    ],
)
def test_a_cache_that_was_changed(tmp_path, damage, words):
    blocks = [[dense(50, np.ones(50))]]
    assert Memory(blocks).cached(tmp_path).n == 50
    damage(tmp_path)
    with pytest.raises(ValueError, match=r"Delete this folder") as error:
        _ = Memory(blocks).cached(tmp_path).n
    assert words in str(error.value)


def test_damage_in_the_middle(tmp_path):
    blocks = [[dense(20_000)]]
    found = Memory(blocks).cached(tmp_path)
    assert found.n == 20_000
    path = tmp_path / "rows/X.npy"
    stat, raw = path.stat(), path.read_bytes()
    damaged(flipped(120_000))(tmp_path)
    opened = Memory(blocks).cached(tmp_path)
    assert opened.n == 20_000, "neither size, time nor ends tell"
    with pytest.raises(ValueError, match=r"X.npy is damaged: its checksum is another"):
        opened.verify()
    os.utime(path)
    with pytest.raises(ValueError, match=r"X.npy is damaged: its checksum is another"):
        _ = Memory(blocks).cached(tmp_path).n
    path.write_bytes(raw)  # as a copy elsewhere: another time, the same bytes
    assert Memory(blocks).cached(tmp_path).n == 20_000
    assert path.stat().st_mtime_ns == stat.st_mtime_ns, "so that all bytes are read once only"


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_the_source_leaves_nothing(tmp_path, kind):
    class Broken(Memory):
        def pieces(self, shard, parts=()):
            yield from super().pieces(shard)
            raise kind("cut off")

    with pytest.raises(kind, match="cut off"):
        _ = Broken([[dense(3)]]).cached(tmp_path).n
    assert os.listdir(tmp_path) == [".lock"]
    assert Memory([[dense(3)]]).cached(tmp_path).n == 3


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".writing-1").mkdir()
    (tmp_path / ".writing-1" / "X.npy").write_bytes(b"half")
    assert Memory([[dense(3)]]).cached(tmp_path).n == 3
    assert sorted(os.listdir(tmp_path)) == [".lock", "rows"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        Memory([[dense(3)]]).cached(tmp_path / "f")
    with pytest.raises(OSError, match="could not be written") as error:
        _ = Memory([[dense(3)]]).cached(tmp_path / "f" / "g").n
    assert str(tmp_path / "f" / "g") in str(error.value)


FULL = """
import os, resource, sys
import numpy as np
from fastgd.sources import npy
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    npy(sys.argv[1]).cached(sys.argv[2]).n
except OSError as error:
    print(error)
print(os.listdir(sys.argv[2]))
"""


def test_a_disk_that_is_full(tmp_path):
    np.save(tmp_path / "X.npy", np.ones((1000, 10)))
    folder = str(tmp_path / "c")
    said = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "X.npy", folder], capture_output=True, text=True, check=True
    ).stdout
    assert f"The cache in {folder} could not be written (File too large), and nothing of it is left" in said
    assert said.endswith("['.lock']\n")


def test_two_at_once_write_once(tmp_path):
    both = threading.Barrier(2)

    sources, found = [Memory([[dense(300)]]) for _ in range(2)], [None, None]

    def open_one(k):
        both.wait()
        found[k] = sources[k].cached(tmp_path).n

    threads = [threading.Thread(target=open_one, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [300, 300]
    assert sorted(source.read for source in sources) == [0, 1]


def test_whoever_waits_for_another_process_is_told(tmp_path, monkeypatch):
    source, lock, said = Memory([[dense(3)]]).cached(tmp_path), FileLock(tmp_path / ".lock"), []
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(module.warnings, "warn", lambda words, *_, **__: said.append(words) or lock.release())
    with lock:
        assert source.n == 3
    assert said == [f"Another process writes the cache in {tmp_path}: waiting for it."]


def test_other_processes_read_what_is_there(tmp_path):
    np.save(tmp_path / "X.npy", RNG.standard_normal((100, 4)))
    found = npy(tmp_path / "X.npy").cached(tmp_path / "c")
    assert found.n == 100
    code = (
        "import sys; from fastgd.sources import npy, cached; cached.write = None\n"
        "c = npy(sys.argv[1]).cached(sys.argv[2]); print(c.n, c.digest() == npy(sys.argv[1]).digest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "X.npy", tmp_path / "c"], capture_output=True, text=True, check=True
    ).stdout
    assert said == "100 True\n"
    os.utime(tmp_path / "X.npy", ns=(1, 1))
    with pytest.raises(ValueError, match="other files or options"):
        _ = npy(tmp_path / "X.npy").cached(tmp_path / "c").n


def test_repr_writes_nothing(tmp_path):
    found = Memory([[dense(3)]]).cached(tmp_path / "c")
    assert repr(found) == f"Memory(3 rows of 3 columns, float32) in '{tmp_path / 'c'}'"
    assert not (tmp_path / "c").exists()
