"""Paths that the user gives, as files that are there, in a fixed order."""

import collections
import glob
import hashlib
import os


def paths_of(paths, argument="paths"):
    """The files of a path, a pattern such as "data/*.parquet", or a list of them, sorted; a folder is all its files."""
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    found = []
    for one in map(os.fspath, given):
        if os.path.isdir(one):
            inside = sorted(os.path.join(one, name) for name in os.listdir(one) if not name.startswith((".", "_")))
            found += [path for path in inside if os.path.isfile(path)]
        elif os.path.isfile(one):
            found.append(one)
        else:
            matching = sorted(path for path in glob.glob(one, recursive=True) if os.path.isfile(path))
            if not matching:
                raise FileNotFoundError(f"{argument}={one!r} names no file: check the path, or the pattern.")
            found += matching
    if not found:
        below = ", or pass a pattern such as 'folder/**/*.parquet' for files in the folders below" if given else ""
        raise FileNotFoundError(f"{argument}={paths!r} names no file: check the path{below}.")
    twice = [path for path, times in collections.Counter(map(os.path.abspath, found)).items() if times > 1]
    if twice:
        raise ValueError(f"{argument} names {twice[0]} twice, and its rows would count twice: name it once.")
    return found


def one_path(path, argument):
    """One file that is there."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{argument}={path!r} is no file: check the path.")
    return path


def unchanged(seen, path):
    """Raise if a file is not what it was when this process first asked; ``seen`` is a dict of what was found then.

    Rows of two states of a file would be fitted in silence, and a memory map of a file that was cut ends the process.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        what = f"{path} can not be read ({error.strerror})"
        raise ValueError(f"{what}: put it back, and open the source again.") from None
    now = found.st_size, found.st_mtime_ns
    if seen.setdefault(path, now) != now:
        raise ValueError(f"{path} has changed since the source was opened: open the source again.")


def digest_of(paths, *options):
    """A string that changes with the files' paths, sizes and times, and with the options."""
    found = hashlib.sha256(repr(options).encode())
    for path in paths:
        stat = os.stat(path)
        found.update(repr((os.path.abspath(path), stat.st_size, stat.st_mtime_ns)).encode())
    return found.hexdigest()[:32]
