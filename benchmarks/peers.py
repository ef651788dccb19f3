"""The peers as their users write them: scikit-learn, Vowpal Wabbit, JAX, PyTorch. Each gives a callable that trains."""

import os
import tempfile
import time

import numpy as np

from .measure import Timed


def half_squares(X, y, w, b):
    """The objective of weights (d,), or of each of many (d, lanes)."""
    residual = X @ w
    residual += b
    residual -= y.reshape(-1, *[1] * (w.ndim - 1))
    return np.mean(residual**2, axis=0) / 2


# scikit-learn -------------------------------------------------------------------------------------------------------


def sgd_regressor(epochs, **options):
    from sklearn.linear_model import SGDRegressor

    return SGDRegressor(max_iter=epochs, tol=None, learning_rate="constant", random_state=0, **options)


def sklearn_rows(X, y, rate, epochs):
    """Epochs of plain SGD, a step for each row."""
    model = sgd_regressor(epochs, penalty=None, eta0=rate)
    return lambda: float(np.mean((model.fit(X, y).predict(X) - y) ** 2) / 2)


def sklearn_sparse(X, y, rate, epochs, alpha, objective):
    """The same without an intercept, within L2 where ``alpha``."""
    penalty = "l2" if alpha else None
    model = sgd_regressor(epochs, penalty=penalty, alpha=alpha, eta0=rate, fit_intercept=False)

    def run():
        model.fit(X, y)
        return lambda: objective(X, y, model.coef_, alpha)

    return run


def sklearn_fits(X, y, rates, epochs, jobs, prefer):
    """The same for many rates, through joblib on ``jobs`` processes or threads."""
    from joblib import Parallel, delayed

    models = [sgd_regressor(epochs, penalty=None, eta0=rate) for rate in rates]

    def run():
        # X is an argument, which joblib shares between the processes, not a part of what is called.
        fitted = Parallel(n_jobs=jobs, prefer=prefer)(delayed(model.fit)(X, y) for model in models)
        w, b = (np.stack([getattr(model, name) for model in fitted], -1) for name in ("coef_", "intercept_"))
        return lambda: half_squares(X, y, w, b)

    return run


def sklearn_grid(X, y, rates, alphas, folds, epochs, jobs):
    """A cross-validated grid of rates and penalties; its objective is the best mean loss of what is held out."""
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(
        sgd_regressor(epochs, penalty="l2"),
        {"eta0": rates, "alpha": alphas},
        cv=folds,
        scoring="neg_mean_squared_error",
        refit=False,
        n_jobs=jobs,
    )
    return lambda: -search.fit(X, y).best_score_ / 2


# Vowpal Wabbit ------------------------------------------------------------------------------------------------------


def vowpal_wabbit(X, y, rate, alpha, objective):
    """One pass of plain SGD over rows that were parsed before, into its binary cache.

    Measured is the thread that learns, by its own clock, less what it takes to begin: learning, and the bookkeeping of
    an example. Not measured are parsing the text, reading the cache, which another thread does (three to five times
    as long), and waiting for it. Without ``--sgd`` steps would be adaptive, normalized and invariant; the bounds are
    there as it would clip predictions to the labels met. Its loss is the whole square: half the rate and twice the
    penalty make the same step. It has float32 alone.
    """
    from vowpalwabbit import Workspace

    folder = tempfile.TemporaryDirectory()
    bits = max(18, (X.shape[1] - 1).bit_length())  # all columns fit: a column's number is its hash
    plain = f"--sgd --power_t 0 --initial_t 0 --learning_rate {rate / 2} --l2 {2 * alpha} --bit_precision {bits}"
    options = f"{plain} --noconstant --holdout_off --min_prediction -1e9 --max_prediction 1e9 --quiet"

    def at(name):
        return os.path.join(folder.name, name)

    def learnt(text, cache=""):
        began = time.thread_time()
        model = Workspace(f"{options} --data {text} {cache}")
        return model, time.thread_time() - began

    def write(lines):
        starts, columns, values, labels = X.indptr.tolist(), X.indices.tolist(), X.data.tolist(), y.tolist()
        for i, label in enumerate(labels):
            pairs = range(starts[i], starts[i + 1])
            lines.write(f"{label:.9g} |" + "".join([f" {columns[q]}:{values[q]:.9g}" for q in pairs]) + "\n")

    with open(at("text"), "w") as lines:
        write(lines)
    kept = f"--cache_file {at('cache')}"
    learnt(at("text"), kept)[0].finish()
    os.truncate(at("text"), 0)
    begin = min(learnt(os.devnull)[1] for _ in range(3))

    def run():
        # Where there is a cache, it is read instead.
        model, seconds = learnt(at("text"), kept)

        def reached():
            w = np.array([model.get_weight(j, 0) for j in range(X.shape[1])])
            return objective(X, y, w * (1 - rate * alpha) ** len(y), alpha)  # what L2 leaves of all is a number apart

        return Timed(seconds - begin, reached)

    return run


