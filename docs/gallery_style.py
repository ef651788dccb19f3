"""The look of the gallery's pictures, colours that colour-blind readers tell apart, and the order of its examples.

Sphinx-gallery calls ``reset`` before each example, so the examples need not repeat it.
"""

import matplotlib as mpl
from cycler import cycler

# Okabe and Ito (2008), without their yellow and sky blue, in which words are hard to read.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, BLACK = "#0072B2", "#D55E00", "#009E73", "#AA5B8C", "#C07C00", "#333333"

STYLE = {
    "axes.edgecolor": "0.4",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelcolor": "0.15",
    "axes.prop_cycle": cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE, BLACK]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "large",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.figsize": (8, 4.5),
    "font.size": 11,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "savefig.dpi": 130,
    "xtick.color": "0.3",
    "ytick.color": "0.3",
}


def reset(gallery_conf=None, script=None):
    """Set the look; the arguments are those of sphinx-gallery's ``reset_modules``."""
    mpl.rcParams.update(STYLE)


class TeachingOrder:
    """The key that sphinx-gallery sorts the examples by: from the first fit to what is special."""

    NAMES = (
        *("flights", "diabetes", "digits", "text", "counts_with_exposure", "quantile_bands", "outliers"),
        *("bootstrap", "regularization_path", "early_stopping", "larger_than_memory"),
        *("sgd_and_full_batch", "learning_rate_finder", "sweep", "schedules", "rosenbrock", "small_network"),
    )

    def __init__(self, folder):
        pass

    def __call__(self, file):
        name = file.removeprefix("plot_").removesuffix(".py")
        return self.NAMES.index(name)
