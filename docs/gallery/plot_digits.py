"""
Ten digits with probabilities
=============================

A multinomial model of small pictures: which digit it sees, how sure it is, and whether it is right
to be that sure. The data are 1,797 hand-written digits of 8 x 8 pixels, which scikit-learn brings.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastgd

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

# %%
# ``loss="multinomial"`` makes one score a class and turns the ten scores into probabilities. The
# training digits can be told apart perfectly, and without a penalty the probabilities would run to
# 0 and 1: so ``alpha`` decides how sure the model is. Two penalties, one pass for both:

s = fastgd.sweep(X_train, y_train, loss="multinomial", alpha=[1e-3, 1e-2])
for alpha, r in zip(s.settings["alpha"], s.results, strict=True):
    right = r.score(X_test, y_test)
    print(
        f"alpha = {alpha:g}: {r.status} after {r.n_epochs} epochs, {right:.1%} of new digits right"
    )

# %%
# Where it errs, and whether it knows
# -----------------------------------
# On the left, numbers off the diagonal are the mistakes of the weaker penalty. On the right,
# digits are put in groups by the highest of their ten probabilities: of digits about which an
# honest model is sure to 80 %, 80 % are right. The stronger penalty makes the model too modest: it
# is right more often than it says. Bars are two standard errors.

weak, strong = s.results
found, probabilities = weak.predict(X_test), weak.predict_proba(X_test)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, found), 1)
mistakes = np.where(np.eye(10, dtype=bool), 0, confusion)

figure, (left, right) = plt.subplots(ncols=2, figsize=(10, 4.6))
left.imshow(np.ma.masked_equal(mistakes, 0), cmap="Oranges", vmin=-1, vmax=1.5 * mistakes.max())
for true, seen in np.argwhere(confusion):
    style = {"color": "C0"} if true == seen else {"weight": "bold"}
    left.text(seen, true, confusion[true, seen], ha="center", va="center", **style)
left.set(xticks=range(10), yticks=range(10), xlabel="predicted digit", ylabel="true digit")
left.grid(visible=False)
left.set_title(f"alpha = 0.001: {mistakes.sum()} mistakes among {len(y_test)} digits")

right.plot([0.3, 1], [0.3, 1], color="0.6", linewidth=1)
along = {"rotation": 45, "rotation_mode": "anchor", "va": "top", "color": "0.4"}
right.text(0.45, 0.44, "as often right as it says", **along)
for r, colour, words, place in (
    (weak, "C0", "alpha = 0.001", (0.78, 0.82)),
    (strong, "C1", "alpha = 0.01", (0.48, 0.93)),
):
    sure, hit = r.predict_proba(X_test).max(axis=1), r.predict(X_test) == y_test
    groups = np.array_split(np.argsort(sure), 6)
    share = np.array([hit[group].mean() for group in groups])
    error = 2 * np.sqrt(share * (1 - share) / len(groups[0]))
    means = [sure[group].mean() for group in groups]
    error = (error, np.minimum(error, 1 - share))
    right.errorbar(means, share, error, fmt="o-", capsize=3, color=colour)
    right.text(*place, words, color=colour)
right.set(xlabel="mean highest probability", ylabel="share predicted right", aspect="equal")
right.set(xlim=(0.3, 1.02), ylim=(0.3, 1.02), title="Six groups of 90 digits")
plt.show()

# %%
# The four digits that it finds hardest
# -------------------------------------
# Those about which the model with the weaker penalty is least sure.

figure, pairs = plt.subplots(2, 4, figsize=(10, 4.2), height_ratios=(1.2, 1))
for (picture, bars), k in zip(pairs.T, np.argsort(probabilities.max(axis=1))[:4], strict=True):
    picture.imshow(X_test[k].reshape(8, 8), cmap="Greys")
    picture.set(xticks=[], yticks=[], title=f"a {y_test[k]}")
    picture.grid(visible=False)
    bars.bar(range(10), probabilities[k], color=np.where(np.arange(10) == y_test[k], "C0", "0.75"))
    bars.set(xticks=range(10), ylim=(0, 0.75), xlabel="digit (blue: the true one)")
    picture.spines[:].set_visible(False)
pairs[1, 0].set_ylabel("probability")
plt.show()
