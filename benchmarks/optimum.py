"""The optimum that races are held against: damped Newton steps in float64 from wherever somebody got to.

Nothing here is timed or promised: a step counts only where `data.objective` falls, so a mistake can only leave the
optimum too high, and then somebody ends below it and is the optimum.
"""

import time
from itertools import pairwise

import numpy as np

import fastgd
from fastgd.inputs import arguments

ROWS = 50_000  # of a Gram matrix at a time
WIDEST = 1_200  # coefficients up to which the matrix is made; more are left to conjugate gradients
WIDTHS = (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)  # of what replaces a kink, of the spread of the scores
SMALL = 1e-12  # decreases, as a share of the objective, that end it
MOST_STEPS, MOST_PRODUCTS = 60, 400

BENDS = {  # the second derivatives themselves: those of a loss's class may be shares of what touches it from above
    "LogLoss": lambda p, y: 0.25 / np.cosh(np.minimum(np.abs(p), 300.0) / 2) ** 2,
    "SquaredHinge": lambda p, y: 2.0 * ((2 * y - 1) * p < 1),
    "Huber": lambda p, y: 1.0 * (np.abs(p - y) <= fastgd.losses.Huber().delta),
}


def optimum(work, found, seconds=60.0):
    """The lowest objective, and where, on the way from coefficients and intercepts that somebody found."""
    loss = arguments.part("loss", work.case.options.get("loss", "squared_error"), fastgd.losses)
    ends = time.perf_counter() + seconds
    y = work.y
    w, b = np.array(found[0], np.float64), np.array(found[1], np.float64)
    if not np.isfinite(w).all() or not np.isfinite(b).all() or not np.isfinite(work.objective((w, b))):
        w, b = np.zeros_like(w), np.zeros_like(b)
    if loss.joint:
        z = descended(Classes(work, loss), np.column_stack([w, b]).ravel(), ends).reshape(len(w), -1)
        best = z[:, :-1], z[:, -1]
    elif w.ndim == 2:
        each = [smoothed(work, loss, (y == k).astype(np.float64), w[k], b[k], ends) for k in range(len(w))]
        best = np.stack([z[:-1] for z in each]), np.array([z[-1] for z in each])
    else:
        z = smoothed(work, loss, y.astype(np.float64), w, b, ends)
        best = z[:-1], z[-1]
    return min(((work.objective(one), one) for one in (best, (w, b))), key=lambda pair: pair[0])


def smoothed(work, loss, y, w, b, ends):
    """Coefficients and the intercept (d + 1,) for one target; kinks are replaced by narrower and narrower curves."""
    z = np.append(w, b)
    if getattr(loss, "smooth", True):
        return descended(Scores(work, loss, loss, y), z, ends)
    spread = np.ptp(y) if loss.labels else np.std(y)
    for width in WIDTHS:
        z = descended(Scores(work, loss._replace(width=width * spread), loss, y), z, ends)
    return z


def descended(problem, z, ends):
    """Damped Newton steps; with L1 within the signs of the coefficients, those at zero being free where it is less."""
    value, l1 = problem.value(z), problem.l1
    best = z, problem.exact(z)
    for _ in range(MOST_STEPS):
        gradient = problem.gradient(z)
        sign = np.where(z != 0, np.sign(z), -np.sign(gradient))
        free = (l1 == 0) | (z != 0) | (np.abs(gradient) > l1)
        slope = np.where(free, gradient + l1 * sign, 0.0)
        step = problem.step(slope, free)
        fall = -(slope @ step)
        if not fall > SMALL * abs(value):
            break
        for rate in 0.5 ** np.arange(40):
            ahead = z + rate * step
            ahead[(l1 > 0) & (ahead * sign < 0)] = 0.0
            lower = problem.value(ahead)
            if lower < value - 1e-4 * rate * fall:
                break
        else:
            break
        z, value = ahead, lower
        if (exact := problem.exact(z)) < best[1]:
            best = z, exact
        if time.perf_counter() > ends:
            break
    return best[0]


