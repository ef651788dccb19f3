"""
Optimizers race through Rosenbrock's valley
===========================================

Rosenbrock's function (1960) has a curved, narrow valley: to find it is easy, to follow it is not.
Each optimizer runs with the best of many learning rates, which a sweep finds, so that the race is
fair.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastgd


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def gradient(x):
    across = x[1] - x[0] ** 2
    return np.array([-2 * (1 - x[0]) - 400 * x[0] * across, 200 * across])


# %%
# 24 rates for each optimizer
# ---------------------------
# All runs start at the same point and take 400 steps. Many of the rates diverge: that is what the
# sweep is for.

start, steps = [-1.0, 0.5], 400
rates = np.geomspace(1e-4, 0.5, 24)
runs = {}
for name in ("sgd", "momentum", "adam"):
    s = fastgd.minimize_sweep(
        rosenbrock, start, gradient, optimizer=name, learning_rate=rates, max_iter=steps
    )
    runs[name] = s.best
    diverged = s.status.count("diverged")
    rate = s.best_settings["learning_rate"]
    print(f"{name:9} rate {rate:.4f}: f = {s.best.fun:.1e}; {diverged} of 24 rates diverged")

# %%
# The paths
# ---------
# Plain gradient descent crawls along the valley's floor, as its rate is held down by the steep
# walls. Momentum gathers speed along it, and Adam takes steps of one size in either direction.

figure, (left, right) = plt.subplots(ncols=2, figsize=(10, 4.8), width_ratios=(3, 2))
a, b = np.meshgrid(np.linspace(-1.3, 1.4, 200), np.linspace(-0.7, 1.3, 200))
left.contour(
    a, b, rosenbrock((a, b)), levels=np.geomspace(0.03, 800, 14), colors="0.8", linewidths=0.8
)
for k, (name, run) in enumerate(runs.items()):
    left.plot(*run.history.x.T, ".-", color=f"C{k}", markersize=4, linewidth=1)
    right.plot(run.history.fun, color=f"C{k}")
    right.text(steps, run.history.fun[-1], f" {name}", color=f"C{k}", va="center")
left.plot(*start, "o", color="C5", markersize=8)
left.text(start[0], start[1] - 0.08, "start", color="C5", ha="center", va="top")
left.plot(1, 1, "*", color="C5", markersize=14)
left.text(0.92, 1, "minimum", color="C5", ha="right", va="center")
left.set(
    xlim=(-1.3, 1.4),
    ylim=(-0.7, 1.3),
    xlabel="first parameter",
    ylabel="second parameter",
    title="Every step",
)
left.grid(visible=False)
right.set(yscale="log", xlabel="step", ylabel="value of the function", title="How far they get")
plt.show()
