"""
A lasso path with cross-validation
==================================

An L1 penalty sets coefficients to zero, more of them the stronger it is. How strong should it be?
Cross-validation measures each strength on rows that were held out, and the one-standard-error rule
takes the simplest model that is as good as the best, as far as the data can tell. The patients are
those of Efron, Hastie, Johnstone and Tibshirani (2004), who made this picture famous: ten
measurements, their squares and their products.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

import fastgd

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
powers = PolynomialFeatures(2, include_bias=False).set_output(transform="pandas")
X = powers.fit_transform(X - X.mean()).drop(columns="sex^2")
X.columns = X.columns.str.replace(" ", " × ")
alphas = np.geomspace(0.3, 50, 40)
print(f"{X.shape[1]} columns, such as {', '.join(X.columns[::9])}")

# %%
# 40 penalties, ten folds
# -----------------------
# These are 400 models, trained together. ``c.best`` and ``c.simplest`` are fitted again on all
# rows.

c = fastgd.sweep(X, y, alpha=alphas, l1_ratio=1, cv=10, random_state=0)
best, simplest = alphas[c.best_index], alphas[c.simplest_index]
for words, alpha, r in (("best", best, c.best), ("simplest", simplest, c.simplest)):
    kept = [name for name, w in zip(r.feature_names, r.coef, strict=True) if w]
    print(f"{words:8} alpha = {alpha:5.2f} keeps {len(kept):2} of {X.shape[1]}: {', '.join(kept)}")

# %%
# The path
# --------
# A sweep without ``cv`` fits each penalty on all rows. Coefficients are drawn for one standard
# deviation of their column, so that they can be compared.

path = fastgd.sweep(X, y, alpha=alphas, l1_ratio=1)
coef = np.array([r.coef for r in path.results]) * X.std().to_numpy()

figure, (top, bottom) = plt.subplots(nrows=2, figsize=(8, 7), sharex=True, height_ratios=(3, 2))
named = np.flatnonzero(np.abs(coef[c.best_index]) > 4)
top.plot(alphas, np.delete(coef, named, axis=1), color="0.75", linewidth=1)
named = named[np.argsort(coef[0, named])]
place = -np.inf
for k, j in enumerate(named):
    place = max(place + 2.4, coef[0, j])  # names that would overlap are moved up
    top.plot(alphas, coef[:, j], color=f"C{k % 6}")
    top.text(0.96 * alphas[0], place, X.columns[j], color=f"C{k % 6}", ha="right", va="center")
top.set_xlim(0.12, None)
top.set(xscale="log", ylabel="change of the target for\none standard deviation")
top.set_title("Coefficients (grey: those that are small in the best model)")

mean, error = c.scores.mean, c.scores.standard_error
bottom.fill_between(alphas, mean - error, mean + error, color="C0", alpha=0.2, linewidth=0)
bottom.plot(alphas, mean)
bottom.set(
    xlabel="strength of the penalty, alpha",
    ylabel="loss of held-out patients\n(half the squared error)",
)
bottom.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
bottom.minorticks_off()
bottom.set_title("Mean over ten folds, and one standard error")
for ax in (top, bottom):
    for alpha, style in ((best, "-"), (simplest, "--")):
        ax.axvline(alpha, color="0.3", linewidth=1, linestyle=style)
at_top = {"xycoords": ("data", "axes fraction"), "va": "top", "color": "0.3"}
bottom.annotate("best ", (best, 0.98), ha="right", **at_top)
bottom.annotate(" simplest within\n one standard error", (simplest, 0.98), **at_top)
plt.show()
