"""The peers that take the same steps, as their users write them: scikit-learn, Vowpal Wabbit, JAX, PyTorch."""

import os
import shutil
import tempfile
import time
import weakref
from typing import NamedTuple

import numpy as np

from fastgd.kernels.threads import available_threads

from .measure import Timed


class Peer(NamedTuple):
    """What a peer needs, and how it does a case: ``make(work)`` is a run that returns coefficients and intercept."""

    package: str
    make: object


# scikit-learn -------------------------------------------------------------------------------------------------------


def sgd_regressor(epochs, **options):
    from sklearn.linear_model import SGDRegressor

    return SGDRegressor(max_iter=epochs, tol=None, learning_rate="constant", random_state=0, **options)


def sklearn_options(work, rate):
    """A model of scikit-learn's for one rate of a case with a step for each row."""
    options = work.case.options
    alpha = options.get("alpha", 0.0)
    penalty = {"penalty": "l2" if alpha else None, "alpha": alpha}
    return sgd_regressor(options["epochs"], eta0=rate, fit_intercept=options.get("fit_intercept", True), **penalty)


def sklearn_rows(work):
    """Epochs of plain SGD, a step for each row."""
    model = sklearn_options(work, work.case.options["learning_rate"])

    def run():
        model.fit(work.X, work.y)
        return model.coef_, model.intercept_[0]

    return run


def sklearn_fits(prefer):
    """The same for many rates, through joblib on processes or threads."""

    def make(work):
        from joblib import Parallel, delayed

        jobs = work.case.threads or available_threads()
        models = [sklearn_options(work, rate) for rate in work.case.options["learning_rate"]]

        def run():
            # X is an argument, which joblib shares between the processes, not a part of what is called.
            fitted = Parallel(n_jobs=jobs, prefer=prefer)(delayed(model.fit)(work.X, work.y) for model in models)
            return np.stack([model.coef_ for model in fitted]), np.concatenate([m.intercept_ for m in fitted])

        return run

    return make


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


def vowpal_wabbit(work):
    """One pass of plain SGD over rows that were parsed before, into its binary cache.

    Measured is the thread that learns, by its own clock, less what it takes to begin: learning, and the bookkeeping of
    an example. Not measured are parsing the text, reading the cache, which another thread does (three to five times
    as long), and waiting for it. Without ``--sgd`` steps would be adaptive, normalized and invariant; the bounds are
    there as it would clip predictions to the labels met. Its loss is the whole square: half the rate and twice the
    penalty make the same step. It has float32 alone.
    """
    from vowpalwabbit import Workspace

    X, y, options = work.X, work.y, work.case.options
    rate, alpha = options["learning_rate"], options.get("alpha", 0.0)
    folder = tempfile.mkdtemp()
    bits = max(18, (X.shape[1] - 1).bit_length())  # all columns fit: a column's number is its hash
    plain = f"--sgd --power_t 0 --initial_t 0 --learning_rate {rate / 2} --l2 {2 * alpha} --bit_precision {bits}"
    words = f"{plain} --noconstant --holdout_off --min_prediction -1e9 --max_prediction 1e9 --quiet"

    def at(name):
        return os.path.join(folder, name)

    def learnt(text, cache=""):
        began = time.thread_time()
        model = Workspace(f"{words} --data {text} {cache}")
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

        def found():
            w = np.array([model.get_weight(j, 0) for j in range(X.shape[1])])
            return w * (1 - rate * alpha) ** len(y), 0.0  # what L2 leaves of all is a number apart

        return Timed(seconds - begin, found)

    weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    return run


# JAX ----------------------------------------------------------------------------------------------------------------


def jax_epochs(work, order=None):
    """A function of the rate and the batches that trains, each epoch a scan; and the batches.

    Rows come in order, or in an ``order`` by which they are gathered as it goes.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y, options = work.X, work.y, work.case.options
    n, d = X.shape
    batch = options["batch_size"] or n
    Xs, ys = jnp.asarray(X), jnp.asarray(y)
    if order is None:
        batches = Xs.reshape(-1, batch, d), ys.reshape(-1, batch)
    else:
        batches = jnp.asarray(order.reshape(-1, batch))
    slopes = {
        "squared_error": lambda p, t: p - t,
        "huber": lambda p, t: jnp.clip(p - t, -1, 1),
        "log_loss": lambda p, t: jax.nn.sigmoid(p) - t,
    }
    slope_of = slopes[options.get("loss", "squared_error")]

    def train(rate, batches):
        def step(state, data):
            (w, b), (x, t) = state, data if order is None else (Xs[data], ys[data])
            slope = slope_of(x @ w + b, t) * (rate / batch)
            return (w - slope @ x, b - slope.sum()), None

        state = jnp.zeros(d, X.dtype), jnp.zeros((), X.dtype)
        for _ in range(options["epochs"]):
            state, _ = jax.lax.scan(step, state, batches)
        return state

    return train, batches


def jax_scan(shuffled=False):
    """Epochs of batches in one jitted function, for many rates mapped over them."""

    def make(work):
        import jax

        if len(work.y) % (work.case.options["batch_size"] or 1):
            return "takes batches of one length, and these rows leave a shorter one"
        order = np.random.default_rng(0).permutation(len(work.y)) if shuffled else None
        train, batches = jax_epochs(work, order)
        rates = np.asarray(work.case.options["learning_rate"], work.X.dtype)
        train = jax.jit(jax.vmap(train, in_axes=(0, None)) if rates.ndim else train)
        return lambda: tuple(map(np.asarray, train(rates, batches)))

    return make


# PyTorch ------------------------------------------------------------------------------------------------------------


def torch_loop(work):
    """Epochs of batches in a loop."""
    import torch
    from torch.nn import functional

    options = work.case.options
    losses = {
        "squared_error": lambda p, t: 0.5 * functional.mse_loss(p, t),
        "huber": functional.huber_loss,
        "log_loss": functional.binary_cross_entropy_with_logits,
    }
    loss, batch = losses[options.get("loss", "squared_error")], options["batch_size"] or len(work.y)
    Xs, ys = torch.from_numpy(work.X), torch.from_numpy(work.y)
    torch.set_num_threads(work.case.threads or available_threads())

    def run():
        w, b = torch.zeros(Xs.shape[1], dtype=Xs.dtype), torch.zeros((), dtype=Xs.dtype)
        w.requires_grad_(), b.requires_grad_()
        optimizer = torch.optim.SGD([w, b], lr=options["learning_rate"])
        for _ in range(options["epochs"]):
            for start in range(0, len(Xs), batch):
                optimizer.zero_grad()
                loss(Xs[start : start + batch] @ w + b, ys[start : start + batch]).backward()
                optimizer.step()
        return w.detach().numpy(), b.detach().numpy()

    return run


PEERS = {
    "scikit-learn": Peer("sklearn", sklearn_rows),
    "scikit-learn, processes": Peer("sklearn", sklearn_fits("processes")),
    "scikit-learn, threads": Peer("sklearn", sklearn_fits("threads")),
    "Vowpal Wabbit": Peer("vowpalwabbit", vowpal_wabbit),
    "JAX": Peer("jax", jax_scan()),
    "JAX, random order": Peer("jax", jax_scan(shuffled=True)),
    "PyTorch": Peer("torch", torch_loop),
}
