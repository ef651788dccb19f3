"""Saved models on disk: metadata and arrays in one npz file, written whole or not at all and checked when read.

A file is a plain npz of ``metadata.npy`` (JSON as uint8) and the arrays, not compressed; ``np.load`` opens it too. Its
last bytes, the zip comment, are ``fastgd model 1 sha256:<hex>``: the format and the digest of all bytes before the hex.
Every later format keeps that ending, so any fastgd can tell a later file from a damaged one. The digest finds
accidental damage. Against files made with intent, sizes are checked before memory is taken, and nothing in a file is
ever executed or unpickled.
"""

import contextlib
import errno
import hashlib
import io
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

from ..wording import brief

FORMAT = 1
LARGEST = 2**34  # bytes of a file, by default
LARGEST_METADATA = 2**26  # bytes of JSON, whose Python objects take some thirty times as much
LARGEST_READ = 2**20  # bytes at once, and so of a zip's directory, of which zipfile makes objects ten times its size
LARGEST_HEADER = 2**10  # characters of an array's header, which NumPy parses as a Python literal
KINDS = {"b": 1, "i": 8, "u": 8, "f": 8, "U": LARGEST_READ}  # the largest item: float128 differs between machines
REMEDY = "Take another copy of the file, or fit and save again."
BITS = "float64 bits"  # {BITS: "7ff8000000000000"} is a float that JSON can't write

NAME = re.compile(r"[A-Za-z_][\w.]{0,99}", re.ASCII)
ENDING = re.compile(rb"fastgd model ([1-9]\d{0,5}) sha256:([0-9a-f]{64})\Z")
DIGEST = 64  # hexadecimal digits


class _Damage(Exception):
    """Why a file is no model."""


def _require(condition, reason):
    if not condition:
        raise _Damage(reason)


def _file_name(path):
    """The name of a file as a string."""
    try:
        name = os.fsdecode(path)
        if b"\0" in os.fsencode(name):
            raise ValueError
        return name
    except TypeError:
        raise TypeError(f"path={brief(path)} must be a string or a path.") from None
    except ValueError:  # of text that the system can't encode, too
        raise ValueError(f"path={brief(path)} can't be the name of a file.") from None


# Writing ------------------------------------------------------------------------------------------------------------


def write(path, metadata, arrays):
    """Write a file, whole or not at all: under a temporary name ``.fastgd-*.tmp`` in the same folder, then renamed.

    The bytes depend on nothing but the content. A killed writer may leave its temporary file, which is safe to delete.

    Parameters
    ----------
    path : str or PathLike
        The exact name. A file there is replaced and its permissions are kept; a symbolic link is followed.
    metadata : dict
        Of str, bool, int, float (kept bit for bit, NaN included), None, lists and dicts with str keys.
    arrays : dict of str to ndarray
        Of booleans, integers, floats up to float64, or strings, in any layout and byte order. Names are of letters,
        digits, ``_`` and ``.``; "metadata" is taken.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model")
    >>> write(path, {"loss": "huber"}, {"coef": np.array([1.0, 2.0])})
    >>> read(path)
    ({'loss': 'huber'}, {'coef': array([1., 2.])})
    """
    path = _file_name(path)
    members = {"metadata": _json_bytes(metadata)} | {name: _checked(name, array) for name, array in arrays.items()}
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
    with contextlib.suppress(OSError):  # the rename too goes to the disk, where the system can
        descriptor = os.open(folder, os.O_RDONLY)
        with open(descriptor, closefd=True):
            os.fsync(descriptor)


