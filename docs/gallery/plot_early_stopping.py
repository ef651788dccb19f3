"""
Early stopping: when more training is worse
===========================================

A flexible model first learns what is common to all rows and then the accidents of those it sees.
Rows that are held out tell the moment: fastgd measures them after each epoch, stops when they get
no better, and returns the weights of the best epoch. The model has all products of up to three
measurements of 442 diabetes patients: 285 columns.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

import fastgd

X, y = load_diabetes(return_X_y=True)
X = PolynomialFeatures(3, include_bias=False).fit_transform(10 * X)
print(X.shape)

# %%
# With and without a stop
# -----------------------
# ``validation=0.3`` holds out three rows of ten, drawn at random; ``patience`` is how many epochs
# may pass without a new best. The second fit, with more patience than epochs, shows what is
# missed.

options = {
    "validation": 0.3,
    "batch_size": 32,
    "learning_rate": 0.005,
    "optimizer": "sgd",
    "standardize": True,
}
r = fastgd.fit(X, y, epochs=400, patience=20, random_state=0, **options)
print(r.status, "after epoch", r.n_epochs, "with the weights of epoch", r.best_epoch)
print(r.message)
whole = fastgd.fit(
    X, y, epochs=400, patience=400, tol=None, evaluate=True, random_state=0, **options
)

# %%
# The picture
# -----------
# The training loss falls to the end; the held-out loss turns. (``r.plot()`` draws a single run
# alike.)

training, held = whole.history.objective, whole.history.validation_loss
epochs = np.arange(1, len(held) + 1)
figure, ax = plt.subplots()
for k, (losses, words) in enumerate(((training, "training patients"), (held, "held-out patients"))):
    ax.plot(epochs, losses, color=f"C{k}", linewidth=1.5)
    ax.text(epochs[-1], losses[-1], f" {words}", color=f"C{k}", va="center")
best = r.best_epoch
ax.plot(best, r.history.validation_loss[best - 1], "o", color="C5", markersize=8)
line = {"arrowstyle": "-", "color": "0.6", "shrinkB": 6, "relpos": (1, 0.5)}
words = f"epoch {best}: the weights\nthat are returned"
ax.annotate(words, (best, held[best - 1]), (1.1, 1300), color="C5", va="top", arrowprops=line)
ax.axvline(r.n_epochs, color="C5", linewidth=1, linestyle="--")
ax.text(r.n_epochs * 1.06, 8000, f"stopped after\nepoch {r.n_epochs}", color="C5")
ax.set(xscale="log", yscale="log", xlabel="epoch", ylabel="loss (half the squared error)")
ax.set_title(f"{X.shape[1]} columns, {round(0.7 * len(y))} training patients")
plt.show()
