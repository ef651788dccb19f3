"""Files come back bit for bit, survive kills and full disks, and are refused when anything in them is wrong."""

import errno
import hashlib
import io
import math
import os
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path

import hangs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from fastgd.results import npz

METADATA = {"loss": "huber", "steps": 2**63, "ok": True, "none": None, "deep": [{"": [-0.0, math.inf]}, []], "é\0": ""}
ARRAYS = {
    "coef": np.arange(6.0).reshape(2, 3) / 7,
    "bias": np.array(3.5, np.float32),
    "empty": np.empty((0, 4), np.int16),
    "labels": np.array(["spam", "höm", ""]),
    "flags": np.array([True, False]),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


@pytest.fixture
def saved(path):
    """A path at which METADATA and ARRAYS are saved."""
    npz.write(path, METADATA, ARRAYS)
    return path


def bits(value):
    """Metadata and arrays as a value that is equal for the same bits alone."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return "float", struct.pack(">d", value)
    if isinstance(value, dict):
        return "dict", tuple((key, bits(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(map(bits, value))
    return type(value).__name__, value


CONTENT = bits((METADATA, ARRAYS))
DIGEST_OF_FORMAT_1 = "aabb3895c3df4baffde1db2857267a160b2ad7d3dc47263f8a1b29b98e174000"


def refusal(path, **options):
    """The sentence with which a file is refused."""
    with pytest.raises(ValueError) as caught:
        npz.read(path, **options)
    assert type(caught.value) is ValueError
    assert str(caught.value).startswith(f"{str(path)!r} is not a fastgd model, or is damaged: ")
    assert str(caught.value).endswith(". Take another copy of the file, or fit and save again.")
    return str(caught.value)


def alone(script, *arguments):
    """What a script prints in a process of its own, where nothing but the script can fork or fail."""
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    out, err = hangs.said_by(process)
    assert process.returncode == 0, err
    assert not err
    return out.split()


# Round trips


def every_float():
    """Signalling and negative NaN included."""
    return st.integers(0, 2**64 - 1).map(lambda code: struct.unpack(">d", code.to_bytes(8, "big"))[0]) | st.floats()


def metadata():
    text = st.text().filter(lambda key: key != npz.BITS)  # which hypothesis finds in the source
    leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | every_float() | text
    nested = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))
    return st.dictionaries(text, nested, max_size=4)


def arrays():
    kinds = (
        arrays_of.boolean_dtypes()
        | arrays_of.integer_dtypes(endianness="?")
        | arrays_of.unsigned_integer_dtypes(endianness="?")
        | arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64))
        | arrays_of.unicode_string_dtypes(endianness="?", max_len=5)
    )
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    some = arrays_of.arrays(kinds, shapes)
    return st.dictionaries(st.from_regex(npz.NAME, fullmatch=True).filter(lambda name: name != "metadata"), some)


@given(metadata(), arrays())
def test_a_round_trip_keeps_every_bit(tmp_path_factory, metadata, arrays):
    path = tmp_path_factory.getbasetemp() / "round-trip"
    npz.write(path, metadata, arrays)
    again, back = npz.read(path)
    native = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
    assert bits((again, back)) == bits((metadata, native))
    assert all(type(array) is np.ndarray and array.flags.writeable for array in back.values())


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(ARRAYS["coef"]),
        ARRAYS["coef"][::-1, ::2],
        np.broadcast_to(1.0, (3, 2)),
        np.arange(3, dtype=">i4"),
        np.arange(300_000.0).reshape(2, -1),
        np.array(["x" * 2**18, "y"]),
    ],
    ids=["fortran", "strided", "broadcast", "big-endian", "large", "long strings"],
)
def test_layout_and_byte_order_do_not_matter(path, array):
    npz.write(path, {}, {"a": array})
    back = npz.read(path)[1]["a"]
    assert back.dtype.isnative and back.flags.c_contiguous and back.flags.writeable
    np.testing.assert_array_equal(back, array)


def test_numpy_opens_the_file(saved):
    with np.load(saved, allow_pickle=False) as archive:
        assert list(archive) == ["metadata", *ARRAYS]
        assert bits({name: archive[name] for name in ARRAYS}) == bits(ARRAYS)
        assert archive["metadata"].tobytes().startswith(b'{"loss":"huber",')
    with zipfile.ZipFile(saved) as archive:
        assert archive.testzip() is None


def test_the_same_content_gives_the_same_bytes(saved, tmp_path):
    npz.write(tmp_path / "other", METADATA, ARRAYS)
    assert (tmp_path / "other").read_bytes() == saved.read_bytes()
    # Files are kept for years: these bytes are format 1, and a change of them needs a reader of both.
    assert hashlib.sha256(saved.read_bytes()).hexdigest() == DIGEST_OF_FORMAT_1


def test_numpy_numbers_come_back_as_plain_ones(path):
    npz.write(path, {"x": np.float64(0.1)}, {})
    assert bits(npz.read(path)[0]) == bits({"x": 0.1})


def test_surrogates_stay_apart(path):
    """Escaped in JSON, two of them would come back as one letter."""
    npz.write(path, {"\ud800\udc00": "\udfff"}, {})
    assert npz.read(path)[0] == {"\ud800\udc00": "\udfff"}


# What is not written


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}]),
        np.zeros(2, "f4,i4"),
        np.zeros(2, complex),
        np.zeros(2, np.longdouble),
        np.zeros(2, "M8[s]"),
        np.array([b"x"]),
        np.array(["x" * (2**18 + 1)]),
        np.ma.masked_array([1.0, 2.0], [True, False]),
        [1.0, 2.0],
    ],
    ids=lambda array: str(getattr(array, "dtype", "list")),
)
def test_other_types_are_refused(path, array):
    with pytest.raises(TypeError, match=r"arrays\['odd'\]"):
        npz.write(path, {}, {"fine": np.ones(2), "odd": array})
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("name", ["metadata", "", "../up", "/etc/x", "a b", "é", "1a", "a\n", "x" * 101, 3])
def test_other_names_are_refused(path, name):
    with pytest.raises(ValueError, match="arrays has the name"):
        npz.write(path, {}, {name: np.ones(1)})


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ([], "metadata must be a dict"),
        ({"a": [1, (2, 3)]}, r"metadata\['a'\]\[1\] is of type tuple"),
        ({"a": {1: 2}}, r"metadata\['a'\] has the key 1"),
        ({"a": np.int64(3)}, r"metadata\['a'\] is of type int64"),
        ({"a": {npz.BITS: "0" * 16}}, "has the key 'float64 bits'"),
    ],
)
def test_metadata_that_would_change_are_refused(path, metadata, names):
    with pytest.raises(TypeError, match=names):
        npz.write(path, metadata, {})


def test_metadata_too_long_to_be_read_are_not_written(path, monkeypatch):
    monkeypatch.setattr(npz, "LARGEST_METADATA", 20)
    npz.write(path, {"a": "x" * 12}, {})
    assert npz.read(path)[0] == {"a": "x" * 12}
    with pytest.raises(ValueError, match="metadata take 21 bytes"):
        npz.write(path, {"a": "x" * 13}, {})


# Where it is written


def test_permissions(path):
    old = os.umask(0o027)
    try:
        npz.write(path, {}, {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        npz.write(str(path), {"new": 1}, {})
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert npz.read(str(path))[0] == {"new": 1}


def test_a_link_is_followed(saved):
    link = saved.parent / "link"
    link.symlink_to(saved.name)
    npz.write(link, {"new": 1}, {})
    assert link.is_symlink()
    assert npz.read(saved)[0] == {"new": 1}


def test_a_relative_path_and_a_name_of_full_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    npz.write("x" * 255, METADATA, ARRAYS)
    assert os.listdir() == ["x" * 255]
    assert bits(npz.read("x" * 255)) == CONTENT


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("missing/model", FileNotFoundError),
        ("model/below", NotADirectoryError),
        (".", IsADirectoryError),
        ("y" * 256, OSError),
        ("pipe", OSError),
    ],
)
def test_errors_of_the_system_stay_and_name_the_path(saved, place, kind):
    os.mkfifo(saved.parent / "pipe")
    before = sorted(os.listdir(saved.parent))
    with pytest.raises(kind) as caught:
        npz.write(saved.parent / place, {}, {})
    assert caught.value.filename == str(saved.parent / place)
    assert sorted(os.listdir(saved.parent)) == before
    assert bits(npz.read(saved)) == CONTENT


def test_nothing_takes_the_place_of_a_device(tmp_path):
    with pytest.raises(OSError) as caught:
        npz.write("/dev/null", {}, {})
    assert caught.value.errno == errno.EINVAL
    assert Path("/dev/null").is_char_device()


NO_RIGHTS = """
import os, sys, tempfile
from fastgd.results import npz
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model")
    npz.write(path, {}, {})
    for place, mode in [(folder, 0o555), (path, 0o444), (path, 0o000)]:
        os.chmod(folder, 0o777)
        os.chmod(place, mode)
        if not (child := os.fork()):
            if os.geteuid() == 0:
                os.setuid(65534)  # root may do anything
            try:
                (npz.read if mode == 0 else lambda path: npz.write(path, {}, {}))(path)
            except PermissionError as error:
                os._exit(error.filename == path)
            os._exit(2)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *os.listdir(folder))
        os.chmod(folder, 0o777)
        os.chmod(path, 0o644)
