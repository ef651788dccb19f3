"""The built wheel on every Python and every scikit-learn: ``nox``, or ``nox -s "versions(oldest)"`` for one.

Runs the tests that depend on versions, from another folder, in some five minutes each; CI runs all tests on one set of
versions. The last line of each is a row of the table "Tested with".
"""

import shutil
from pathlib import Path

import nox

HERE = Path(__file__).parent
TESTS = (
    *("estimators", "cli/test_cli_fit.py", "cli/test_cli_predict.py", "functions/test_minimize.py"),
    *("inputs/test_arrays.py", "inputs/test_sparse_rows.py", "inputs/test_custom_parts.py"),
    *("kernels/test_layouts.py", "kernels/test_threads.py"),
    *("linear/test_fit.py", "linear/test_cross_validation.py", "linear/test_scoring.py"),
    *("results/test_fit_result.py", "results/test_plots.py", "results/test_serialization.py"),
    *("sources/test_csv_source.py", "sources/test_parquet_source.py"),
    *("test_config.py", "parts/test_registry.py"),
)
TOOLS = ("pytest>=9", "pytest-benchmark>=5", "pytest-xdist>=3.5", "hypothesis>=6.100", "polars>=1")
SAID = """
import platform, fastgd, numba, numpy, sklearn
assert {place!r} in fastgd.__file__, fastgd.__file__
print("", platform.python_version(), numpy.__version__, numba.__version__, sklearn.__version__, "", sep=" | ")
"""
# Python, and what is not the newest version: "oldest" has the least that pyproject.toml allows.
VERSIONS = {
    "oldest": (
        "3.11",
        *("numpy==2.0.*", "numba==0.62.0", "scikit-learn==1.6.*", "scipy==1.15.*", "filelock==3.12.*"),
        *("pandas==2.2.*", "pyarrow==17.*", "matplotlib==3.8.*", "pyparsing==3.1.*", "tqdm==4.66.*", "click==8.2.*"),
    ),
    "sklearn-1.7": ("3.11", "scikit-learn==1.7.*", "numpy==2.2.*", "numba==0.63.*"),
    "sklearn-1.8": ("3.12", "scikit-learn==1.8.*", "numpy==2.3.*", "numba==0.65.*"),
    "3.13": ("3.13",),
    "3.14": ("3.14",),
}
nox.options.sessions = ["versions"]


@nox.session(venv_backend="venv")
@nox.parametrize("python, pinned", [nox.param(own[0], own[1:], id=name) for name, own in VERSIONS.items()])
def versions(session, pinned):
    """The tests on one set of versions."""
    built, place = Path(session.create_tmp()) / "dist", Path(session.create_tmp()) / "elsewhere"
    for folder in (built, place):
        shutil.rmtree(folder, ignore_errors=True)
    session.install("build", *TOOLS)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(built), str(HERE), silent=True)
    (wheel,) = built.glob("*.whl")
    session.install(f"{wheel}[sklearn,cli,plot]", *pinned)
    shutil.copytree(HERE / "tests", place / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "pyproject.toml", place)
    session.chdir(place)
    session.run("pytest", "-q", "-m", "not slow and not long", *session.posargs, *(f"tests/{name}" for name in TESTS))
    session.run("python", "-c", SAID.format(place=session.virtualenv.location))
