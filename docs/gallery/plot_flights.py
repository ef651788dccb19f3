"""
The delay of 327,346 flights
============================

One call on a raw table, and what its coefficients say. The table has every flight that left New
York in 2013: minutes, miles and clock hours next to 0/1 columns for the carrier, the airport and
the month.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastgd
from fastgd.cli.demo import flights

X, y, dropped = flights()
print(f"{len(X):,} flights, {X.shape[1]} columns; {dropped:,} without a known arrival left out.")
print(X.iloc[0, :8].to_string())

# %%
# No scaling, no learning rate
# ----------------------------
# The columns have very different units, and the 0/1 columns of a label add up to one. Plain
# gradient descent would need scaled columns and a well-chosen rate. The default needs neither: on
# least squares it takes Newton's step.

train = np.random.default_rng(0).random(len(X)) < 0.8
r = fastgd.fit(X[train], y[train])
print(r)

print(f"R2 on the other {np.sum(~train):,} flights: {r.score(X[~train], y[~train]):.3f}")

# %%
# What the coefficients say
# -------------------------
# The delay at departure and the time in the air are columns of the model. So the coefficient of a
# carrier is what it adds to the delay after it left the gate, compared with other carriers on
# flights of the same length: how it taxies, and how generous its timetable is.

CARRIERS = (
    "9E Endeavor, AA American, AS Alaska, B6 JetBlue, DL Delta, EV ExpressJet, FL AirTran, "
    "F9 Frontier, HA Hawaiian, MQ Envoy, OO SkyWest, UA United, US US Airways, "
    "VX Virgin America, WN Southwest, YV Mesa"
)
NAMES = {code: name for code, _, name in (one.partition(" ") for one in CARRIERS.split(", "))}
coef = dict(zip(r.feature_names, r.coef, strict=True))
carriers = {
    name.removeprefix("carrier_"): c for name, c in coef.items() if name.startswith("carrier_")
}
flown = {name: int(X[f"carrier_{name}"].sum()) for name in carriers}
mean = sum(carriers[name] * flown[name] for name in carriers) / sum(flown.values())
shown = sorted((name for name in carriers if flown[name] > 1000), key=lambda name: carriers[name])
minutes = np.array([carriers[name] - mean for name in shown])

figure, (left, right) = plt.subplots(ncols=2, figsize=(10, 4.5), width_ratios=(3, 2))
left.hlines(range(len(shown)), 0, minutes, color="0.8", linewidth=3)
left.scatter(minutes, range(len(shown)), s=60, c=np.where(minutes < 0, "C0", "C1"), zorder=3)
left.axvline(0, color="0.4", linewidth=1)
left.set_yticks(range(len(shown)), [f"{NAMES[name]}, {flown[name]:,}" for name in shown])
left.grid(axis="y", visible=False)
left.set(xlabel="minutes added to the delay after departure, against the average flight")
left.set_title("Carriers and their flights, all else equal")

predicted = r.predict(X[~train])
edges = np.quantile(predicted, np.linspace(0, 1, 41))
groups = np.digitize(predicted, edges[1:-1])
count = np.bincount(groups)
ends = (-30, 250)
right.plot(ends, ends, color="0.6", linewidth=1)
right.text(165, 150, "predicted = true", color="0.4", rotation=45, rotation_mode="anchor", va="top")
means = np.bincount(groups, predicted) / count, np.bincount(groups, y[~train]) / count
right.plot(*means, "o", markersize=5)
right.set(xlabel="predicted delay at arrival (minutes)", ylabel="mean true delay (minutes)")
right.set(xlim=ends, ylim=ends, aspect="equal", title="40 groups of held-out flights")
plt.show()
