"""A user's own model in batches: a perceptron on the digits, against the same loop by hand, and against its peers.

Everyone begins at the same weights and takes the same steps, Adam's, on the same batches in order.
"""

import functools
import time
import warnings
from typing import NamedTuple

import numpy as np

import fastgd

from .registry import TYPES, Comparison, peer

HIDDEN, EPOCHS, RATE = 64, 50, 1e-3
ROWS = 1792  # of the 1,797 digits: batches of 32 and 256 are all of one length, as JAX's scan needs
ADAM = 0.9, 0.999, 1e-8


class Task(NamedTuple):
    """The digits, and the weights that everyone begins at."""

    X: np.ndarray
    digit: np.ndarray
    start: dict
    batch: int

    @classmethod
    def of(cls, rows, hidden, batch, dtype):
        from sklearn.datasets import load_digits

        X, digit = load_digits(return_X_y=True)
        X, digit = (X[:rows] / 16).astype(dtype), digit[:rows]
        return cls(X, digit, trained(classifier(hidden, batch, 1, rate=1e-300), X, digit), batch)

    def objective(self, params):
        """The mean loss over all rows."""
        wide = {name: np.asarray(value, np.float64) for name, value in params.items()}
        return plain(wide, self.X.astype(np.float64), self.digit)[0]


def classifier(hidden, batch, epochs, rate=RATE):
    """scikit-learn's model at the settings of all. At a rate of nothing it stays where it begins: at weights drawn."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(hidden, alpha=0.0, batch_size=batch, shuffle=False, learning_rate_init=rate, random_state=0)
    return model.set_params(max_iter=epochs, tol=0.0, n_iter_no_change=epochs + 1)


def trained(model, X, digit):
    """The weights of a model of scikit-learn's that was fitted."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, digit)
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


# The model ----------------------------------------------------------------------------------------------------------


def plain(params, X, digit):
    """The mean loss and its gradient, in NumPy."""
    hidden = np.maximum(X @ params["W1"] + params["b1"], 0)
    slopes = hidden @ params["W2"] + params["b2"]
    rows = np.arange(len(X))
    slopes -= slopes.max(axis=1, keepdims=True)
    right = slopes[rows, digit]
    np.exp(slopes, out=slopes)
    total = slopes.sum(axis=1, keepdims=True)
    value = np.mean(np.log(total[:, 0]) - right)
    slopes /= total * len(X)
    slopes[rows, digit] -= X.dtype.type(1 / len(X))
    back = slopes @ params["W2"].T
    back *= hidden > 0
    return value, {"W1": X.T @ back, "b1": back.sum(axis=0), "W2": hidden.T @ slopes, "b2": slopes.sum(axis=0)}


def layers(W1, b1, W2, b2, X, digit):
    """The same, as Numba compiles it: products of matrices, and loops."""
    n, value, slopes1, slopes2 = len(X), 0.0, np.zeros_like(b1), np.zeros_like(b2)
    share = X.dtype.type(1.0 / n)
    hidden = X @ W1
    for i in range(n):
        for j in range(b1.size):
            hidden[i, j] = max(hidden[i, j] + b1[j], b1.dtype.type(0.0))
    scores = hidden @ W2
    for i in range(n):
        top, total = scores[i, 0] + b2[0], X.dtype.type(0.0)
        for k in range(b2.size):
            scores[i, k] += b2[k]
            top = max(top, scores[i, k])
        for k in range(b2.size):
            scores[i, k] = np.exp(scores[i, k] - top)
            total += scores[i, k]
        value += np.log(total / scores[i, digit[i]])
        for k in range(b2.size):
            scores[i, k] *= share / total
            if k == digit[i]:
                scores[i, k] -= share
            slopes2[k] += scores[i, k]
    back = scores @ W2.T
    for i in range(n):
        for j in range(b1.size):
            back[i, j] = back[i, j] if hidden[i, j] > 0.0 else b1.dtype.type(0.0)
            slopes1[j] += back[i, j]
    return value / n, X.T @ back, slopes1, hidden.T @ scores, slopes2


