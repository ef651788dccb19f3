"""Optima to high accuracy, by methods that share nothing with the project's: QR, Newton and interior points.

All is done in an orthonormal basis of the centred columns, so that no scale and no collinearity matters. The value of
a loss alone is the project's own; slopes and curvatures are written out here anew.
"""

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.special

import fastgd

LOSSES = {
    "regression": ("squared_error", "huber", "quantile"),
    "classes": ("log_loss",),
    "counts": ("poisson",),
    "several": ("multinomial",),
}
GAP = 1e-11  # of the null objective: where duality gap or Newton decrement end a run
MOST_STEPS = 200


def part_of(loss):
    """The loss of a name, as ``fit`` takes it."""
    return getattr(fastgd.losses, "".join(word.title() for word in loss.split("_")))()


def mean_loss(loss, p, y):
    """The objective of predictions (n,), those of several classes (n, classes), or infinity where they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.mean(softmax_loss(p, y) if loss == "multinomial" else part_of(loss).value(p, y))
    return float(value) if np.isfinite(value) else np.inf


def objective(loss, X, y, coef, intercept):
    """The objective of coefficients (d,) or (classes, d) in the user's units, in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return mean_loss(loss, X.astype(np.float64) @ np.transpose(coef) + intercept, y.astype(np.float64))


def optimum(loss, X, y, tolerance=None):
    """The objective of the best constant, and of the best linear model; ``tolerance`` as of ``basis_of``."""
    basis, y = basis_of(X, tolerance), y.astype(np.float64)
    return mean_loss(loss, BEST[loss](basis[:, :1], y), y), mean_loss(loss, BEST[loss](basis, y), y)


def basis_of(X, tolerance=None):
    """An orthogonal basis of ones and the columns, in columns of mean square 1; directions of pure rounding left out.

    A column is rounded to a share ``tolerance`` of its largest entry; what remains of it beyond all others has to be
    more than that. By default it is the precision of the columns' type.
    """
    n, d = X.shape
    X = X.toarray() if scipy.sparse.issparse(X) else X
    tolerance = np.finfo(X.dtype).eps if tolerance is None else tolerance
    X = X.astype(np.float64)[:, np.ptp(X, axis=0) > 0]
    centred = X - X.mean(axis=0)
    centred -= centred.mean(axis=0)
    centred /= np.abs(centred).max(axis=0)
    scale = np.sqrt(np.mean(centred**2, axis=0))
    # After division by their largest deviation the squares of no column underflow.
    centred /= scale
    if X.shape[1] == 0:
        return np.ones((n, 1))
    Q, R, order = scipy.linalg.qr(centred, mode="economic", pivoting=True)
    rounding = np.maximum(np.abs(X).max(axis=0) / X.std(axis=0), max(n, d))[order[: len(R)]]
    kept = np.abs(np.diagonal(R)) > 8.0 * tolerance * rounding * np.sqrt(n)
    Q = Q[:, kept] - Q[:, kept].mean(axis=0)
    return np.hstack([np.ones((n, 1)), np.sqrt(n) * Q])


# Predictions of the best model in a basis ---------------------------------------------------------------------------


def least_squares(basis, y):
    """Least squares: a projection, done twice against rounding."""
    p = basis @ (basis.T @ y / len(y))
    return p + basis @ (basis.T @ (y - p) / len(y))


def newton(loss, start, derivatives):
    """Damped Newton descent on a smooth loss, from the best constant ``start(mean of y)``."""

    def best(basis, y):
        n, r = basis.shape
        w = np.zeros(r)
        w[0] = start(np.mean(y))
        p = basis @ w
        null = value = mean_loss(loss, p, y)
        for _ in range(MOST_STEPS):
            slope, curvature = derivatives(p, y)
            gradient = basis.T @ slope / n
            hessian = (basis * curvature[:, None]).T @ basis / n
            hessian[np.diag_indices(r)] += 1e-14 * np.trace(hessian) + 1e-300
            step = -scipy.linalg.lstsq(hessian, gradient, cond=1e-15)[0]
            fall = -gradient @ step
            if not fall > GAP * 0.01 * null:
                break
            along, rate = basis @ step, 1.0
            while rate > 1e-12 and not mean_loss(loss, p + rate * along, y) <= value - 1e-4 * rate * fall:
                rate *= 0.5
            if rate <= 1e-12:
                break
            w, p = w + rate * step, basis @ (w + rate * step)
            value = mean_loss(loss, p, y)
        return p

    return best


def logistic(p, y):
    share = scipy.special.expit(p)
    return share - y, share * scipy.special.expit(-p)


def exponential(p, y):
    mean = np.exp(np.minimum(p, 700.0))
    return mean - y, mean


def softmax_loss(p, y):
    """The losses (n,) of the scores (n, classes) of classes y."""
    return scipy.special.logsumexp(p, axis=1) - np.take_along_axis(p, y.astype(int)[:, None], axis=1)[:, 0]


