"""scikit-learn's own tests of SGD, as its wheel ships them, run against fastgd's classes; what is left out, and why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import JIT_OFF

sklearn = pytest.importorskip("sklearn")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(JIT_OFF, reason="takes too long without compiled kernels")]

SPARSE = ("SparseSGDClassifier", "SparseSGDRegressor")


def both(test, *classes):
    """The test's names for some classes, of dense rows and of sparse ones."""
    return [f"{test}[{kind}{name}]" for name in classes for kind in ("", "Sparse")]


# Left out whatever the defaults are.
ALWAYS = {
    "they demand that several targets are refused, which SGDRegressor takes": both("test_input_format", "SGDRegressor"),
    "it replaces a private class of scikit-learn's": ["test_validation_mask_correctly_subsets"],
    "they demand that the intercept of sparse rows is held back by 0.01, in scikit-learn a heuristic": [
        *(f"test_late_onset_averaging_reached[{name}]" for name in SPARSE),
        "test_average_binary_computed_correctly[SparseSGDClassifier]",
        "test_sgd_multiclass_average[SparseSGDClassifier]",
        "test_sgd_averaged_computed_correctly[SparseSGDRegressor]",
        "test_sgd_averaged_partial_fit[SparseSGDRegressor]",
        "test_average_sparse[SparseSGDRegressor]",
        "test_sgd_proba[SparseSGDClassifier]",  # of another winner than dense rows have
    ],
}
# It goes by the epoch at which noisy scores end it (scikit-learn scores weights before their L2 shrinking): a machine's
# rounding decides whether it passes.
EITHER_WAY = {"test_multi_thread_multi_class_and_early_stopping"}
# Left out besides with scikit-learn's schedules.
SCHEDULED = {
    "they demand exact zeros of the last steps, which scikit-learn's cumulative L1 leaves more often; ours is the same "
    "for dense and sparse rows": both("test_sgd_l1", "SGDClassifier"),
}
# Left out besides where the rate is automatic.
AUTOMATIC = {
    "it compares coefficients after 6 epochs, where the hinge's kinks are still smoothed": ["test_l1_ratio"],
    "it demands an error where columns are of size 1e300; the automatic rate's error says which column": [
        "test_underflow_or_overflow"
    ],
    "they demand that one epoch is not enough, and goes by the seed; a step on all rows is exact and draws nothing": [
        "test_sgd_random_state[42-SGDClassifier]",
        "test_sgd_random_state[42-SGDRegressor]",
    ],
    "it demands at least 4 epochs; quasi-Newton steps are done after 2": ["test_tol_parameter"],
    "it demands R2 of 0.99 with alpha=0.1 and slopes of at most 0.1; on dense columns alpha acts as behind a scaler": [
        "test_sgd_huber_fit[SGDRegressor]"
    ],
}


def outcomes(path, defaults, dense=False, of_joblib=False):
    """The outcome of each of scikit-learn's tests, by name."""
    if tuple(map(int, sklearn.__version__.split(".")[:2])) != (1, 9):
        pytest.skip("the list is of scikit-learn 1.9's tests")
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-p", "sklearn_plugin", "-p", "no:cacheprovider", "-q"]
    command += [
        "-c",
        os.devnull,
        "--rootdir",
        str(path),
        "--tb",
        "no",
        "--pyargs",
        "sklearn.linear_model.tests.test_sgd",
    ]
    places = [str(here.parent), str(here), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "FASTGD_SKLEARN_DEFAULTS": str(int(defaults)),
        "FASTGD_SKLEARN_DENSE": str(int(dense)),
        "FASTGD_SKLEARN_JOBLIB": str(int(of_joblib)),
        "FASTGD_SKLEARN_REPORT": str(path / "report"),
        "SKLEARN_TESTS_GLOBAL_RANDOM_SEED": "42",
    }
    done = subprocess.run(command, env=environment, cwd=path, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return dict(line.rsplit(" ", 1) for line in (path / "report").read_text().splitlines())


# Whether with scikit-learn's defaults, on dense rows alone, and how many pass. With its schedules, rows have its
# numbers, and sparse rows those of dense ones: test_estimators.py, in the time that CI has.
WAYS = {
    "scikit-learn's defaults, dense rows": (True, True, 115),
    "scikit-learn's defaults": (True, False, 195),
    "our defaults": (False, False, 181),
    "our defaults, dense rows": (False, True, 90),
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.long] if "our defaults, dense" not in way else []) for way in WAYS]
)
def test_scikit_learns_own_tests(way, tmp_path):
    defaults, dense, least = WAYS[way]
    found = outcomes(tmp_path, defaults, dense)
    left_out = {name for names in (ALWAYS | (SCHEDULED if defaults else AUTOMATIC)).values() for name in names}
    left_out = {name for name in left_out if not (dense and "sparse" in name.lower())}
    assert left_out | EITHER_WAY <= set(found)
    assert {name for name, outcome in found.items() if outcome != "passed"} - EITHER_WAY == left_out
    assert len(found) - len(left_out | EITHER_WAY) >= least


@pytest.mark.long
def test_scikit_learns_own_tests_of_joblib(tmp_path):
    """20 models of 2,000 columns each; ``test_joblib`` in ``test_estimators.py`` has smaller ones."""
    found = outcomes(tmp_path, defaults=False, of_joblib=True)
    assert len(found) == 2
    assert set(found.values()) == {"passed"}
