"""
Sweep: learning rates and optimizers
====================================

A list of settings is a grid, and all points of it that share an optimizer are trained in one pass
over the data. Here 30 learning rates meet five optimizers on 20,000 rows: which optimizer forgives
a bad rate?
"""

import matplotlib.pyplot as plt
import numpy as np

import fastgd

rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 20)) @ rng.normal(size=(20, 20))  # correlated columns
y = X @ rng.normal(size=20) + 3 * rng.normal(size=20_000)
optimizers = ["sgd", "momentum", "nesterov", "rmsprop", "adam"]
rates = np.geomspace(1e-4, 10, 30)

s = fastgd.sweep(
    X, y, optimizer=optimizers, learning_rate=rates, standardize=True, epochs=100, tol=None
)
print(s)

# %%
# The picture that comes with a sweep
# -----------------------------------
# ``s.plot()`` draws any sweep: on the left each run's last loss, on the right the course of each.
# A star marks the best run, crosses those that diverged. Here it is for plain gradient descent
# alone.

fastgd.sweep(
    X, y, optimizer="sgd", learning_rate=rates[::2], standardize=True, epochs=100, tol=None
).plot()
plt.show()

# %%
# The answer
# ----------
# How far each run ended above the least loss that is possible, in parts of the noise. Plain
# gradient descent is still on its way at the best rate it can bear; momentum gets far at rates of
# a narrow band; Adam, whose step does not depend on the size of the gradient, wants rates that fit
# the size of the weights.

least = fastgd.fit(X, y).loss
excess = s.losses.reshape(len(optimizers), len(rates)) / least - 1
diverged = np.reshape(np.array(s.status) == "diverged", excess.shape)

figure, ax = plt.subplots(figsize=(8, 5))
for k, name in enumerate(optimizers):
    sound = ~diverged[k]
    ax.plot(rates[sound], excess[k][sound], ".-", color=f"C{k}")
    if diverged[k].any():
        last = rates[sound][-1], excess[k][sound][-1]
        ax.plot(*last, "x", color=f"C{k}", markersize=9, markeredgewidth=2.5)
    best = np.argmin(np.where(sound, excess[k], np.inf))
    ax.text(rates[best], excess[k][best] * 0.6, name, color=f"C{k}", ha="center", va="top")
ax.set(xscale="log", yscale="log", xlabel="learning rate")
ax.set(ylabel="excess over the least loss (1: twice the least)")
ax.set_ylim(5e-5, 100)
ax.set_title("100 full-batch steps at each rate; a cross is the last before it diverges")
plt.show()
# sphinx_gallery_thumbnail_number = 2