"""


def test_what_is_not_permitted():
    assert alone(NO_RIGHTS) == ["1", "model"] * 3


FULL_DISK = """
import errno, os, resource, signal, sys
import numpy as np
from fastgd.results import npz
path, content = sys.argv[1], ({"new": 1}, {"coef": np.zeros(2500), "more": np.ones(3)})
npz.write(path + "-", *content)
size = os.path.getsize(path + "-")
os.unlink(path + "-")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in [*range(0, size, 701), size - 1, size]:
    if not (child := os.fork()):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            npz.write(path, *content)
        except OSError as error:
            os._exit(error.filename == path and error.errno == errno.EFBIG)
        os._exit(2)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *os.listdir(os.path.dirname(path)), end=" ")
    print(npz.read(path)[0].get("new"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes differ")
def test_a_full_disk_leaves_the_old_file_alone(saved):
    *full, fits = zip(*[iter(alone(FULL_DISK, saved))] * 3, strict=True)
    assert full == [("1", "model", "None")] * len(full)
    assert fits == ("2", "model", "1")


def test_an_interrupt_leaves_the_old_file_alone(saved, monkeypatch):
    def interrupted(descriptor):
        assert len(os.listdir(saved.parent)) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        npz.write(saved, {}, {})
    assert os.listdir(saved.parent) == [saved.name]
    assert bits(npz.read(saved)) == CONTENT


def test_concurrent_writers_leave_a_whole_file(path):
    def write(k):
        for _ in range(10):
            npz.write(path, {"writer": k}, {"a": np.full(3000, k)})
            metadata, arrays = npz.read(path)
            seen.append(bool((arrays["a"] == metadata["writer"]).all()))

    seen = []
    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 40
    assert os.listdir(path.parent) == ["model"]


# A zygote forks a writer for each try. In the first half a writer kills itself after a number of Python's lines, which
# walks through a whole write; in the second it is killed from outside, somewhere after a number of writes.
KILLED = """
import os, random, signal, sys
import numpy as np
from fastgd.results import npz
path, tries = sys.argv[1], int(sys.argv[2])
assert not any(name.partition(".")[0] in ("numba", "llvmlite") for name in sys.modules)
contents = [({"which": k}, {"coef": np.full(20_000, float(k)), "more": np.arange(k + 3)}) for k in (0, 1)]

def lines_until(last):
    count = 0
    def trace(frame, event, argument):
        nonlocal count
        if event == "line":
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    npz.write(path, *contents[1])
    sys.settrace(None)
    return count

def found():
    metadata, arrays = npz.read(path)
    metadata_written, arrays_written = contents[metadata["which"]]
    assert metadata == metadata_written and arrays.keys() == arrays_written.keys()
    assert all(np.array_equal(arrays[name], arrays_written[name]) for name in arrays)
    return metadata["which"]

def killed(child):
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

outcomes, draw = [], random.Random(5)
npz.write(path, *contents[0])
total = lines_until(0)
for k in range(tries // 2):
    npz.write(path, *contents[0])
    if not (child := os.fork()):
        lines_until(1 + k * (total - 1) // (tries // 2 - 1))
        os._exit(1)
    killed(child)
    outcomes.append(found())
for k in range(tries // 2):
    inlet, outlet = os.pipe()
    if not (child := os.fork()):
        while True:
            for content in contents:
                npz.write(path, *content)
                os.write(outlet, b".")
    for _ in range(k % 4):
        os.read(inlet, 1)
    for _ in range(draw.randrange(100_000)):
        pass
    os.kill(child, signal.SIGKILL)
    killed(child)
    os.close(inlet), os.close(outlet)
    outcomes.append(found())
print(*outcomes)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new(path):
    outcomes = alone(KILLED, path, 200)
    assert len(outcomes) == 200
    by_line, from_outside = outcomes[:100], outcomes[100:]
    assert by_line == sorted(by_line)  # once the new file is in place, it stays
    assert set(by_line) == set(from_outside) == {"0", "1"}
    left = [name for name in os.listdir(path.parent) if name != path.name]
    assert len(left) > 50  # the kills met writers at work
    assert all(name.startswith(".fastgd-") and name.endswith(".tmp") for name in left)


# Damage


def test_every_truncation_is_refused(path):
    npz.write(path, {"loss": "huber"}, {"coef": np.ones(3)})
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        refusal(path)


def test_every_damaged_bit_is_refused(saved):
    data, rng = saved.read_bytes(), np.random.default_rng(3)
    with open(saved, "r+b", buffering=0) as file:
        for position in rng.integers(0, 8 * len(data), 2000):
            place, bit = divmod(int(position), 8)
            os.pwrite(file.fileno(), bytes([data[place] ^ 1 << bit]), place)
            refusal(saved)
            os.pwrite(file.fileno(), data[place : place + 1], place)
    assert bits(npz.read(saved)) == CONTENT


def test_bytes_before_or_behind_are_refused(saved):
    data = saved.read_bytes()
    for other in (data + b"\0", b"\0" + data, data + data):
        saved.write_bytes(other)
        refusal(saved)


def seal(data, ending=b"fastgd model 1 sha256:"):
    """A zip's bytes with the ending that makes them a model: what someone with bad intentions would do."""
    data = data[:-2] + struct.pack("<H", len(ending) + 64) + ending
    return data + hashlib.sha256(data).hexdigest().encode()


def npy_of(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), **options)
    return buffer.getvalue()


def npy_header(dtype, shape, data=b"", rest=""):
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, {rest}}}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def zip_of(*members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(data)
    return buffer.getvalue()


def json_member(text):
    return "metadata.npy", npy_of(np.frombuffer(text, np.uint8))


NO_METADATA = json_member(b"{}")


def with_array(data, name="a.npy"):
    return zip_of(NO_METADATA, (name, data))


def forged(**fields):
    """A zip whose directory misstates some fields of its second member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in (NO_METADATA, ("a.npy", npy_of(np.ones(3)))):
            archive.writestr(zipfile.ZipInfo(name), data)
        for name, value in fields.items():
            setattr(archive.filelist[-1], name, value)
    return buffer.getvalue()


def sizes_changed(size):
    return forged(file_size=size, compress_size=size)


def long_directory(count):
    """A zip whose directory has the same small entry many times: 50 bytes each, and ten times that as objects."""
    data = zip_of(NO_METADATA)
    begin, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entries = data[begin:end] * count
    return data[:begin] + entries + data[end : end + 12] + struct.pack("<2LH", len(entries), begin, 0)


HOSTILE = {
    "no members": zip_of(),
    "no metadata": zip_of(("a.npy", npy_of(np.ones(3)))),
    "metadata of floats": zip_of(("metadata.npy", npy_of(np.ones(3)))),
    "metadata no dict": zip_of(json_member(b"[1]")),
    "metadata no JSON": zip_of(json_member(b"{")),
    "metadata with NaN bits of the wrong length": zip_of(json_member(b'{"a":{"float64 bits":"00"}}')),
    "metadata with bits that are a number": zip_of(json_member(b'{"a":{"float64 bits":1}}')),
    "metadata that are not UTF-8": zip_of(json_member(b'{"a":"\xff"}')),
    "metadata nested without end": zip_of(json_member(b'{"a":' + b"[" * 100_000)),
    "an integer without end": zip_of(json_member(b'{"a":' + b"9" * 100_000 + b"}")),
    "a bomb": zip_of(
        NO_METADATA, ("a.npy", npy_header("|u1", (2**26,), bytes(2**26))), compression=zipfile.ZIP_DEFLATED
    ),
    "compressed": zip_of(NO_METADATA, compression=zipfile.ZIP_DEFLATED),
    "a size beyond the file": sizes_changed(10_000),
    "a size of 2**64 - 1": sizes_changed(2**64 - 1),
    "a size beyond the memory": sizes_changed(2**50),
    "a compressed size of its own": forged(compress_size=100),
    "plain bytes said to be compressed": forged(compress_type=zipfile.ZIP_DEFLATED),
    "plain bytes said to be encrypted": forged(flag_bits=1),
    "two members in one place": forged(header_offset=0),
    "a member beyond the file": forged(header_offset=10_000),
    "a member beyond all files": forged(header_offset=2**64 - 1),
    "a wrong sum": forged(CRC=0),
    "a directory without end": long_directory(30_000),
    "overlapping members": sizes_changed(300),
    "a duplicate": with_array(NO_METADATA[1], "metadat2.npy").replace(b"metadat2", b"metadata"),
    "a path upwards": with_array(npy_of(np.ones(3)), "../a.npy"),
    "an absolute path": with_array(npy_of(np.ones(3)), "/tmp/a.npy"),
    "no array": with_array(b"text", "a.txt"),
    "an empty member": with_array(b""),
    "half a header": with_array(npy_of(np.ones(3))[:50]),
    "a pickle": with_array(npy_of(np.array([{}]), allow_pickle=True)),
    "a huge shape": with_array(npy_header("<f8", (2**62,))),
    "a huge empty shape": with_array(npy_header("<f8", (2**62, 2**62, 0))),
    "a shape of huge product": with_array(npy_header("<f8", (2**32, 2**32))),
    "a negative shape": with_array(npy_header("<f8", (-1,))),
    "too many dimensions": with_array(npy_header("<f8", (1,) * 65, bytes(8))),
    "fewer bytes than the shape": with_array(npy_header("<f8", (3,), bytes(23))),
    "more bytes than the shape": with_array(npy_header("<f8", (3,), bytes(25))),
    "strings of no length": with_array(npy_header("<U0", (2**40,))),
    "strings beyond Unicode": with_array(npy_header("<U1", (1,), b"\xff" * 4)),
    "a boolean of 2": with_array(npy_header("|b1", (1,), b"\2")),
    "an unknown size": with_array(npy_header("<f3", (1,), bytes(3))),
    "a long double": with_array(npy_header("<f16", (1,), bytes(16))),
    "an object dtype": with_array(npy_header("|O", (1,), bytes(8))),
    "a structured dtype": with_array(npy_header([("a", "<f8")], (1,), bytes(8))),
    "code in a header": with_array(npy_header("<f8", (1,), bytes(8), "'x': exit()")),
    "an npy of version 2": with_array(npy_of(np.ones(3), version=(2, 0))),
    "Fortran order": with_array(npy_of(np.asfortranarray(np.ones((3, 2))))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(path, name):
    """And takes no memory for what it claims: two copies of its own bytes, and a chunk, at most."""
    path.write_bytes(seal(HOSTILE[name]))
    tracemalloc.start()
    try:
        refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20 + 2 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_a_sealed_file_is_read(path):
    """So the hostile files are refused for what is hostile in them."""
    for data in (with_array(npy_of(np.ones(3))), forged()):
        path.write_bytes(seal(data))
        assert bits(npz.read(path)) == bits(({}, {"a": np.ones(3)}))


def test_edited_metadata_are_refused(saved):
    data = saved.read_bytes()
    assert data.count(b"huber") == 1
    saved.write_bytes(data.replace(b"huber", b"hinge"))
    assert "SHA-256" in refusal(saved)


@pytest.mark.parametrize("data", [b"", b"PK", b"coef,bias\n1,2\n" * 20, bytes(1000)], ids=["empty", "PK", "text", "0"])
def test_other_files_are_refused(path, data):
    path.write_bytes(data)
    assert "its end is missing or not fastgd's" in refusal(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_other_npz_files_are_refused(path, save):
    with open(path, "wb") as file:
        save(file, a=np.ones(3), b=np.array([{}], dtype=object))
    refusal(path)


def test_a_file_of_a_later_version_says_so(path):
    path.write_bytes(seal(b"whatever it will hold", b"fastgd model 2 sha256:"))
    with pytest.raises(ValueError) as caught:
        npz.read(path)
    assert str(caught.value) == (
        f"{str(path)!r} was written by a later fastgd (format 2; this one reads up to 1): upgrade fastgd."
    )


def test_an_oversized_file_is_refused_unread(path):
    with open(path, "wb") as file:
        file.truncate(npz.LARGEST + 1)  # takes no place on the disk
    assert "more than largest=17179869184" in refusal(path)
    npz.write(path, {}, {})
    size = path.stat().st_size
    assert npz.read(path, largest=size) == ({}, {})
    assert f"it has {size} bytes, more than largest={size - 1}" in refusal(path, largest=size - 1)


def test_what_is_no_regular_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        npz.read(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        npz.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")
    assert "not a regular file" in refusal("/dev/zero")


@pytest.mark.parametrize("name", [3, True, None, "a\0b", "\ud800" * 2 + "\0", b"a\0"])
def test_what_is_no_name_of_a_file(name):
    for call in (npz.read, lambda name: npz.write(name, {}, {})):
        with pytest.raises((TypeError, ValueError), match=r"^path="):
            call(name)
