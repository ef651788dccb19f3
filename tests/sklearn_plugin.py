"""A pytest plugin: scikit-learn's own tests of SGD run against fastgd's classes (``test_sklearn_own.py`` loads it).

``FASTGD_SKLEARN_DEFAULTS=1`` gives ``learning_rate`` scikit-learn's defaults, which most of those tests go by.
``FASTGD_SKLEARN_DENSE=1`` leaves out those of sparse rows.
``FASTGD_SKLEARN_JOBLIB=1`` runs those about joblib, which else are left out.
``FASTGD_SKLEARN_REPORT`` names a file for the outcome of every test, a line each.
"""

import os

import pytest
from sklearn import linear_model

import fastgd

# Of joblib's backends, of which fastgd asks the number of threads only, one is enough: 20 models of 2,000 columns each.
NOT_OURS = ("oneclass", "ocsvm", "all_backends[loky]", "all_backends[multiprocessing]")
# For half of the time of all.
OF_JOBLIB = ("all_backends[threading]", "multi_core_gridsearch")


def replaced(estimator, learning_rate):
    """The class, with that default of ``learning_rate`` where it is asked for."""
    if os.environ.get("FASTGD_SKLEARN_DEFAULTS") == "1":
        estimator.__init__.__kwdefaults__["learning_rate"] = learning_rate
    return estimator


def pytest_configure(config):
    # Before collection: the tests make subclasses of the two as they are imported.
    linear_model.SGDRegressor = replaced(fastgd.SGDRegressor, "invscaling")
    linear_model.SGDClassifier = replaced(fastgd.SGDClassifier, "optimal")
    config.addinivalue_line("markers", "no_check_spmatrix: scikit-learn's own")


def pytest_collection_modifyitems(config, items):
    def named(item, words):
        return any(word in item.name.lower() for word in words)

    of_joblib = os.environ.get("FASTGD_SKLEARN_JOBLIB") == "1"
    without = NOT_OURS + (("sparse",) if os.environ.get("FASTGD_SKLEARN_DENSE") == "1" else ())
    ours = [item for item in items if not named(item, without) and named(item, OF_JOBLIB) == of_joblib]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = ours


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" or report.failed or report.skipped:
        with open(os.environ["FASTGD_SKLEARN_REPORT"], "a") as file:
            file.write(f"{item.name} {report.outcome}\n")
    return report
