"""A pytest plugin that runs scikit-learn's own tests of SGD against fastgd's classes; see ``test_sklearn_own.py``.

``FASTGD_SKLEARN_DEFAULTS=1`` gives ``learning_rate`` scikit-learn's defaults, which most of those tests take for granted.
"""

import os

from sklearn import linear_model

import fastgd


def _with_defaults(estimator, learning_rate):
    """The class with another default of ``learning_rate``, under its own name and signature."""
    if os.environ.get("FASTGD_SKLEARN_DEFAULTS") == "1":
        estimator.__init__.__kwdefaults__["learning_rate"] = learning_rate
    return estimator


# Before collection: the tests make subclasses of these as they are imported.
linear_model.SGDRegressor = _with_defaults(fastgd.SGDRegressor, "invscaling")
linear_model.SGDClassifier = _with_defaults(fastgd.SGDClassifier, "optimal")
