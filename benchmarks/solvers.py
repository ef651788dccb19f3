"""The peers that go their own way to the optimum: each is given more and more effort until it is there.

All minimise ``data.objective``. What a library calls the strength of its penalty is set so; where it cannot be, a case
says why the library is left out.
"""

import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from fastgd.kernels.threads import available_threads

ITERATIONS = tuple(round(2 ** (k / 2)) for k in range(2, 27))  # up to 8,192
STEPS_OF_NEWTON = tuple(range(1, 31))
TOLERANCES = tuple(10.0**-k for k in range(1, 13))
ALL_AT_ONCE = (None,)  # of a closed form
UNENDING = 1_000_000  # iterations, where the tolerance is to end a run


class Solver(NamedTuple):
    """What a solver needs, what its effort is, and how it fits: ``of(work)(effort)`` is a run.

    A run returns coefficients (d,) and the intercept.
    """

    package: str
    efforts: tuple
    of: object


class Asked(NamedTuple):
    """What is to be minimised, and the threads that may be used for it."""

    loss: str
    alpha: float
    share: float  # of L1 in the penalty
    n: int
    d: int
    threads: int

    @classmethod
    def by(cls, work):
        options, shape = work.case.options, work.X.shape
        penalty = options.get("alpha", 0.0), options.get("l1_ratio", 0.0)
        return cls(options["loss"], *penalty, *shape, work.case.threads or available_threads())

    @property
    def c(self):
        """The weight of the sum of losses against half the squared coefficients, as classifiers have it."""
        return 1 / (self.n * self.alpha) if self.alpha else np.inf


@contextmanager
def quiet():
    """Without warnings: of little effort many say that they did not converge, and some packages when imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def model_of(build):
    """Of a model as scikit-learn's are: ``build(asked, effort)``."""

    def of(work):
        asked, X = Asked.by(work), as_matrix(work.X)

        def at(effort):
            with quiet():
                model = build(asked, effort)

            def run():
                with quiet():
                    model.fit(X, work.y)
                return model.coef_.reshape(-1), np.ravel(model.intercept_)[0]

            return run

        return at

    return of


def as_matrix(X):
    """Sparse rows as the class that all packages know, over the same numbers."""
    if isinstance(X, np.ndarray):
        return X
    from scipy.sparse import csr_matrix

    return csr_matrix((X.data, X.indices, X.indptr), X.shape)


# scikit-learn -------------------------------------------------------------------------------------------------------


def least_squares(asked, effort):
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def ridge(solver):
    def build(asked, effort):
        from sklearn.linear_model import Ridge

        return Ridge(asked.n * asked.alpha, solver=solver, max_iter=UNENDING, tol=effort or 0.0)

    return build


def coordinates(gram):
    """Coordinate descent on the rows, or on the Gram matrix."""

    def build(asked, effort):
        from sklearn.linear_model import ElasticNet

        return ElasticNet(asked.alpha, l1_ratio=asked.share, precompute=gram, max_iter=UNENDING, tol=effort)

    return build


def by_iterations(solver):
    """A classifier or a model of counts, stopped after a number of iterations."""

    def build(asked, effort):
        from sklearn.linear_model import LogisticRegression, PoissonRegressor

        ends = {"solver": solver, "max_iter": effort, "tol": 1e-14}
        if asked.loss == "poisson":
            return PoissonRegressor(alpha=asked.alpha, **ends)
        return LogisticRegression(C=asked.c, random_state=0, **ends)

    return build


def sgd(asked, effort):
    """SGD at the rates that it chooses itself."""
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier("log_loss", alpha=asked.alpha, max_iter=effort, tol=None, random_state=0)


# Others -------------------------------------------------------------------------------------------------------------


def skglm_model(asked, effort):
    """L2 alone is an elastic net without L1, as its L-BFGS has no intercept; what is smooth otherwise is Newton's."""
    from skglm import GeneralizedLinearEstimator, datafits, penalties, solvers

    names = {"squared_error": "Quadratic", "log_loss": "Logistic", "poisson": "Poisson"}
    penalty = penalties.L1_plus_L2(asked.alpha, asked.share)
    solver = solvers.AndersonCD if asked.loss == "squared_error" else solvers.ProxNewton
    return GeneralizedLinearEstimator(getattr(datafits, names[asked.loss])(), penalty, solver(tol=effort))


