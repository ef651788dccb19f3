"""The disk cache never lies and is never fatal: edits, damage, unwritable folders, many processes at once."""

import ast
import compileall
import marshal
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hangs
import pytest

import fastgd
from fastgd.kernels import _cache, sources
from fastgd.parts.registry import COMPILED_METHODS

PACKAGE = Path(fastgd.__file__).parent
JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT") == "1"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(JIT_OFF, reason="nothing is compiled"),
]

SCRIPT = """
import sys
import numpy as np
import fastgd
from fastgd.kernels import environment
X = np.arange(12.0).reshape(6, 2) / 10
r = fastgd.fit(X, X @ [1.0, 2.0] + 1, learning_rate=0.1, epochs=3, **{"batch_size": 4, "random_state": 0, {options}})
loaded, compiled = environment.counts()
print(repr(float(r.coef[0])), loaded / (loaded + compiled))
"""


def start(folder, script, **environment):
    """A process that runs a script in a folder."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", "default::RuntimeWarning", "-c", script.replace("{options}", "")],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Copy:
    """A copy of the package with a cache of its own, in which the script runs."""

    def __init__(self, folder):
        self.folder, self.warm = folder / "copy", folder / "warm"
        shutil.copytree(PACKAGE, self.folder / "fastgd", ignore=shutil.ignore_patterns("__pycache__"))
        self.value, found = self()
        assert found == 0
        shutil.copytree(self.folder, self.warm)

    def renew(self):
        """As it was after the first run. The same folder: the cache goes by the path."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.warm, self.folder)

    def start(self, options="", script=SCRIPT, **environment):
        places = {"PYTHONPATH": str(self.folder), "NUMBA_CACHE_DIR": str(self.folder / "cache"), **environment}
        return start(self.folder, script.replace("{options}", options), **places)

    @staticmethod
    def finish(process):
        """The fitted number, and the share of the kernels that was found on the disk."""
        out, err = hangs.said_by(process)
        assert process.returncode == 0, err
        value, found = out.split()
        return float(value), float(found)

    def __call__(self, options="", **environment):
        return self.finish(self.start(options, **environment))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def run(copy):
    """The copy, its cache warm."""
    copy.renew()
    return copy


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, path
    path.write_text(text.replace(old, new))


def test_second_process_hits(run):
    assert run() == (run.value, 1)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("parts/losses/regression.py", "return (self.factor + self.factor) * (p - y)", "return self.factor * (p - y)"),
        ("parts/optimizers/sgd.py", "return -c[0] * g, c[0], s", "return c[0] * g, c[0], s"),
        ("kernels/layouts.py", "return self.values[i, j]", "return 2 * self.values[i, j]"),
        ("kernels/part_functions.py", "out[1] += slopes\n", "out[1] += slopes + slopes\n"),
        ("kernels/_jit.py", '"error_model": "numpy"', '"error_model": "python"'),
    ],
)
def test_edit_takes_effect(run, file, old, new):
    rows = "layouts" in file  # only loops over single rows ask a layout for a number
    options, kernel = ("'batch_size': 1, 'alpha': 0.1", "_any_steps") if rows else ("", "_dense_batches")
    before = run(options)[0] if rows else run.value
    edit(run.folder / "fastgd" / file, old, new)
    after, found = run(options)
    assert found == 0
    if "error_model" not in old:
        assert after != before
    stamps = {path.name.split("__")[1][:8] for path in run.folder.glob(f"cache/**/*{kernel}__*.nbi")}
    assert len(stamps) == 1, "files of the older sources are pruned"


