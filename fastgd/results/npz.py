"""Saved models on disk: facts and arrays in one npz file that is written whole or not at all and proven when read.

A file is a plain npz of stored members, ``facts.npy`` (JSON as uint8) and the arrays: ``np.load(path)`` opens it too.
Its last bytes, the zip comment, are ``fastgd model 1 sha256:<hex>``: the format and the digest of all bytes before the
hex. Every later format keeps that ending, so any fastgd can tell a later file from a damaged one. The digest finds
accidents; against a file made in bad faith every size is checked before anything of that size is made, and nothing in
a file is ever evaluated or unpickled.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
import struct
import zipfile

import numpy as np
from numpy.lib import format as npy

from ..parts.registry import brief

FORMAT = 1
LARGEST = 2**34  # bytes of a file, unless read is told otherwise
LARGEST_FACTS = 2**26  # bytes of JSON, whose Python objects take some thirty times as much
KINDS = {"b": 1, "i": 8, "u": 8, "f": 8, "U": math.inf}  # the largest item: float128 differs between machines
BITS = "float64 bits"  # {BITS: "7ff8000000000000"} is a float that JSON can't write

NAME = re.compile(r"[A-Za-z_][\w.]{0,99}", re.ASCII)
ENDING = re.compile(rb"fastgd model ([1-9]\d{0,5}) sha256:([0-9a-f]{64})\Z")
DIGEST = 64  # hexadecimal digits
LOCAL_HEADER = struct.Struct("<5H3L2H")  # of a zip's member, after its four bytes of signature
SIZES = struct.Struct("<2H2Q")  # its zip64 field, which is written for every member: large ones need it
NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\0..\{'descr': '[<|]([biufU][1-9]\d{0,8})', 'fortran_order': False,"
    rb" 'shape': \(((?:\d{1,19},? ?){0,64})\), \} *\n",
    re.DOTALL,
)


class _Damage(Exception):
    """Why a file is no model."""


def _require(condition, reason):
    if not condition:
        raise _Damage(reason)


def write(path, facts, arrays):
    """Write a file of facts and arrays, whole or not at all.

    The bytes depend on nothing but the content. They go to a temporary file ``.fastgd-*.tmp`` in the same folder, which
    takes the path's place once it is on the disk: whoever reads, and whatever is killed when, finds the old file or the
    new one. A killed writer may leave its temporary file, which is safe to delete.

    Parameters
    ----------
    path : str or PathLike
        The file's exact name (no suffix is added). An existing file is replaced and its permissions are kept; a
        symbolic link is followed.
    facts : dict
        Of str, bool, int, float, None, lists and dicts with str keys. Floats come back bit for bit, NaN included.
    arrays : dict of str to ndarray
        Of booleans, integers, floats up to float64, or strings, in any layout and byte order. Names are of letters,
        digits, ``_`` and ``.``; "facts" is taken.

    Raises
    ------
    OSError
        Where the file can't be written: no such folder, not permitted, disk full.
    TypeError, ValueError
        For facts and arrays that would not come back the same.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model")
    >>> write(path, {"loss": "huber"}, {"coef": np.array([1.0, 2.0])})
    >>> read(path)
    ({'loss': 'huber'}, {'coef': array([1., 2.])})
    """
    path = _name(path)
    members = {"facts": _facts_to_bytes(facts)} | {name: _checked(name, array) for name, array in arrays.items()}
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".fastgd-{secrets.token_hex(8)}.tmp")
    try:
        mode = _replaceable(target)
        with open(temporary, "x+b") as file:
            if mode is not None:
                os.chmod(temporary, mode)
            _pack(file, members)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:  # names the temporary file, or none
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        with contextlib.suppress(OSError):  # it is gone after a success
            os.unlink(temporary)
    _sync(folder)


def read(path, largest=LARGEST):
    """Read a file that :func:`write` wrote.

    Takes little more memory than the file's arrays, and at most a small multiple of the file's size whatever it holds.

    Parameters
    ----------
    path : str or PathLike
    largest : int, default 2**34
        A file of more bytes is refused unread.

    Returns
    -------
    facts : dict
    arrays : dict of str to ndarray
        New, writeable, C-contiguous, in native byte order, in the order they were written.

    Raises
    ------
    OSError
        Where the file can't be opened or read.
    ValueError
        Where it is not such a file, is damaged, or was written by a later fastgd.
    """
    path = _name(path)
    # Not to wait for the writer of a pipe: it is refused once its kind is known.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        try:
            version, size = _proven(file, largest)
            if version <= FORMAT:
                return _unpack(file, size)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # what zip and JSON readers raise on hostile bytes is an open list
            reason = str(error) if isinstance(error, _Damage) else f"its content can't be read ({error})"
            raise ValueError(
                f"{path!r} is not a fastgd model, or is damaged: {reason}. Save the model again."
            ) from error
    raise ValueError(
        f"{path!r} was written by a later fastgd (format {version}; this one reads up to {FORMAT}): upgrade fastgd."
    )


def _name(path):
    """The name of a file as a string."""
    try:
        name = os.fsdecode(path)
        if b"\0" not in os.fsencode(name):
            return name
    except TypeError:
        raise TypeError(f"path={brief(path)} must be a string or a path.") from None
    except UnicodeError:
        pass
    raise ValueError(f"path={brief(path)} can't be the name of a file.")


def _facts_to_bytes(facts):
    if not isinstance(facts, dict):
        raise TypeError(f"facts must be a dict, got {type(facts).__name__}.")
    text = json.dumps(_to_json("facts", facts), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > LARGEST_FACTS:
        raise ValueError(f"facts take {len(data)} bytes, the format holds {LARGEST_FACTS}: put long lists into arrays.")
    return np.frombuffer(data, np.uint8)


def _to_json(where, value):
    """What JSON keeps exactly: it would turn tuples into lists and keys into strings without a word."""
    if isinstance(value, float):
        value = float(value)  # NumPy's float64 too
        return value if math.isfinite(value) else {BITS: struct.pack(">d", value).hex()}
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, list):
        return [_to_json(f"{where}[{i}]", item) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        raise TypeError(f"{where} is of type {type(value).__name__}: give str, bool, int, float, None, list or dict.")
    for key in value:
        if not isinstance(key, str) or key == BITS:
            raise TypeError(f"{where} has the key {key!r}: keys are strings other than {BITS!r}.")
    return {key: _to_json(f"{where}[{key!r}]", item) for key, item in value.items()}


def _from_json(entries):
    return struct.unpack(">d", bytes.fromhex(entries[BITS]))[0] if BITS in entries else entries


def _checked(name, array):
    """``array`` as it is stored: in C order, little-endian."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == "facts":
        raise ValueError(f"arrays has the name {name!r}: names match {NAME.pattern} and are not 'facts'.")
    if not isinstance(array, np.ndarray) or np.ma.isMaskedArray(array):
        raise TypeError(f"arrays[{name!r}] must be a plain array, got {type(array).__name__}.")
    if not 0 < array.dtype.itemsize <= KINDS.get(array.dtype.kind, 0):
        raise TypeError(f"arrays[{name!r}] is of type {array.dtype}: give bool, int, uint, float (to float64) or str.")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _replaceable(target):
    """The permissions of the file at ``target``, None where there is none, an error where it must not be replaced."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    problem = None
    if not stat.S_ISREG(mode):  # a rename would put a file in the place of /dev/null
        problem = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    elif not os.access(target, os.W_OK):  # a rename asks only the folder
        problem = errno.EACCES
    if problem:
        raise OSError(problem, os.strerror(problem), target)
    return stat.S_IMODE(mode)


def _pack(file, members):
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = f"fastgd model {FORMAT} sha256:".encode() + bytes(DIGEST)
        for name, array in members.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980 unless told otherwise
            info.create_system = 3  # the same bytes from every system
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(member, array, version=(1, 0), allow_pickle=False)
    file.seek(-DIGEST, os.SEEK_END)
    file.truncate()
    file.seek(0)
    file.write(hashlib.file_digest(file, "sha256").hexdigest().encode())


def _sync(folder):
    """Bring the rename to the disk too, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _proven(file, largest):
    """The format and size of a regular file whose ending and digest are as they were written."""
    status = os.fstat(file.fileno())
    _require(stat.S_ISREG(status.st_mode), "it is not a regular file")
    size = status.st_size
    _require(size <= largest, f"it has {size} bytes, more than largest={largest}")
    file.seek(max(0, size - 128))
    ending = ENDING.search(file.read(128))
    _require(ending, "its end is missing or not fastgd's")
    file.seek(0)
    digest, left = hashlib.sha256(), size - DIGEST
    while chunk := file.read(min(left, 2**20)):
        digest.update(chunk)
        left -= len(chunk)
    _require(digest.hexdigest().encode() == ending[2], "its bytes differ from those written (SHA-256)")
    return int(ending[1]), size