@functools.cache
def compiled():
    """The function that ``minimize`` is given, and the loop by hand, as Numba compiles them."""
    from numba import njit

    loss = njit(layers)

    @njit
    def perceptron(params, X, digit):
        value, W1, b1, W2, b2 = loss(params["W1"], params["b1"], params["W2"], params["b2"], X, digit)
        return value, {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

    @njit
    def move(w, g, m, v, rate, correction, epsilon, decays):
        beta1, rest1, beta2, rest2 = decays
        w, g, m, v = w.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1)
        for j in range(w.size):
            m[j] = beta1 * m[j] + rest1 * g[j]
            v[j] = beta2 * v[j] + rest2 * g[j] * g[j]
            w[j] -= rate * (m[j] * correction) / (np.sqrt(v[j]) + epsilon)

    @njit
    def train(W1, b1, W2, b2, X, digit, batch, epochs):
        m1, m2, m3, m4 = np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(W2), np.zeros_like(b2)
        v1, v2, v3, v4 = np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(W2), np.zeros_like(b2)
        number, losses, t = X.dtype.type, np.zeros(epochs), 0
        decays = number(ADAM[0]), number(1 - ADAM[0]), number(ADAM[1]), number(1 - ADAM[1])
        for epoch in range(epochs):
            for lo in range(0, len(X), batch):
                t += 1
                value, g1, g2, g3, g4 = loss(W1, b1, W2, b2, X[lo : lo + batch], digit[lo : lo + batch])
                losses[epoch] += value * len(X[lo : lo + batch])
                root, correction = np.sqrt(1 - ADAM[1] ** t), number(1 / (1 - ADAM[0] ** t))
                rate, epsilon = number(RATE * root), number(ADAM[2] * root)
                move(W1, g1, m1, v1, rate, correction, epsilon, decays)
                move(b1, g2, m2, v2, rate, correction, epsilon, decays)
                move(W2, g3, m3, v3, rate, correction, epsilon, decays)
                move(b2, g4, m4, v4, rate, correction, epsilon, decays)
        return losses / len(X)

    return perceptron, train


# Everyone -----------------------------------------------------------------------------------------------------------


def ours(task, epochs, fun):
    given = {"grad": True, "optimizer": "adam", "learning_rate": RATE, "shuffle": False}

    def run():
        found = fastgd.minimize(
            fun, task.start, data=(task.X, task.digit), batch_size=task.batch, epochs=epochs, **given
        )
        return lambda: task.objective(found.x)

    return run


def by_hand(task, epochs, train):
    def run():
        params = {name: value.copy() for name, value in task.start.items()}
        train(*params.values(), task.X, task.digit, task.batch, epochs)
        return lambda: task.objective(params)

    return run


def torchs(task, epochs):
    """PyTorch, in a plain loop."""
    import torch

    torch.set_num_threads(1)
    X, digit = torch.from_numpy(task.X), torch.from_numpy(task.digit)

    def run():
        params = {name: torch.tensor(value, requires_grad=True) for name, value in task.start.items()}
        W1, b1, W2, b2 = params.values()
        adam = torch.optim.Adam(params.values(), lr=RATE)
        for _ in range(epochs):
            for lo in range(0, len(X), task.batch):
                adam.zero_grad()
                scores = torch.relu(X[lo : lo + task.batch] @ W1 + b1) @ W2 + b2
                torch.nn.functional.cross_entropy(scores, digit[lo : lo + task.batch]).backward()
                adam.step()
        return lambda: task.objective({name: value.detach().numpy() for name, value in params.items()})

    return run


