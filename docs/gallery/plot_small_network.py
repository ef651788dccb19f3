"""
A small network of your own
===========================

``minimize`` trains any function over data in mini-batches: parameters may be dicts of arrays, and
the function returns its mean over a batch and the gradient. Here a network of 16 tanh units learns
to tell two spirals apart, which no straight line can.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastgd

rng = np.random.default_rng(0)
turn = np.sqrt(rng.random(600)) * 3 * np.pi
y = np.repeat([0.0, 1.0], 300)
X = turn[:, None] * np.column_stack([np.cos(turn + np.pi * y), np.sin(turn + np.pi * y)]) / 10
X += 0.04 * rng.normal(size=X.shape)

# %%
# The model and its gradient
# --------------------------
# The loss is that of logistic regression, on scores that two layers make. The gradient is the
# chain rule, line by line; ``minimize`` compares it with differences of the loss before the first
# step, so that a slip is an error at once.


def score(p, X):
    hidden = np.tanh(X @ p["W"] + p["b"])
    return hidden @ p["v"] + p["c"], hidden


def loss(p, X, y):
    s, hidden = score(p, X)
    value = np.mean(np.logaddexp(0, s) - y * s)
    ds = (1 / (1 + np.exp(-s)) - y) / len(y)
    dhidden = np.outer(ds, p["v"]) * (1 - hidden**2)
    return value, {"W": X.T @ dhidden, "b": dhidden.sum(axis=0), "v": hidden.T @ ds, "c": ds.sum()}


units = 16
start = {
    "W": 3 * rng.normal(size=(2, units)),
    "b": rng.normal(size=units),
    "v": rng.normal(size=units),
    "c": 0.0,
}

# %%
# Adam, in batches of 32
# ----------------------
# A callback is told of each epoch; here it keeps the parameters of some, to draw them.

kept = {}


def keep(progress):
    if progress.epoch in (1, 20, 300):
        kept[progress.epoch] = {name: np.copy(value) for name, value in progress.x.items()}


o = fastgd.minimize(
    loss, start, True, data=(X, y), batch_size=32, epochs=300, random_state=0, callback=keep,
    optimizer="adam", learning_rate=fastgd.schedules.Cosine(0.03),
)  # fmt: skip
right = np.mean((score(o.x, X)[0] > 0) == y)
print(f"{o.status}: loss {o.history.fun[0]:.3f} in the first epoch, {o.fun:.3f} at the end")
print(f"{right:.1%} of the points are on the right side")

figure, axes = plt.subplots(ncols=3, figsize=(10, 3.7), sharey=True)
side = np.linspace(-1.1, 1.1, 150)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
for ax, (epoch, p) in zip(axes, kept.items(), strict=True):
    probability = 1 / (1 + np.exp(-score(p, grid)[0].reshape(150, 150)))
    ax.contourf(side, side, probability, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.35)
    for label, colour in ((0, "C4"), (1, "C3")):
        ax.plot(*X[y == label].T, "o", color=colour, markersize=4, markeredgecolor="white")
    ax.set(aspect="equal", title=f"after epoch {epoch}", xlabel="first coordinate")
    ax.grid(visible=False)
axes[0].set_ylabel("second coordinate")
plt.show()
