"""Single arguments: every bad one is one clear error that names it, before anything is compiled or run."""

import re

import numpy as np
import pytest

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.inputs import arguments

X = np.random.default_rng(0).standard_normal((12, 3))
y = X @ [1.0, 2.0, 3.0]
nan, inf = np.nan, np.inf

BAD_SETTINGS = {
    "loss": [
        ("square_error", ValueError, "'squared_error'"),
        ("mae", ValueError, "Did you mean 'absolute_error'?"),
        ("logistic", ValueError, "Did you mean 'log_loss' or 'multinomial'?"),
        (lambda p, y: p - y, TypeError, "value(self, p, y) and slope(self, p, y) (the guide"),
        (3, TypeError, ""),
        (losses.Huber, TypeError, "Call it: Huber()"),
    ],
    "optimizer": [
        ("addam", ValueError, "'adam'"),
        ("adma", ValueError, "mean 'adam'?"),
        (losses.Huber(), TypeError, ""),
        (None, TypeError, ""),
    ],
    "learning_rate": [
        (0, ValueError, "greater than 0"),
        (-0.1, ValueError, "greater than 0"),
        (nan, ValueError, ""),
        (inf, ValueError, ""),
        ("constnt", ValueError, "'constant'"),
        (True, TypeError, ""),
        ("0.1", TypeError, "without quotes"),
        (None, TypeError, ""),
    ],
    "batch_size": [
        (0.5, TypeError, "such as 32"),
        (0, ValueError, "at least 1"),
        (-1, ValueError, ""),
        (2.5, TypeError, ""),
        ("all", TypeError, ""),
    ],
    "alpha": [(-1, ValueError, "at least 0"), (nan, ValueError, ""), ("1", TypeError, "")],
    "l1_ratio": [(-0.1, ValueError, "[0, 1]"), (1.1, ValueError, "[0, 1]")],
    "fit_intercept": [(1, TypeError, "True or False"), ("yes", TypeError, "")],
    "standardize": [(1, ValueError, "True, False"), ("yes", ValueError, "'scale'"), ("scal", ValueError, "'scale'")],
    "epochs": [
        (-1, ValueError, "at least 0"),
        (1.5, TypeError, "whole"),
        (inf, (TypeError, ValueError), ""),
        (2**63, ValueError, ""),
    ],
    "max_steps": [(-1, ValueError, "at least 0"), ("x", TypeError, "")],
    "tol": [(-1e-3, ValueError, "at least 0"), (nan, ValueError, ""), ("x", TypeError, "")],
    "shuffle": [("blocks", ValueError, "'block'"), (1, ValueError, ""), (0, ValueError, "")],
    "patience": [(0, ValueError, "at least 1")],
    "evaluate": [(1, TypeError, "True or False")],
    "random_state": [(-1, ValueError, "at least 0"), (1.5, TypeError, ""), ("x", TypeError, "")],
    "n_threads": [(0, ValueError, "at least 1"), (1.5, TypeError, "")],
    "callback": [(3, TypeError, "callable")],
    "verbose": [(-2, ValueError, "at least -1")],
}


@pytest.mark.parametrize(
    "name, value, error, words", [(k, *case) for k, cases in BAD_SETTINGS.items() for case in cases]
)
def test_bad_settings_are_named(name, value, error, words):
    for fit in (fastgd.fit, reference.fit):
        with pytest.raises(error, match=f"{name}.*{re.escape(words)}"):
            fit(X, y, **{name: value})


def test_an_unknown_name_shows_all_that_are_known():
    with pytest.raises(ValueError, match=r"loss='squre' is not known\..*Valid are: .*'log_loss'.*'squared_error'"):
        fastgd.fit(X, y, loss="squre")
    with pytest.raises(
        ValueError, match=r"optimizer='L-BFGS' is not known\. Did you mean 'newton'\? Valid are: 'auto', 'newton', 'ada"
    ):
        fastgd.fit(X, y, optimizer="L-BFGS")
    with pytest.raises(TypeError, match="learnin_rate"):
        fastgd.fit(X, y, learnin_rate=0.1)


@pytest.mark.parametrize(
    "part, words",
    [
        (losses.Huber(delta=0.0), "loss.delta=0"),
        (losses.Huber(delta=nan), "loss.delta=nan"),
        (losses.Huber(delta="x"), "loss.delta='x'"),
        (optimizers.Adam(beta1=1.0), "optimizer.beta1=1"),
        (optimizers.Adam(beta2=-0.1), "optimizer.beta2=-0.1"),
        (optimizers.Momentum(beta=1.5), "optimizer.beta=1.5"),
        (schedules.Constant(0.0), "learning_rate.initial=0"),
        (schedules.InverseScaling(0.1, inf), "learning_rate.power=inf"),
    ],
)
def test_bad_fields_of_parts_are_named(part, words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        fastgd.fit(X, y, **{words.partition(".")[0]: part})


def test_seeds():
    assert arguments.seed(3) == 3
    assert arguments.seed(np.int64(3)) == 3
    assert 0 <= arguments.seed(None) < 2**62
    assert arguments.seed(np.random.default_rng(0)) == arguments.seed(np.random.default_rng(0))
    assert arguments.seed(np.random.RandomState(0)) == arguments.seed(np.random.RandomState(0))
