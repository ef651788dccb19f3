"""
Schedules drawn
===============

A schedule is how the learning rate changes during a run. Pass its name, or an instance with your
own fields; durations are in epochs, and 0 means the rest of the run. Each picture is what a run of
40 epochs recorded.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastgd
from fastgd import schedules

families = {
    "constant": {"Constant(0.1)": schedules.Constant(0.1)},
    "falling for ever": {
        "InverseScaling(0.1, power=0.5)": schedules.InverseScaling(0.1, power=0.5),
        "Exponential(0.1, factor=0.9)": schedules.Exponential(0.1, factor=0.9),
    },
    "in steps": {"Step(0.1, factor=0.3, period=10)": schedules.Step(0.1, factor=0.3, period=10)},
    "down to an end": {
        "Polynomial(0.1, power=2)": schedules.Polynomial(0.1, power=2),
        "Cosine(0.1)": schedules.Cosine(0.1),
    },
    "begun anew": {"Cosine(0.1, period=5, growth=2)": schedules.Cosine(0.1, period=5, growth=2)},
    "up first": {
        "OneCycle(0.1)": schedules.OneCycle(0.1),
        "Warmup(Cosine(0.1), period=8)": schedules.Warmup(schedules.Cosine(0.1), period=8),
    },
}

# %%
# The rate of each epoch is in ``history.learning_rate``. One row with target 0 leaves the model as
# it is: it is the rate alone that is wanted.

figure, axes = plt.subplots(2, 3, figsize=(10, 5.5), sharex=True, sharey=True)
for ax, (family, members) in zip(axes.flat, families.items(), strict=True):
    for k, (words, schedule) in enumerate(members.items()):
        r = fastgd.fit([[1.0]], [0.0], learning_rate=schedule, epochs=40, tol=None)
        rates = r.history.learning_rate
        ax.plot(np.arange(1, 41), rates, ".-", color=f"C{k}", linewidth=1, markersize=5)
        print(f"{words:33} starts at {rates[0]:.4f}, ends at {rates[-1]:.2g}")
        place = {
            "x": 0.98,
            "y": 0.98 - 0.09 * k,
            "transform": ax.transAxes,
            "ha": "right",
            "va": "top",
        }
        ax.text(s=words, color=f"C{k}", fontsize="small", **place)
    ax.set(title=family, ylim=(-0.004, 0.14))
for ax in axes[1]:
    ax.set_xlabel("epoch")
for ax in axes[:, 0]:
    ax.set_ylabel("learning rate")
plt.show()