def glum_model(asked, effort):
    """Its objective is half the mean deviance, which is each of these losses."""
    from glum import GeneralizedLinearRegressor

    families = {"squared_error": "normal", "log_loss": "binomial", "poisson": "poisson"}
    penalty = {"alpha": asked.alpha, "l1_ratio": asked.share}
    return GeneralizedLinearRegressor(family=families[asked.loss], gradient_tol=effort, **penalty)


def snap_model(asked, effort):
    """Dual coordinate descent for classes; for numbers the primal one, which ends about 1e-4 above.

    The intercept is the coefficient of a column of ones, with its penalty: 1e-9 above, where it is near 0.
    """
    from snapml import LinearRegression, LogisticRegression

    ends = {"max_iter": effort, "tol": 0.0, "random_state": 0, "n_jobs": asked.threads, "fit_intercept": True}
    strength = asked.n * asked.alpha
    if asked.loss == "log_loss":
        return LogisticRegression(regularizer=strength, **ends)
    return LinearRegression(regularizer=strength, penalty="l1" if asked.share else "l2", dual=False, **ends)


def torch_lbfgs(work):
    """L-BFGS on all rows, with gradients by autograd."""
    with quiet():
        import torch
    from torch.nn import functional

    losses = {
        "squared_error": lambda p, t: 0.5 * functional.mse_loss(p, t),
        "log_loss": functional.binary_cross_entropy_with_logits,
        "poisson": functional.poisson_nll_loss,
    }
    asked = Asked.by(work)
    loss, X, y = losses[asked.loss], torch.from_numpy(work.X), torch.from_numpy(work.y)
    torch.set_num_threads(asked.threads)
    ends = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}

    def at(effort):
        def run():
            w = torch.zeros(asked.d, dtype=X.dtype, requires_grad=True)
            b = torch.zeros((), dtype=X.dtype, requires_grad=True)
            optimizer = torch.optim.LBFGS([w, b], max_iter=effort, history_size=10, **ends)

            def closure():
                optimizer.zero_grad()
                value = loss(torch.addmv(b, X, w), y) + asked.alpha / 2 * (w @ w)
                value.backward()
                return value

            optimizer.step(closure)
            return w.detach().numpy(), b.item()

        return run

    return at


SOLVERS = {
    "scikit-learn, LinearRegression": Solver("sklearn", ALL_AT_ONCE, model_of(least_squares)),
    "scikit-learn, Ridge cholesky": Solver("sklearn", ALL_AT_ONCE, model_of(ridge("cholesky"))),
    "scikit-learn, Ridge lsqr": Solver("sklearn", TOLERANCES, model_of(ridge("lsqr"))),
    "scikit-learn, coordinates": Solver("sklearn", TOLERANCES, model_of(coordinates(gram=False))),
    "scikit-learn, coordinates, Gram": Solver("sklearn", TOLERANCES, model_of(coordinates(gram=True))),
    "scikit-learn, lbfgs": Solver("sklearn", ITERATIONS, model_of(by_iterations("lbfgs"))),
    "scikit-learn, newton-cholesky": Solver("sklearn", STEPS_OF_NEWTON, model_of(by_iterations("newton-cholesky"))),
    "scikit-learn, saga": Solver("sklearn", ITERATIONS, model_of(by_iterations("saga"))),
    "scikit-learn, SGD": Solver("sklearn", ITERATIONS, model_of(sgd)),
    "skglm": Solver("skglm", TOLERANCES, model_of(skglm_model)),
    "glum": Solver("glum", TOLERANCES, model_of(glum_model)),
    "Snap ML": Solver("snapml", ITERATIONS, model_of(snap_model)),
    "PyTorch, L-BFGS": Solver("torch", ITERATIONS, torch_lbfgs),
}
