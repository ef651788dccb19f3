"""The peers that go their own way to the optimum: each is given more and more effort until it is there.

All minimise ``data.objective``. What a library calls the strength of its penalty is set so; where it cannot be, a case
says why the library is left out.
"""

import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

import fastgd
from fastgd.kernels.threads import available_threads
from fastgd.parts.registry import snake_case

ITERATIONS = tuple(round(2 ** (k / 2)) for k in range(2, 27))  # up to 8,192
STEPS_OF_NEWTON = tuple(range(1, 31))
TOLERANCES = tuple(10.0**-k for k in range(1, 13))
ALL_AT_ONCE = (None,)  # of a closed form
UNENDING = 1_000_000  # iterations, where the tolerance is to end a run


class Solver(NamedTuple):
    """What a solver needs, what its effort is, and how it fits: ``of(work)(effort)`` is a run.

    A run returns coefficients (d,) and the intercept; of several classes (classes, d) and (classes,).
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
    sparse: bool = False

    @classmethod
    def by(cls, work):
        options, shape = work.case.options, work.X.shape
        penalty = options.get("alpha", 0.0), options.get("l1_ratio", 0.0)
        loss = options["loss"]  # a name, or an object with parameters
        name = loss if isinstance(loss, str) else snake_case(type(loss).__name__)
        threads = work.case.threads or available_threads()
        return cls(name, *penalty, *shape, threads, not isinstance(work.X, np.ndarray))

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
                if np.size(model.intercept_) > 1:
                    return np.asarray(model.coef_), np.asarray(model.intercept_)
                return np.reshape(model.coef_, -1), np.ravel(model.intercept_)[0]

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
    """A classifier or a model of counts or amounts, stopped after a number of iterations."""

    def build(asked, effort):
        from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor

        ends = {"solver": solver, "max_iter": effort, "tol": 1e-14}
        if asked.loss in ("poisson", "gamma"):
            model = PoissonRegressor if asked.loss == "poisson" else GammaRegressor
            return model(alpha=asked.alpha, **ends)
        share = {"l1_ratio": asked.share} if asked.share else {}
        return LogisticRegression(C=asked.c, random_state=0, **share, **ends)

    return build


def sgd(asked, effort):
    """SGD at the rates that it chooses itself."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    ends = {"alpha": asked.alpha, "max_iter": effort, "tol": None, "random_state": 0}
    ends |= {} if asked.alpha else {"penalty": None, "alpha": 1e-4}  # which its rates are made of, too
    if asked.loss == "huber":
        return SGDRegressor("huber", epsilon=fastgd.losses.Huber().delta, **ends)
    return SGDClassifier(asked.loss, **ends)


def with_column(number):
    """The efforts of liblinear: tolerances for a column of ones, then for another number."""
    return tuple((column, tol) for column in (1.0, number) for tol in TOLERANCES[:8])


def liblinear(dual):
    """liblinear: truncated Newton steps on the primal objective, coordinates of the dual, or of the primal with L1.

    Its intercept is the coefficient of a column of its own with the penalty of all others. An effort is the number in
    that column and a tolerance: 1 is quick, but ends ``alpha / 2`` times the intercept's square above; the square of a
    larger number divides that, and slows the coordinates of the dual down.
    """

    def build(asked, effort):
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        ends = {"C": asked.c, "intercept_scaling": effort[0], "tol": effort[1], "max_iter": UNENDING, "random_state": 0}
        if asked.loss == "log_loss":
            return LogisticRegression(solver="liblinear", dual=dual, l1_ratio=asked.share, **ends)
        return LinearSVC(loss=asked.loss, dual=dual, penalty="l1" if asked.share else "l2", **ends)

    return build


def highs(asked, effort):
    """The linear programme of a quantile, to the optimum."""
    from sklearn.linear_model import QuantileRegressor

    return QuantileRegressor(quantile=0.9, alpha=0.0, solver="highs")


# Others -------------------------------------------------------------------------------------------------------------


def skglm_model(asked, effort):
    """L2 alone is an elastic net without L1, as its L-BFGS has no intercept; what is smooth otherwise is Newton's."""
    from skglm import GeneralizedLinearEstimator, datafits, penalties, solvers

    names = {"squared_error": "Quadratic", "log_loss": "Logistic", "poisson": "Poisson", "gamma": "Gamma"}
    penalty = penalties.L1_plus_L2(asked.alpha, asked.share)
    datafit = (
        datafits.Huber(fastgd.losses.Huber().delta) if asked.loss == "huber" else getattr(datafits, names[asked.loss])()
    )
    if asked.loss in ("squared_error", "huber"):
        return GeneralizedLinearEstimator(datafit, penalty, solvers.AndersonCD(tol=effort))
    return GeneralizedLinearEstimator(datafit, penalty, solvers.ProxNewton(tol=effort, max_iter=100))


