"""The package as users get it: the wheel from another folder, what an import loads, what the house forbids."""

import ast
import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    inside = path.relative_to(ROOT / "fastgd").parts
    api = {"fit", "choose", "drive", "passes", "results", "minimize", "sweep", "reference", "checks", "demo", "scaling"}
    api |= {"functions", "run", "runs", "compiled_runs"}
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(alias.name for alias in node.names)]
        roots = {name.split(".")[0] for name in names}
        if inside[0] != "kernels":
            assert not roots & {"numba", "llvmlite"}, "only kernels/ imports numba"
        if inside[0] in ("kernels", "losses.py", "optimizers.py", "penalties.py", "schedules.py", "_parts.py"):
            assert not roots & api, "parts and kernels know nothing of the API"
    assert "parallel=True" not in path.read_text()
    assert "fastmath=True" not in path.read_text()


@pytest.mark.slow
def test_wheel(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("fastgd-*.whl")
    place = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(place), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    code = """
import numpy as np
import fastgd
X = np.arange(20.0).reshape(10, 2) ** 2
r = fastgd.fit(X, X @ [1.0, 2.0], learning_rate=1e-5, epochs=3)
print(fastgd.__file__, r.n_epochs, fastgd.__version__)
"""
    env = {**os.environ, "PYTHONPATH": str(place)}
    file, epochs, version = python(code, cwd=tmp_path, env=env).split()
    assert Path(file).is_relative_to(place)
    assert (epochs, version) == ("3", fastgd.__version__)
