"""The classes of solvers' states, by the names that files know them by."""

from dataclasses import dataclass

import numpy as np
import pytest

import fastgd
from fastgd.results.state import QuasiNewtonState, SolverState, Weights


def test_a_second_class_of_a_name_is_refused(tmp_path):
    """It would take the place of fastgd's, whose files could no longer be read."""
    X = np.arange(6.0)[:, None]
    fastgd.fit(X, X[:, 0]).save(tmp_path / "model")
    with pytest.raises(TypeError, match=r"^QuasiNewtonState is a state of fastgd\.results\.state already.* another name\.$"):
        type("QuasiNewtonState", (SolverState,), {"__module__": "mine"})
    assert SolverState.classes["QuasiNewtonState"] is QuasiNewtonState
    assert fastgd.load(tmp_path / "model").options["solver"] == "quasi_newton"


def test_a_class_may_be_defined_anew():
    """As a notebook's cell does that is run twice, and ``dataclass(slots=True)``."""

    def defined():
        @dataclass(frozen=True, eq=False, slots=True)
        class DefinedAnew(SolverState):
            weights: Weights

        return DefinedAnew

    try:
        defined()
        again = defined()
        assert SolverState.classes["DefinedAnew"] is again
    finally:
        SolverState.classes.pop("DefinedAnew", None)