# JAX ----------------------------------------------------------------------------------------------------------------


def jax_epochs(X, y, batch, epochs, order=None):
    """A function of the rate and the batches that trains, each epoch a scan; and the batches.

    Rows come in order, or in an ``order`` by which they are gathered as it goes.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    n, d = X.shape
    used = n // batch * batch
    Xs, ys = jnp.asarray(X), jnp.asarray(y)
    if order is None:
        batches = Xs[:used].reshape(-1, batch, d), ys[:used].reshape(-1, batch)
    else:
        batches = jnp.asarray(order[:used].reshape(-1, batch))

    def train(rate, batches):
        def step(state, data):
            (w, b), (x, t) = state, data if order is None else (Xs[data], ys[data])
            slope = (x @ w + b - t) * (rate / batch)
            return (w - slope @ x, b - slope.sum()), None

        state = jnp.zeros(d, X.dtype), jnp.zeros((), X.dtype)
        for _ in range(epochs):
            state, _ = jax.lax.scan(step, state, batches)
        return state

    return train, batches


def jax_scan(X, y, batch, rate, epochs, order=None):
    """Epochs of mini-batches in one jitted function."""
    import jax

    train, batches = jax_epochs(X, y, batch, epochs, order)
    train = jax.jit(train)
    return lambda: float(half_squares(X, y, *map(np.asarray, train(X.dtype.type(rate), batches))))


def jax_vmap(X, y, batch, rates, epochs):
    """The same for many rates at once, rows in order."""
    import jax

    train, batches = jax_epochs(X, y, batch, epochs)
    train = jax.jit(jax.vmap(train, in_axes=(0, None)))
    rates = np.asarray(rates, X.dtype)

    def run():
        w, b = map(np.asarray, train(rates, batches))
        return lambda: half_squares(X, y, w.T, b)

    return run


# PyTorch ------------------------------------------------------------------------------------------------------------


def torch_loop(X, y, batch, rate, epochs):
    """Epochs of mini-batches in a loop."""
    import torch

    Xs, ys = torch.from_numpy(X), torch.from_numpy(y)

    def loss():
        w, b = torch.zeros(X.shape[1], dtype=Xs.dtype), torch.zeros((), dtype=Xs.dtype)
        w.requires_grad_(), b.requires_grad_()
        optimizer = torch.optim.SGD([w, b], lr=rate)
        for _ in range(epochs):
            for start in range(0, len(Xs), batch):
                x, t = Xs[start : start + batch], ys[start : start + batch]
                optimizer.zero_grad()
                (0.5 * torch.mean((x @ w + b - t) ** 2)).backward()
                optimizer.step()
        with torch.no_grad():
            return float(0.5 * torch.mean((Xs @ w + b - ys) ** 2))

    return loss
