"""One table of small problems, from which the cases of all tests are made, and what tests share."""

import functools
import os
import signal
from typing import NamedTuple

import hypothesis
import numpy as np
import pytest

import fastgd
from fastgd.linear.fit import planned
from fastgd.solvers.compiled import COMPILED

os.environ["MPLBACKEND"] = "Agg"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs begin so; Ctrl-C is tested here
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Losses of one score; those of several classes have tests of their own.
ELEMENTWISE = [name for name in fastgd.losses.__all__ if not getattr(fastgd.losses, name).joint]
JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT") == "1"
# What compiles for more than some 2 s, and is quick as plain Python, where coverage needs it.
slow_to_compile = pytest.mark.skipif(False, reason="quick as plain Python") if JIT_OFF else pytest.mark.slow
# Of tests whose runs diverge on purpose; those of the warning itself are in results/test_divergence_warning.py.
diverges = pytest.mark.filterwarnings("ignore::fastgd.DivergenceWarning")
# Each loss, optimizer and kind of penalty is compiled anew for each loop. So that tests share what is compiled, those
# of every optimizer take a penalty in batches and none on single rows; all combinations run where nothing is compiled.
ALPHA = {1: 0.0, 16: 0.1, None: 0.1}

hypothesis.settings.register_profile(
    "fastgd",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=12 if JIT_OFF else 40,  # plain Python is slow
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # the first call compiles, and cores are busy
)
hypothesis.settings.load_profile("fastgd")


class Problem(NamedTuple):
    """Rows, targets (numbers, or labels for losses of two classes) and row weights."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None

    def target(self, loss):
        """Targets of the kind a loss wants: two labels, split at the median; numbers; positive numbers near 1."""
        numeric = self.y.dtype.kind == "f"
        if loss.labels:
            return np.where(self.y > np.median(self.y), "yes", "no") if numeric else self.y
        y = self.y if numeric else (self.y == np.unique(self.y)[-1]).astype(float)
        return np.exp(0.5 * (y - y.mean()) / (y.std() or 1.0)).astype(y.dtype) if loss.domain else y


def _problems():
    rng = np.random.default_rng(7)
    normal = rng.standard_normal

    def regression(n, *columns, noise=0.3):
        X = np.column_stack(columns)
        Z = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
        return X, 2 + Z @ np.linspace(-1, 2, X.shape[1]) + noise * normal(n)

    plain = Problem(*regression(80, *normal((3, 80))))
    years, millions, shares = rng.integers(1990, 2024, 90), rng.lognormal(15, 1, 90), rng.uniform(0, 1e-3, 90)
    return {
        "plain": plain,
        "raw": Problem(*regression(90, years, millions, shares, years + 0.1 * normal(90))),
        "raw_target": Problem(plain.X, 1e6 * plain.y),
        "degenerate": Problem(*regression(70, normal(70), np.full(70, 5.0), x := normal(70), x, np.zeros(70))),
        "weighted": Problem(plain.X, plain.y, rng.integers(0, 4, 80).astype(float)),
        "labels": Problem(plain.X, np.where(plain.y + normal(80) > 2, "spam", "ham")),
        "separable": Problem(100 * plain.X, np.where(plain.X[:, 0] > 0, "b", "a")),
        "float32": Problem(plain.X.astype(np.float32), plain.y.astype(np.float32)),
        "outliers": Problem(plain.X, plain.y + np.where(rng.uniform(size=80) < 0.1, 100 * normal(80), 0)),
        "wide": Problem(*regression(20, *normal((30, 20)))),
        "one_column": Problem(*regression(50, rng.uniform(0, 2, 50))),
        "one_row": Problem(np.array([[3.0, -1.0]]), np.array([2.0])),
        "constant_target": Problem(plain.X, np.full(80, 3.0)),
        "sorted": Problem(plain.X[np.argsort(plain.y)], np.sort(plain.y)),
    }


PROBLEMS = _problems()


# Where nothing is compiled, all cases run of these tests, which are about kernels and about each part's agreement with
# the reference; of each other test two, in the time that CI has.
WHOLE = ("tests/kernels/", "tests/test_reference.py")
FEW_CASES = 2


def plan_of(X, y, **options):
    """What a call of fit would run."""
    return planned(COMPILED, X, y, options)[1]


@pytest.hookimpl(trylast=True)  # after -m has taken its choice
def pytest_collection_modifyitems(config, items):
    if not JIT_OFF:
        return
    # Plain Python is slow, and lines are covered by some cases of a test as by all, which run compiled.
    cases, left_out = {}, []
    for item in items:
        if item.get_closest_marker("jit"):
            item.add_marker(pytest.mark.skip(reason="nothing is compiled"))
        else:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, some in cases.items():
        if not name.startswith(WHOLE) and len(some) > FEW_CASES:
            kept = set(some[:: -(-len(some) // FEW_CASES)])
            left_out += [item for item in some if item not in kept]
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


@functools.cache
def _state_at_import(generator):
    """As the first test of a module finds it."""
    return generator.bit_generator.state


@pytest.fixture(autouse=True)
def draws_as_if_alone(request):
    """Draws from the same state in every run and whichever tests ran before: the module's RNG as after its import."""
    np.random.seed(0)  # noqa: NPY002 (what scikit-learn's random_state=None draws from)
    if generator := getattr(getattr(request, "module", None), "RNG", None):
        generator.bit_generator.state = _state_at_import(generator)


@pytest.fixture
def problems():
    """The table: name -> Problem."""
    return PROBLEMS


@pytest.fixture(params=PROBLEMS)
def problem(request):
    """Each problem of the table in turn."""
    return PROBLEMS[request.param]


@pytest.fixture
def plain():
    """The well-scaled regression."""
    return PROBLEMS["plain"]


@pytest.fixture(scope="session")
def client():
    """The client of a cluster that tests share, two processes of one thread each; who kills workers makes another."""
    from clusters import local

    with local(2) as client:
        yield client