def imported(path):
    """The modules of the package that the module at ``path`` imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for file in (folder.with_suffix(".py"), *(folder / f"{name.name}.py" for name in node.names)):
                if file.exists():
                    yield file


def defines_part(path):
    """Whether a module defines a named tuple with a method that kernels call."""
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    named = [one for one in classes if any(getattr(base, "id", "") == "NamedTuple" for base in one.bases)]
    methods = [item for one in named for item in one.body if isinstance(item, ast.FunctionDef)]
    return any(
        COMPILED_METHODS.get(method.name) == ", ".join(argument.arg for argument in method.args.args[1:])
        for method in methods
    )


def compiled_modules(package):
    """The modules whose code may end up in a kernel: what kernels and parts are, and all that these import."""
    found, new = set(), {*package.glob("kernels/*.py"), *filter(defines_part, package.rglob("*.py"))}
    while new:
        found |= new
        new = {file for path in new for file in imported(path)} - found
    return sorted(found)


def test_an_edit_of_any_compiled_module_is_another_stamp(tmp_path, monkeypatch):
    package = tmp_path / "fastgd"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "__file__", str(package / "kernels" / "sources.py"))
    modules, before = compiled_modules(package), sources.stamp.__wrapped__()
    assert before == sources.stamp.__wrapped__()
    known = "kernels/_jit.py", "kernels/layouts.py", "parts/elementary.py", "parts/losses/regression.py"
    assert set(known) <= {path.relative_to(package).as_posix() for path in modules}
    for path in modules:
        text = path.read_text()
        path.write_text(text + "\n\ndef added():\n    return 1\n")
        assert sources.stamp.__wrapped__() != before, path
        path.write_text(text)
    assert before == sources.stamp.__wrapped__()


@pytest.mark.parametrize("kind", [pytest.param("nbi", marks=pytest.mark.long), "nbc"])
def test_damaged_files(run, kind):
    files = sorted(run.folder.glob(f"cache/**/*.{kind}"))
    assert len(files) >= 3, "each damage is done"
    for k, path in enumerate(files):
        data = path.read_bytes()
        path.write_bytes([b"", b"\x80garbage" * 50, data[: len(data) // 2]][k % 3])
    assert run() == (run.value, 0)
    assert run() == (run.value, 1), "and the damage is mended"


def warnings_of(process):
    """The fitted number, the share that was found on the disk, and the warnings, of a process."""
    out, err = hangs.said_by(process)
    assert process.returncode == 0, err
    return *map(float, out.split()), re.findall(r"RuntimeWarning: (.*)", err)


def test_unwritable(run):
    blocked = run.folder / "file"
    blocked.write_text("a file where a folder should be")
    places = {"NUMBA_CACHE_DIR": str(blocked), "HOME": str(blocked), "XDG_CACHE_HOME": str(blocked)}
    value, found, (warned,) = warnings_of(run.start(**places))
    assert (value, found) == (run.value, 0)
    assert f"{blocked}/kernels_" in warned
    assert f"{blocked}/fastgd/kernels_" in warned
    assert "Set NUMBA_CACHE_DIR to a folder that is" in warned
    assert warnings_of(run.start("'verbose': -1", **places)) == (run.value, 0, [])


READ_ONLY = """
import errno, os, tempfile
def refuse(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))
tempfile.TemporaryFile = refuse
"""


def test_a_folder_that_was_filled_and_is_read_only_now_is_read(run):
    assert warnings_of(run.start(script=READ_ONLY + SCRIPT)) == (run.value, 1, [])


# Without sources ------------------------------------------------------------------------------------------------------


def zipped(folder):
    """The package in a zip."""
    return shutil.make_archive(folder / "copy", "zip", folder / "copy")


def byte_code(folder):
    """The package as ``.pyc`` files alone."""
    compileall.compile_dir(folder / "copy", legacy=True, quiet=1)
    for path in (folder / "copy").rglob("*.py"):
        path.unlink()
    return folder / "copy"


@pytest.mark.parametrize("packed", [zipped, pytest.param(byte_code, marks=pytest.mark.long)])
def test_a_package_without_sources_runs_and_is_kept(packed, copy, tmp_path):
    copied = shutil.copytree(PACKAGE, tmp_path / "copy" / "fastgd", ignore=shutil.ignore_patterns("__pycache__"))
    place = {"PYTHONPATH": str(packed(tmp_path)), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    if packed is zipped:
        shutil.rmtree(copied)
    for found in (0, 1):
        assert Copy.finish(start(tmp_path, SCRIPT, **place)) == (copy.value, found)


def test_code_is_kept_in_the_users_cache_and_never_in_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = _cache.places.__wrapped__("")
    assert found.read == (found.write,)
    assert Path(found.write).parent == tmp_path / "fastgd"
    assert _cache.places.__wrapped__(str(tmp_path / "chosen")).write == str(
        tmp_path / "chosen" / Path(found.write).name
    )


def test_a_user_without_a_home_has_no_cache(tmp_path, monkeypatch):
    """The folder would be one of the name "~" in the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    for cache in ("", "~/.cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        assert _cache.places.__wrapped__("") == ((), None)
    assert not list(tmp_path.iterdir())


def test_a_frozen_application_keeps_its_code_beside_nothing_that_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    unpacked, found = [], []
    for number in range(2):
        monkeypatch.setattr(_cache, "__file__", str(tmp_path / f"_MEI{number}" / "fastgd" / "kernels" / "_cache.pyc"))
        unpacked.append(_cache.places.__wrapped__(""))
        found.append(_cache.places.__wrapped__(str(tmp_path / "chosen")))
    assert unpacked[0] == unpacked[1]
    assert Path(unpacked[0].write).is_relative_to(tmp_path / "fastgd")
    assert found[0] == found[1]
    assert Path(found[0].write).is_relative_to(tmp_path / "chosen")


def test_the_stamp_of_code_without_sources_changes_with_each_line():
    code = compile(LINES, "a.py", "exec")
    assert sources.of_code(code) == sources.of_code(compile("\n" + LINES, "b.py", "exec"))
    assert sources.of_code(code) == sources.of_code(marshal.loads(marshal.dumps(code)))
    for old, new in [("x + 1", "x + 2"), ("{1, 2}", "{1, 3}"), ("len", "max"), ("=1.0", "=1"), ("def a", "def b")]:
        assert repr(sources.of_code(compile(LINES.replace(old, new), "a.py", "exec"))) != repr(sources.of_code(code))


LINES = """
def a(x, b=1.0):
    return (lambda x: x + 1)(x) if x in {1, 2} else len(b)
"""


def test_sources_and_byte_code_hold_the_same_modules():
    files = {
        f"fastgd/{name}".removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name, _ in sources.of_files()
    }
    assert files == {name for name, _ in sources.of_loaders()}


def test_many_processes_at_once(run):
    shutil.rmtree(run.folder / "cache")
    options = ["", "'optimizer': 'adam'"]
    together = [run.start(words) for words in options * 2]
    values = [run.finish(process)[0] for process in together]
    assert values[:2] == values[2:]
    assert values[0] == run.value != values[1]
    assert [run(words) for words in options] == [(value, 1) for value in values[:2]]


def test_options_are_in_the_stamp(run):
    assert run(NUMBA_BOUNDSCHECK="1") == (run.value, 0)
    assert run() == (run.value, 1)


# A user's own class ---------------------------------------------------------------------------------------------------

OWN = """
from typing import NamedTuple
import numpy as np
class Cauchy(NamedTuple):
    c: float = 1.0
    def value(self, p, y):
        return 0.5 * self.c**2 * np.log1p(((p - y) / self.c) ** 2)
    def slope(self, p, y):
        return (p - y) / (1 + ((p - y) / self.c) ** 2)
class Sgd(NamedTuple):  # fastgd has one of this name
    factor: float = 1.0
    def prepare(self, lr, t, carry):
        return (0.5 * self.factor * lr,), carry
    def move(self, c, w, g, s):
        return -c[0] * g, c[0], s
"""


HITS = """
from fastgd.kernels import addresses
print(*(f.py_func.__qualname__.split("__")[0] for f in addresses.compiled if sum(f.stats.cache_hits.values())))
"""


class Own:
    """Fits with the user's class, each in a process, with the class in a module or typed in."""

    def __init__(self, run):
        self.run, self.module = run, run.folder / "mine.py"

    def __call__(self, source=OWN, module=False, loss="Cauchy(1.0)"):
        """The fitted number, and the functions of parts that were found on the disk."""
        if module:
            self.module.write_text(source)
        place = "from mine import *\n" if module else f"exec({source!r}, globals())\n"
        started = self.run.start(f"'loss': {loss}, 'optimizer': Sgd()", place + SCRIPT + HITS)
        out, err = hangs.said_by(started)
        assert started.returncode == 0, err
        value, hits = out.splitlines()
        assert float(value.split()[1]) > 0, "loops know no part"
        self.module.unlink(missing_ok=True)
        shutil.rmtree(self.run.folder / "__pycache__", ignore_errors=True)
        return float(value.split()[0]), sorted(hits.split())


def test_functions_of_a_users_class_are_kept_by_its_content(run):
    own = Own(run)
    value, hits = own(module=True)
    assert (value != run.value, hits) == (True, [])
    again, hits = own()  # the same content from elsewhere; the module is gone
    assert again == value
    assert [name[:13] for name in hits] == ["loss_block_Ca", "move_weights_"]
    other, hits = own(OWN.replace("0.5 * self.factor", "0.25 * self.factor"))
    assert (other != value, len(hits)) == (True, 1), "an edited class is another one"
    assert own()[0] == value
    assert run() == (run.value, 1)


def test_functions_of_a_class_of_any_name_are_kept(run):
    """Files have 255 bytes for their names, and no slashes in them."""
    named = OWN + "\nCauchy.__name__ = '\U00020000/' * 100\n"
    assert [len(Own(run)(named)[1]) for _ in range(2)] == [0, 2]


def scaled(number):
    """The user's class with its loss times a number."""
    source = OWN.replace("return 0.5 * self.c", f"return {number} * 0.5 * self.c")
    return source.replace("return (p - y)", f"return {number} * (p - y)")


def test_a_class_that_reads_an_object_is_not_kept(run):
    """Its hash goes by the object's place in memory, which means something else in the next process."""
    source = "import numba\n" + OWN.replace("return (p - y)", "return numba.float64(1.0) * (p - y)")
    values, hits = zip(*(Own(run)(source) for _ in range(2)), strict=True)
    assert values[0] == values[1]
    assert [[name[:13] for name in found] for found in hits] == [[], ["move_weights_"]]
    assert not list(run.folder.glob("cache/**/*Cauchy*.nb?"))


def test_old_versions_of_a_users_class_are_removed(run):
    edit(run.folder / "fastgd" / "kernels" / "_cache.py", "VERSIONS = 16", "VERSIONS = 1")
    run()
    for number in (1, 2):
        Own(run)(scaled(number))
    assert len(list(run.folder.glob("cache/**/*loss_block_Cauchy*.nbi"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="XDG's folders are Linux's")
@pytest.mark.parametrize("given", ["", "relative"])
def test_a_cache_home_that_is_no_absolute_path_is_ignored(tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    found = _cache.places.__wrapped__(None).write
    assert Path(found).parent == tmp_path / ".cache" / "fastgd"
