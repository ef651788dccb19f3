"""
Ten measurements and diabetes
=============================

Which measurements go with the progress of a disease? Coefficients in the units of the columns
cannot be compared with each other; scaled ones can. The data are 442 patients of Efron, Hastie,
Johnstone and Tibshirani (2004): the target is a score of how far the disease went in a year.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import fastgd

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
print(X.describe().loc[["mean", "std"]].round(2).to_string())

# %%
# Raw columns in, raw units out
# -----------------------------
# Years, counts and logarithms go in as they are. A coefficient is then the change of the target
# for one more unit of its column: s5, a logarithm, has by far the largest, as one unit of it is
# enormous.

r = fastgd.fit(X, y)
for name, c in zip(r.feature_names, r.coef, strict=True):
    print(f"{name:4} {c:8.3f}")

# %%
# On one scale
# ------------
# A coefficient times the standard deviation of its column is what a typical difference between two
# patients is worth. Bootstrap replicates (the fit repeated on patients drawn anew, all in the same
# pass) show how far to trust each one.

r = fastgd.fit(X, y, bootstrap=500, random_state=0)
scale = X.std().to_numpy()
low, high = (end * scale for end in r.coef_interval(0.95))
scaled = r.coef * scale
order = np.argsort(np.abs(scaled))

names = {
    "bp": "blood pressure",
    "bmi": "body mass index",
    "s1": "total cholesterol (s1)",
    "s2": "LDL (s2)",
}
names |= {
    "s3": "HDL (s3)",
    "s4": "cholesterol / HDL (s4)",
    "s5": "log triglycerides (s5)",
    "s6": "blood sugar (s6)",
}
figure, ax = plt.subplots(figsize=(8, 4.5))
clear = (low > 0) | (high < 0)
for place, j in enumerate(order):
    ax.plot([low[j], high[j]], [place, place], color="C0" if clear[j] else "0.7")
    ax.plot(scaled[j], place, "o", color="C0" if clear[j] else "0.6")
ax.axvline(0, color="0.4", linewidth=1)
ax.set_yticks(range(len(order)), [names.get(name, name) for name in X.columns[order]])
ax.grid(axis="y", visible=False)
ax.set(xlabel="change of the progress score for one standard deviation of the column")
ax.set_title("Scaled coefficients and their 95 % bootstrap intervals")
ax.text(0.98, 0.05, "grey: the interval holds 0", transform=ax.transAxes, color="0.4", ha="right")
plt.show()

# %%
# The intervals of s1 to s4 are wide because those four are tied to each other: total cholesterol
# (s1) is mostly LDL (s2), and s4 is its ratio to HDL (s3). The fit cannot say which of them it is,
# and the correlations say why:

print(X[["s1", "s2", "s3", "s4"]].corr().round(2).to_string())