def jaxs(task, epochs, scan):
    """JAX: a jitted step for each batch, or a jitted scan over the batches of an epoch."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    beta1, beta2, epsilon = ADAM
    shape = -1, task.batch
    batches = jnp.asarray(task.X.reshape(*shape, task.X.shape[1])), jnp.asarray(task.digit.reshape(shape))
    parts = list(zip(*batches, strict=True))

    def loss(params, X, digit):
        scores = jax.nn.relu(X @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), digit[:, None], axis=1).mean()

    def step(state, batch):
        params, m, v, t = state
        value, slopes = jax.value_and_grad(loss)(params, *batch)
        t = t + 1
        m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, slopes)
        v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, slopes)
        first, second = 1 - beta1**t, 1 - beta2**t

        def moved(w, m, v):
            return (w - RATE * (m / first) / (jnp.sqrt(v / second) + epsilon)).astype(w.dtype)

        return (jax.tree.map(moved, params, m, v), m, v, t), value

    one, epoch = jax.jit(step), jax.jit(lambda state: jax.lax.scan(step, state, batches)[0])

    def run():
        params = jax.tree.map(jnp.asarray, task.start)
        zeros = jax.tree.map(jnp.zeros_like, params)
        state = params, zeros, zeros, jnp.zeros((), task.X.dtype)
        for _ in range(epochs):
            if scan:
                state = epoch(state)
                continue
            for part in parts:
                state, _ = one(state, part)
        jax.block_until_ready(state)
        return lambda: task.objective(state[0])

    return run


def sklearns(task, epochs):
    """scikit-learn's ``MLPClassifier``."""
    model = classifier(task.start["b1"].size, task.batch, epochs)

    def run():
        found = trained(model, task.X, task.digit)
        return lambda: task.objective(found)

    return run


def digits(batch, dtype, rows=ROWS, hidden=HIDDEN, epochs=EPOCHS, peers=True):
    """A perceptron on the digits; ``fastgd`` is compiled, as is the loop by hand. Without ``peers`` nobody compiles."""
    task = Task.of(rows, hidden, batch, dtype)
    runs = {"plain Python": ours(task, epochs, plain)}
    if peers:
        perceptron, train = compiled()
        runs = {"fastgd": ours(task, epochs, perceptron), "by hand": by_hand(task, epochs, train), **runs}
        runs["PyTorch"] = peer("torch", torchs, task, epochs)
        runs["JAX, a step"] = peer("jax", jaxs, task, epochs, False)
        runs["JAX, scans"] = peer("jax", jaxs, task, epochs, True)
    else:
        runs = {"fastgd": runs["plain Python"]}
    return runs | {"MLPClassifier": peer("sklearn", sklearns, task, epochs)}


STEPS, PARAMETERS = 20_000, 50


def python_step():
    """What a step costs beyond the user's own function in plain Python, in microseconds of the processor."""
    slopes = {"w": np.full(PARAMETERS, 1e-9), "b": 1e-9}
    start = {"w": np.zeros(PARAMETERS), "b": 0.0}
    X, y = np.ones((3200, PARAMETERS)), np.ones(3200)

    def fun(params, X, y):
        return 1.0, slopes

    def spent(epochs):
        began = time.process_time()
        fastgd.minimize(fun, start, True, data=(X, y), batch_size=32, epochs=epochs, optimizer="adam")
        return time.process_time() - began

    spent(1)
    return (min(spent(STEPS // 100) for _ in range(5)) - min(spent(0) for _ in range(5))) / STEPS * 1e6


def compared(batch, floors):
    """The comparison at one size of batches, in both types; a smoke run is of few rows and units."""
    sizes, small = tuple((batch, dtype) for dtype in TYPES[::-1]), (batch, np.float64, 2 * batch, 16, 1, False)
    return Comparison(f"own model, batches of {batch}", digits, sizes, small, floors, within=0.05, threads=1)


BY_HAND = 1 / 1.3
COMPARISONS = (
    compared(32, {"by hand": BY_HAND, "MLPClassifier": 3.0}),
    compared(256, {"by hand": BY_HAND}),  # the products of matrices, which are everyone's, take half of the time
)
