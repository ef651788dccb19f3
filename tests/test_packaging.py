"""The package as users get it: the wheel from another folder, what an import loads, what the house forbids."""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import types
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import fastgd

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "fastgd").rglob("*.py"))


def python(code, **options):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light():
    heavy = ("numba", "scipy", "sklearn", "matplotlib", "pandas", "tqdm", "filelock")
    loaded = python(f"import sys, fastgd; print([name for name in {heavy} if name in sys.modules])", cwd=ROOT)
    assert loaded == "[]"


def test_public_names():
    for name in fastgd.__all__:
        assert getattr(fastgd, name) is not None
        assert name in dir(fastgd)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fastgd.nothing  # noqa: B018


def test_imports_point_one_way():
    """The layers of pyproject.toml, without a circle."""
    done = subprocess.run(["lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_kernels_are_serial_and_keep_nan(path):
    text = path.read_text()
    assert "parallel=True" not in text
    assert "fastmath=True" not in text


def test_no_lock_is_shared_by_fits():
    """That of Python 3.11's functools.cached_property is, which a forked child waits for (see kernels/threads.py)."""
    assert [path for path in SOURCES if "functools.cached_property" in path.read_text()] == []


SCRIPT = """
class Halved(fastgd.losses.SquaredError):
    def value(self, p, y):
        return 0.25 * (p - y) ** 2
    def slope(self, p, y):
        return 0.5 * (p - y)

def fitted(X, y):
    return fastgd.reference.fit(X, y, loss=Halved(), learning_rate=0.1, epochs=3)
"""


def test_all_travel_to_workers_of_joblib_dask_and_ray():
    """These send what a script defines, and what it mentions, by cloudpickle."""
    cloudpickle = pytest.importorskip("cloudpickle")
    script = {"__name__": "__main__", "fastgd": fastgd}
    exec(SCRIPT, script)
    X = np.arange(6.0).reshape(3, 2)
    result = script["fitted"](X, X[:, 0])
    public = [getattr(fastgd, name) for name in fastgd.__all__]
    for one in [fastgd, *public, script["fitted"], script["Halved"](), fastgd.SGDRegressor(loss=script["Halved"]())]:
        again = cloudpickle.loads(cloudpickle.dumps(one))
        assert again is one if one is fastgd or one in public else type(again).__name__ == type(one).__name__
    for one in (result, fastgd.SGDRegressor(optimizer="sgd").fit(X, X[:, 0])):
        assert np.array_equal(cloudpickle.loads(cloudpickle.dumps(one)).predict(X), one.predict(X))
    fitted = cloudpickle.loads(cloudpickle.dumps(script["fitted"]))
    assert np.array_equal(fitted(X, X[:, 0]).coef, result.coef)


def test_pyinstaller_is_told_of_all_modules():
    """They are imported by name, which it does not see: it asks the hook that the package names."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pyinstaller40"][
        "hook-dirs"
    ]
    (folder,) = metadata.EntryPoint("hook-dirs", named, "pyinstaller40").load()()
    asked, known = [], types.ModuleType("PyInstaller.utils.hooks")
    known.collect_submodules = lambda name: asked.append(name) or [name]
    code, names = (Path(folder) / "hook-fastgd.py").read_text(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, known.__name__, known)
        exec(code, names)
    assert asked == names["hiddenimports"] == ["fastgd"]


def test_readmes_links_lead_to_the_repository_or_are_words():
    """On a package index a link from the repository's root leads nowhere."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    spec.loader.exec_module(hook := importlib.util.module_from_spec(spec))
    assert re.search(r"\]\((docs/|CHANGELOG)", (ROOT / "README.md").read_text())
    for repository in ("", "https://host.example/fastgd"):
        text = hook.for_index(ROOT, repository)
        assert not re.search(r"\]\((docs/|CHANGELOG)", text)
        assert ("CHANGELOG", f"[CHANGELOG]({repository}/blob/main/CHANGELOG.md)")[bool(repository)] in text


FIT = """
import numpy as np
import fastgd
X = np.arange(20.0).reshape(10, 2) ** 2
r = fastgd.fit(X, X @ [1.0, 2.0], learning_rate=1e-5, epochs=3)
print(fastgd.__file__, r.n_epochs, fastgd.__version__)
"""


@pytest.mark.slow
@pytest.mark.jit
def test_a_wheel_is_installed_fits_and_is_gone_when_it_is_uninstalled(tmp_path):
    """pip leaves a folder in which it finds files that are not its own; ``import fastgd`` would find that folder."""
    run = partial(subprocess.run, check=True, capture_output=True)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)])
    (wheel,) = tmp_path.glob("fastgd-*.whl")
    run([sys.executable, "-m", "twine", "check", "--strict", str(wheel)])
    run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")])
    inside = next((tmp_path / "venv").glob("bin/python"))
    (place,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (place / "those_of_the_tests.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(inside)]
    run([*pip, "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)])
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "NUMBA_CACHE_DIR")}
    env |= {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    file, epochs, version = run([inside, "-c", FIT], cwd=tmp_path, env=env, text=True).stdout.split()
    assert Path(file).is_relative_to(place)
    assert (epochs, version) == ("3", fastgd.__version__)
    assert list((tmp_path / "cache").glob("fastgd/kernels_*/*.nbi"))
    run([*pip, "uninstall", "--yes", "fastgd"])
    assert not (place / "fastgd").exists()
