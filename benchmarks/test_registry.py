"""The registry: entries that can be told apart, of peers that there are, with promises about somebody who runs."""

import numpy as np
import pytest

from . import race, registry
from .cases import CASES, LIMITS
from .comparisons import COMPARISONS
from .gated import GATED
from .peers import PEERS
from .report import everything
from .solvers import SOLVERS


def test_names_are_told_apart():
    assert len(everything()) == len(CASES + COMPARISONS + LIMITS)
    assert len(GATED) == sum(case.gate is not None for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_peers_and_promises(case):
    known = SOLVERS if case.race == registry.OBJECTIVE else PEERS | race.OURS
    assert set(case.peers) <= set(known)
    assert set(case.floors) <= set(case.peers)
    assert not set(case.out) & set(case.peers)
    assert bool(case.gate) >= bool(case.kernels)


@pytest.mark.parametrize(
    ("theirs", "within", "alike"),
    [
        (1.0, 0.0, True),
        (1.1, 0.2, True),
        (0.7, 0.2, False),
        (np.nan, np.inf, False),
        (np.inf, np.inf, False),
        ([1.0, 1.1], 0.2, True),
        ([1.0, 1.3], 0.2, False),
    ],
)
def test_objectives_that_agree(theirs, within, alike):
    assert registry.agree({"fastgd": 1.0, "a peer": theirs}, within) == alike


def test_what_is_not_finite_agrees_with_nothing():
    assert not registry.agree({"fastgd": np.nan}, np.inf)
    assert not registry.agree({"fastgd": np.inf, "a peer": np.inf}, np.inf)


def test_a_broken_peer_stops_nobody(capsys):
    def broken():
        raise ImportError("no symbol")

    assert registry.peer("numpy", broken) == "fails: ImportError: no symbol"
    assert registry.peer("no_such_package", broken) == registry.NOT_INSTALLED
    climb = race.Climb(None, lambda effort: broken, (1, 2))
    assert climb.least(1.0) == np.inf
    assert climb.run(1.0, 0.1) == "fails: ImportError: no symbol"
    assert "no symbol" in capsys.readouterr().err