def _unpack(file, size):
    arrays = dict(_members(file, size))
    _require("facts" in arrays, "it has no facts")
    facts = arrays.pop("facts")
    _require(facts.dtype == np.uint8 and facts.nbytes <= LARGEST_FACTS, "its facts are not JSON, or too long")
    facts = json.loads(facts.tobytes().decode("utf-8", "surrogatepass"), object_hook=_from_json)
    _require(isinstance(facts, dict), "its facts are not a dict")
    return facts, arrays


def _members(file, size):
    """Name and array of each member, one right behind the other as ``_pack`` puts them.

    The zip's directory repeats what stands before each member and is not read: Python's zip reader makes objects of all
    its entries first, many times its size, and lets members overlap.
    """
    names = set()
    file.seek(0)
    while file.read(4) == b"PK\x03\x04":
        _, flags, method, *_, name_length, extra_length = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        member = file.read(name_length).decode("ascii")
        name = member.removesuffix(".npy")
        _require(name != member and NAME.fullmatch(name), f"it has a member named {member!r:.99}")
        _require(name not in names, f"it has two members named {name!r}")
        _require(flags == method == 0 and extra_length == SIZES.size, f"its member {name!r} is not stored plainly")
        *_, length, stored = SIZES.unpack(file.read(SIZES.size))
        _require(length == stored <= size - file.tell(), f"its member {name!r} has a wrong size")
        names.add(name)
        yield name, _array(name, file.read(length))


def _array(name, data):
    """The array in an npy member; its header is matched, not evaluated as NumPy does."""
    header = NPY_HEADER.match(data)
    _require(header, f"its array {name!r} has a header that fastgd doesn't write")
    dtype = np.dtype("<" + header[1].decode())
    shape = tuple(map(int, re.findall(rb"\d+", header[2])))
    fits = header.end() + math.prod(shape) * dtype.itemsize == len(data) and dtype.itemsize <= KINDS[dtype.kind]
    _require(fits, f"its array {name!r} is not {dtype} of shape {shape!r:.99}")
    array = np.ndarray(shape, dtype, data, header.end()).astype(dtype.newbyteorder("="), order="C")
    # Booleans other than 0 and 1 and strings beyond Unicode would break NumPy later, far from here.
    if most := {"b": 1, "U": 0x10FFFF}.get(dtype.kind):
        codes = array.reshape(-1).view(np.uint8 if most == 1 else np.uint32)
        _require(codes.max(initial=0) <= most, f"its array {name!r} has impossible values")
    return array
