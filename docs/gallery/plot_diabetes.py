"""
Ten measurements and diabetes
=============================

Which measurements go with the progress of a disease? Coefficients in the units of the columns
cannot be compared with each other; scaled ones can. The data are 442 patients of Efron, Hastie,
Johnstone and Tibshirani (2004): the target is a score of how far the disease went in a year.
"""

import matplotlib.pyplot as plt
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
# pass) show how far to trust each one. Where the interval crosses 0, not even the sign is certain.

words = {
    "bp": "blood pressure",
    "bmi": "body mass index",
    "s1": "total cholesterol (s1)",
    "s2": "LDL (s2)",
    "s3": "HDL (s3)",
    "s4": "cholesterol / HDL (s4)",
    "s5": "log triglycerides (s5)",
    "s6": "blood sugar (s6)",
}
r = fastgd.fit(X.rename(columns=words), y, bootstrap=500, random_state=0)
r.coef_plot()
plt.show()

# %%
# The intervals of s1 to s4 are wide because those four are tied to each other: total cholesterol
# (s1) is mostly LDL (s2), and s4 is its ratio to HDL (s3). The fit cannot say which of them it is,
# and the correlations say why:

print(X[["s1", "s2", "s3", "s4"]].corr().round(2).to_string())
