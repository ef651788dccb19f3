"""The peers that go their own way to the optimum: each is given more and more effort until it is there."""

from typing import NamedTuple

ITERATIONS = tuple(round(2 ** (k / 2)) for k in range(2, 27))  # up to 8,192
TOLERANCES = tuple(10.0**-k for k in range(1, 13))


class Solver(NamedTuple):
    """What a solver needs, what its effort is, and how it fits: ``of(work)(effort)`` is a run.

    A run returns coefficients (d,) and the intercept.
    """

    package: str
    efforts: tuple
    of: object


def sklearn_model(build, *losses):
    """A linear model of scikit-learn's: ``build(linear_model, alpha, l1_ratio, n, effort)``."""

    def of(work):
        from sklearn import linear_model

        options = work.case.options
        alpha, share, n = options.get("alpha", 0.0), options.get("l1_ratio", 0.0), len(work.y)

        def at(effort):
            model = build(linear_model, alpha, share, n, effort)

            def run():
                model.fit(work.X, work.y)
                return model.coef_.reshape(-1), float(
                    model.intercept_ if model.intercept_.ndim == 0 else model.intercept_[0]
                )

            return run

        return at

    return of


SOLVERS = {}