class Scores:
    """One score a row: its loss, which may be a smoothed one, and its derivatives at coefficients and intercept."""

    def __init__(self, work, loss, sharp, y):
        self.X, self.y, self.loss, self.sharp = work.X, y, loss, sharp
        self.n, d = work.X.shape
        alpha, share = work.case.options.get("alpha", 0.0), work.case.options.get("l1_ratio", 0.0)
        self.l1, self.l2 = np.append(np.full(d, alpha * share), 0.0), np.append(np.full(d, alpha * (1 - share)), 0.0)

    def scores(self, z):
        return self.X @ z[:-1] + z[-1]

    def value(self, z, loss=None):
        with np.errstate(all="ignore"):
            mean = np.mean((loss or self.loss).value(self.scores(z), self.y))
        return mean + self.l1 @ np.abs(z) + self.l2 @ z**2 / 2

    def exact(self, z):
        return self.value(z, self.sharp)

    def gradient(self, z):
        p = self.scores(z)
        slopes = self.loss.slope(p, self.y) / self.n
        self.bends = BENDS.get(type(self.loss).__name__, self.loss.second_derivative)(p, self.y) / self.n
        self.bends = np.broadcast_to(self.bends, p.shape)
        return np.append(self.X.T @ slopes, slopes.sum()) + self.l2 * z

    def step(self, slope, free):
        if isinstance(self.X, np.ndarray) and free.sum() <= WIDEST:
            return self.exact_step(slope, free)
        squares = self.X.multiply(self.X) if not isinstance(self.X, np.ndarray) else self.X**2
        diagonal = np.append(squares.T @ self.bends, self.bends.sum()) + self.l2

        def times(v):
            across = self.bends * self.scores(v)
            return np.append(self.X.T @ across, across.sum()) + self.l2 * v

        return conjugate(times, diagonal, slope, free)

    def exact_step(self, slope, free):
        columns = np.flatnonzero(free[:-1])
        H = np.zeros((len(columns) + 1, len(columns) + 1))
        for begin, end in pairwise([*range(0, self.n, ROWS), self.n]):
            rows = self.X[begin:end] if len(columns) == len(free) - 1 else self.X[begin:end, columns]
            rows = np.hstack([rows, np.ones((end - begin, 1))])
            H += rows.T @ (rows * self.bends[begin:end, None])
        kept = np.append(columns, len(free) - 1)
        H[np.diag_indices(len(H))] += self.l2[kept]
        size = np.sqrt(np.maximum(np.diagonal(H), 1e-300))
        H /= size[:, None] * size
        H[np.diag_indices(len(H))] += 1e-13
        step = np.zeros(len(free))
        step[kept] = -np.linalg.lstsq(H, slope[kept] / size, rcond=1e-14)[0] / size
        return step


class Classes:
    """The scores of several classes, under a joint loss; coefficients and intercepts are one vector, class by class."""

    def __init__(self, work, loss):
        self.work, self.loss, self.X = work, loss, work.X
        self.n, self.d = work.X.shape
        self.many = int(work.y.max()) + 1
        alpha = work.case.options.get("alpha", 0.0)
        self.l2 = np.tile(np.append(np.full(self.d, alpha), 0.0), self.many)
        self.l1 = np.zeros_like(self.l2)

    def value(self, z):
        z = z.reshape(self.many, -1)
        return float(self.work.objective((z[:, :-1], z[:, -1])))

    exact = value

    def scores(self, z):
        z = z.reshape(self.many, -1)
        return self.X @ z[:, :-1].T + z[:, -1]

    def back(self, across):
        """Of numbers (n, classes), their sums with the columns."""
        return np.column_stack([(self.X.T @ across).T, across.sum(axis=0)]).ravel()

    def gradient(self, z):
        scores = self.scores(z)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.shares = shares / shares.sum(axis=1, keepdims=True)
        off = self.shares.copy()
        off[np.arange(self.n), self.work.y.astype(int)] -= 1.0
        return self.back(off * self.loss.factor / self.n) + self.l2 * z

    def step(self, slope, free):
        dense = isinstance(self.X, np.ndarray)
        squares = self.X**2 if dense else self.X.multiply(self.X)
        bends = self.shares * (1 - self.shares) * self.loss.factor / self.n
        diagonal = np.column_stack([(squares.T @ bends).T, bends.sum(axis=0)]).ravel() + self.l2

        def times(v):
            u = self.scores(v)
            u = self.shares * (u - (self.shares * u).sum(axis=1, keepdims=True)) * self.loss.factor / self.n
            return self.back(u) + self.l2 * v

        return conjugate(times, diagonal, slope, free)


def conjugate(times, diagonal, slope, free):
    """Newton's step by conjugate gradients with the diagonal as preconditioner, among the free coefficients."""
    inverse = np.where(free & (diagonal > 0), 1 / np.maximum(diagonal, 1e-300), 0.0)
    x, r = np.zeros_like(slope), -slope * free
    z = inverse * r
    p, rz = z, r @ z
    least = 1e-10 * rz
    for _ in range(MOST_PRODUCTS):
        if not rz > least:
            break
        q = times(p) * free
        bend = p @ q
        if not bend > 0:
            break
        x, r = x + rz / bend * p, r - rz / bend * q
        z = inverse * r
        rz, before = r @ z, rz
        p = z + rz / before * p
    return x
