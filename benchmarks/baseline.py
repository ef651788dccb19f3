"""The numbers that the gate holds code to: committed, or measured anew from the commit they were recorded at.

Instructions hang on the versions of everything that compiles, seconds on the CPU too: each is kept by its key. Where
the committed file has no number for the key of this machine, the code that the file belongs to, the last commit that
wrote it, is measured here and now, by the same questions; so nothing is skipped on a machine that is new.
"""

import contextlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import fastgd

HERE = Path(__file__).parent
FILE = HERE / "baseline.json"
KEYED = "compiled", "instructions", "ratios"  # kept by what they hang on
EMPTY = {"cases": [], "signatures": {}, **{check: {} for check in KEYED}}
PACKAGES = "numpy", "numba", "llvmlite", "scipy"


def toolchain():
    """What compiles the kernels and runs around them, in words."""
    python = f"{platform.machine()} Python {platform.python_version()} ({platform.python_compiler()})"
    return ", ".join([python, *(f"{package} {version(package)}" for package in PACKAGES)])


def machine():
    """The toolchain and the CPU."""
    cpu = fastgd.show_config("dicts")["cpu"]  # the name that is sold is that of several generations
    return f"{cpu['name']} ({cpu['llvm_name']}), {toolchain()}"


def read():
    """The committed numbers, as `EMPTY` has their parts: signatures by kernel, the others by key and case."""
    try:
        numbers = json.loads(FILE.read_text())
        found = {name: type(value) for name, value in numbers.items()}
        sound = all(number > 0 for check in KEYED for one in numbers[check].values() for number in one.values())
        if sound and found == {name: type(value) for name, value in EMPTY.items()}:
            return numbers
        why = f"it has to have {', '.join(EMPTY)}, and numbers above 0"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
    raise ValueError(f"is damaged ({why}): git checkout benchmarks/{FILE.name}")


def write(numbers):
    FILE.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")


def git(*arguments):
    """What git says, or nothing where there is no history."""
    try:
        done = subprocess.run(["git", *arguments], cwd=HERE.parent, capture_output=True)
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode == 0 else b""


def recorded_at():
    """The commit that wrote the file last, or nothing: where a clone's history is cut off, every file seems new."""
    commit, _, parents = git("log", "-1", "--format=%H %P", "--", str(FILE)).decode().strip().partition(" ")
    cut_off = not parents and git("rev-parse", "--is-shallow-repository").strip() == b"true"
    return "" if cut_off else commit


@contextlib.contextmanager
def tree_of(commit):
    """A folder with the package as it was at a commit and these benchmarks, or None where history does not have it."""
    packed = commit and git("archive", commit, "fastgd")
    if not packed:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            # Python before 3.11.4 has no filters, and this archive is our own.
            archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        shutil.copytree(HERE, Path(folder) / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(folder)