def softmax(basis, y):
    """Damped Newton descent for several classes, the last of which has the scores 0."""
    n, r = basis.shape
    classes = int(y.max()) + 1
    is_class = y.astype(int)[:, None] == np.arange(classes - 1)
    w = np.zeros((r, classes - 1))

    def scores(w):
        return np.column_stack([basis @ w, np.zeros(n)])

    null = value = mean_loss("multinomial", scores(w), y)
    for _ in range(MOST_STEPS):
        share = scipy.special.softmax(scores(w), axis=1)[:, :-1]
        gradient = basis.T @ (share - is_class) / n
        hessian = np.empty((classes - 1, r, classes - 1, r))
        for k in range(classes - 1):
            for m in range(classes - 1):
                bends = share[:, k] * ((k == m) - share[:, m])
                hessian[k, :, m] = (basis * bends[:, None]).T @ basis / n
        hessian = hessian.reshape((classes - 1) * r, -1)
        hessian[np.diag_indices(len(hessian))] += 1e-14 * np.trace(hessian) + 1e-300
        step = -scipy.linalg.lstsq(hessian, gradient.T.reshape(-1), cond=1e-15)[0].reshape(classes - 1, r).T
        fall, rate = -float(np.sum(gradient * step)), 1.0
        if not fall > GAP * 0.01 * null:
            break
        while rate > 1e-12 and not mean_loss("multinomial", scores(w + rate * step), y) <= value - 1e-4 * rate * fall:
            rate *= 0.5
        if rate <= 1e-12:
            break
        w = w + rate * step
        value = mean_loss("multinomial", scores(w), y)
    return scores(w)


def piecewise(low, high, delta):
    """Best for the largest ``a r - s/2 a^2`` over a in [low, high], r the residual: pinball, and Huber's loss."""

    def best(basis, y):
        p = least_squares(basis, y)
        if delta and np.abs(y - p).max() <= delta:
            return p
        centre = np.median(y)
        scale = np.mean(np.abs(y - centre)) or np.ptp(y)
        near = (y - centre) / scale
        if np.abs(y - p).max() <= 1e-13 * scale:
            return p
        return centre + scale * interior(basis, near, low, high, delta / scale)[0]

    return best


@np.errstate(all="ignore")  # at the end the dual touches its bounds: such steps are not taken
def interior(basis, y, low, high, s):
    """Predictions of least mean over the rows of ``max over a of a r - s/2 a^2``, and how far from least it may be.

    Mehrotra's predictor and corrector on the dual: a in [low, high], orthogonal to the basis (for ``s = 0`` as in
    Portnoy and Koenker 1997). The bound is the duality gap, as a share of the objective of the best constant.
    """
    n = len(y)

    def primal(r):
        a = np.clip(r / s, low, high) if s else np.where(r > 0, high, low)
        return np.mean(a * r - 0.5 * s * a * a)

    w = basis.T @ y / n
    r = y - basis @ w
    best, p, gap = primal(r), basis @ w, np.inf
    null = primal(y - np.median(y)) or 1.0
    a = np.full(n, 0.5 * (low + high))
    spread = np.mean(np.abs(r))
    z1, z2 = np.maximum(-r, 0.0) + spread, np.maximum(r, 0.0) + spread
    for _ in range(MOST_STEPS):
        below, above = a - low, high - a
        mu = (below @ z1 + above @ z2) / (2 * n)
        dual = s * a - r - z1 + z2
        equal = basis.T @ a
        D = s + z1 / below + z2 / above
        H = (basis / D[:, None]).T @ basis
        H[np.diag_indices(len(H))] *= 1.0 + 1e-14

        def direction(c1, c2, dual=dual, equal=equal, D=D, H=H, below=below, above=above, z1=z1, z2=z2):
            t = c1 / below - c2 / above - dual
            dw = scipy.linalg.lstsq(H, basis.T @ (t / D) + equal, cond=1e-15)[0]
            da = (t - basis @ dw) / D
            return da, dw, (c1 - z1 * da) / below, (c2 + z2 * da) / above

        try:
            da, dw, d1, d2 = direction(-below * z1, -above * z2)
            reach, reach_z = longest((below, da), (above, -da)), longest((z1, d1), (z2, d2))
            ahead = (below + reach * da) @ (z1 + reach_z * d1) + (above - reach * da) @ (z2 + reach_z * d2)
            target = mu * (ahead / (2 * n * mu)) ** 3
            da, dw, d1, d2 = direction(target - below * z1 - da * d1, target - above * z2 + da * d2)
        except (np.linalg.LinAlgError, ValueError):
            break
        reach, reach_z = 0.9995 * longest((below, da), (above, -da)), 0.9995 * longest((z1, d1), (z2, d2))
        if s:
            reach = reach_z = min(reach, reach_z)
        if not np.isfinite(dw).all() or max(reach, reach_z) < 1e-10:
            break
        a, w, z1, z2 = a + reach * da, w + reach_z * dw, z1 + reach_z * d1, z2 + reach_z * d2
        r = y - basis @ w
        value = primal(r)
        if value < best:
            best, p = value, basis @ w
        if np.abs(basis.T @ a).max() < 1e-9 * n:
            gap = min(gap, (best - np.mean(a * y - 0.5 * s * a * a)) / null)
        if gap < GAP:
            break
    return p, gap


def longest(*pairs):
    """The longest step in (0, 1] that keeps all of ``x + step * dx`` at least 0."""
    least = min(float(np.min(dx / x)) for x, dx in pairs)
    return 1.0 if not least < -1.0 else -1.0 / least


def log_odds(mean):
    return np.log(mean) - np.log1p(-mean)


HUBER, QUANTILE = fastgd.losses.Huber().delta, fastgd.losses.Quantile().quantile
BEST = {
    "squared_error": least_squares,
    "huber": piecewise(-1.0, 1.0, HUBER),
    "quantile": piecewise(QUANTILE - 1.0, QUANTILE, 0.0),
    "log_loss": newton("log_loss", log_odds, logistic),
    "poisson": newton("poisson", np.log, exponential),
    "multinomial": softmax,
}