def glum_model(asked, effort):
    """Its objective is half the mean deviance, which is each of these losses."""
    from glum import GeneralizedLinearRegressor

    families = {"squared_error": "normal", "log_loss": "binomial", "poisson": "poisson", "gamma": "gamma"}
    penalty = {"alpha": asked.alpha, "l1_ratio": asked.share}
    return GeneralizedLinearRegressor(family=families[asked.loss], gradient_tol=effort, **penalty)


def snap_model(asked, effort):
    """Dual coordinate descent for classes; for numbers the primal one, which ends about 1e-4 above.

    The intercept is the coefficient of a column of ones, with its penalty: 1e-9 above, where it is near 0.
    """
    from snapml import LinearRegression, LogisticRegression, SupportVectorMachine

    ends = {"max_iter": effort, "tol": 0.0, "random_state": 0, "n_jobs": asked.threads, "fit_intercept": True}
    strength = asked.n * asked.alpha
    if asked.loss == "hinge":
        return SupportVectorMachine(regularizer=strength, **ends)
    if asked.loss == "log_loss":
        primal = {"penalty": "l1", "dual": False} if asked.share else {}
        return LogisticRegression(regularizer=strength, **primal, **ends)
    return LinearRegression(regularizer=strength, penalty="l1" if asked.share else "l2", dual=False, **ends)


def torch_losses(functional):
    """The mean losses of PyTorch, or written in it as its users would."""
    return {
        "squared_error": lambda p, t: 0.5 * functional.mse_loss(p, t),
        "log_loss": functional.binary_cross_entropy_with_logits,
        "poisson": functional.poisson_nll_loss,
        "gamma": lambda p, t: (p + t * (-p).exp()).mean(),
        "squared_hinge": lambda p, t: ((1 - (2 * t - 1) * p).clamp(min=0) ** 2).mean(),
        "huber": lambda p, t: functional.huber_loss(p, t, delta=fastgd.losses.Huber().delta),
        "quantile": lambda p, t: ((0.9 - ((t - p) < 0).to(p.dtype)) * (t - p)).mean(),
        "multinomial": functional.cross_entropy,
    }


def torch_lbfgs(work):
    """L-BFGS on all rows, with gradients by autograd."""
    with quiet():
        import torch
    from torch.nn import functional

    asked = Asked.by(work)
    loss, X, y = torch_losses(functional)[asked.loss], torch.from_numpy(work.X), torch.from_numpy(work.y)
    many = (int(y.max()) + 1,) if asked.loss == "multinomial" else ()
    torch.set_num_threads(asked.threads)
    ends = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}

    def at(effort):
        def run():
            w = torch.zeros((asked.d, *many), dtype=X.dtype, requires_grad=True)
            b = torch.zeros(many, dtype=X.dtype, requires_grad=True)
            optimizer = torch.optim.LBFGS([w, b], max_iter=effort, history_size=10, **ends)

            def closure():
                optimizer.zero_grad()
                scores = torch.addmm(b, X, w) if many else torch.addmv(b, X, w)
                value = loss(scores, y) + asked.alpha / 2 * (w * w).sum()
                value.backward()
                return value

            optimizer.step(closure)
            return w.detach().numpy().T, b.detach().numpy()

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
    "scikit-learn, Ridge sparse_cg": Solver("sklearn", TOLERANCES, model_of(ridge("sparse_cg"))),
    "scikit-learn, liblinear": Solver("sklearn", with_column(100.0), model_of(liblinear(dual=False))),
    "scikit-learn, liblinear, dual": Solver("sklearn", with_column(10.0), model_of(liblinear(dual=True))),
    "scikit-learn, highs": Solver("sklearn", ALL_AT_ONCE, model_of(highs)),
    "scikit-learn, saga": Solver("sklearn", ITERATIONS, model_of(by_iterations("saga"))),
    "scikit-learn, SGD": Solver("sklearn", ITERATIONS, model_of(sgd)),
    "skglm": Solver("skglm", TOLERANCES, model_of(skglm_model)),
    "glum": Solver("glum", TOLERANCES, model_of(glum_model)),
    "Snap ML": Solver("snapml", ITERATIONS, model_of(snap_model)),
    "PyTorch, L-BFGS": Solver("torch", ITERATIONS, torch_lbfgs),
}
