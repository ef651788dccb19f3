"""Draw own_models.png, the run of the network on own_models.md: ``python docs/guide/own_models.py``."""

import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def network(page):
    """The result of the first snippet of the page."""
    names = {}
    exec(compile(re.search(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)[1], str(page), "exec"), names)
    return names["net"]


def draw(net, picture):
    """Draw the losses of a run with validation, and the epoch whose parameters are returned."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    net.plot(axes)
    held = net.history.validation_fun
    best = int(np.argmin(held))
    axes.plot(best + 1, held[best], "o", color="C3")
    words = f"lowest validation loss, in epoch {best + 1}:\nits parameters are returned"
    axes.annotate(words, (best + 1, held[best]), (0.6 * len(held), 4 * held[best]), arrowprops={"arrowstyle": "-"})
    axes.set(yscale="log", ylabel="mean loss", title="64 rectified units, 10 digits, Adam, batches of 32")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    draw(network(Path(__file__).with_suffix(".md")), Path(__file__).with_suffix(".png"))