def _json_bytes(metadata):
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata must be a dict, got {type(metadata).__name__}.")
    text = json.dumps(_to_json("metadata", metadata), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > LARGEST_METADATA:
        raise ValueError(f"metadata take {len(data)} bytes of {LARGEST_METADATA} at most: put long lists into arrays.")
    return np.frombuffer(data, np.uint8)


def _to_json(where, value):
    """The value, if JSON keeps it exactly: it would silently turn tuples into lists and keys into strings."""
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
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == "metadata":
        raise ValueError(f"arrays has the name {name!r}: names match {NAME.pattern} and are not 'metadata'.")
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
    if not stat.S_ISREG(mode):  # a rename would replace /dev/null by a file
        problem = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    elif not os.access(target, os.W_OK):  # a rename needs permission for the folder only
        problem = errno.EACCES
    if problem:
        raise OSError(problem, os.strerror(problem), target)
    return stat.S_IMODE(mode)


def _pack(file, members):
    """Write the members as ``np.savez`` does, and the digest of all that is before it."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = f"fastgd model {FORMAT} sha256:".encode() + bytes(DIGEST)
        for name, array in members.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980 by default
            info.create_system = 3  # the same bytes from every system
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(member, array, version=(1, 0), allow_pickle=False)
    file.seek(-DIGEST, os.SEEK_END)
    file.truncate()
    file.seek(0)
    file.write(hashlib.file_digest(file, "sha256").hexdigest().encode())


# Reading ------------------------------------------------------------------------------------------------------------


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
    metadata : dict
    arrays : dict of str to ndarray
        New, writeable, C-contiguous, in native byte order, in the order they were written.

    Raises
    ------
    OSError
        Where the file can't be opened or read.
    ValueError
        Where it is not such a file, is damaged, or was written by a later fastgd.
    """
    path = _file_name(path)
    # A pipe is refused below; to open it must not wait for its writer.
    with _File(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        try:
            version, size = _proven(file, largest)
            if version <= FORMAT:
                return _unpack(file, size)
        except _Damage as error:
            raise ValueError(f"{path!r} is not a fastgd model, or is damaged: {error}. {REMEDY}") from error
    raise ValueError(
        f"{path!r} was written by a later fastgd (format {version}; this one reads up to {FORMAT}): upgrade fastgd."
    )


class _File(io.FileIO):
    """A file that is never read in large pieces, whatever sizes its own bytes claim."""

    def read(self, size=-1):
        _require(size <= LARGEST_READ, "its directory is too long")
        return super().read(size)


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
    while chunk := file.read(min(left, LARGEST_READ)):
        digest.update(chunk)
        left -= len(chunk)
    _require(digest.hexdigest().encode() == ending[2], "its bytes differ from those written (SHA-256)")
    return int(ending[1]), size


def _unpack(file, size):
    """The metadata and arrays of a file of ``size`` bytes."""
    try:
        with zipfile.ZipFile(file) as archive:
            arrays = {name: _array(archive, name, info) for name, info in _members(archive, size)}
        data = arrays.pop("metadata", np.empty(0))
        _require(data.dtype == np.uint8 and data.nbytes <= LARGEST_METADATA, "its metadata are not JSON, or too long")
        metadata = json.loads(data.tobytes().decode("utf-8", "surrogatepass"), object_hook=_from_json)
    except (_Damage, MemoryError):
        raise
    except Exception as error:  # readers of zip and JSON may raise any error for bytes made with intent
        raise _Damage(f"its content can't be read ({error})") from error
    _require(isinstance(metadata, dict), "its metadata are not a dict")
    return metadata, arrays


def _members(archive, size):
    """Name and entry of each member, stored plainly and together no larger than the file."""
    infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    _require(len(infos) == len(archive.infolist()), "it has two members of one name")
    _require(sum(info.file_size for info in infos.values()) <= size, "its members are larger than the file")
    for name, info in infos.items():
        _require(name != info.filename and NAME.fullmatch(name), f"it has a member named {info.filename!r:.99}")
        plain = info.flag_bits == info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        _require(plain, f"its member {name!r} is not stored plainly")
    return infos.items()


def _array(archive, name, info):
    """The array in a member; its header is checked before NumPy allocates the array."""
    with archive.open(info) as member:
        _require(npy.read_magic(member) == (1, 0), f"its array {name!r} is of another npy version")
        shape, fortran, dtype = npy.read_array_header_1_0(member, max_header_size=LARGEST_HEADER)
        fits = member.tell() + math.prod(shape) * dtype.itemsize == info.file_size and min(shape, default=0) >= 0
        known = not fortran and 0 < dtype.itemsize <= KINDS.get(dtype.kind, 0)
        _require(fits and known, f"its array {name!r} is not {dtype} of shape {shape!r:.99} in C order")
        member.seek(0)
        array = npy.read_array(member, allow_pickle=False, max_header_size=LARGEST_HEADER)
    array = array.astype(dtype.newbyteorder("="), copy=False)
    # Booleans other than 0 and 1 and strings beyond Unicode would break NumPy later, far from here.
    if most := {"b": 1, "U": 0x10FFFF}.get(dtype.kind):
        codes = array.reshape(-1).view(np.uint8 if most == 1 else np.uint32)
        _require(codes.max(initial=0) <= most, f"its array {name!r} has impossible values")
    return array
