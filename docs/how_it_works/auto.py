"""Draw docs/how_it_works/auto.png, what "auto" spares on a raw table: ``python docs/how_it_works/auto.py``."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.linear_model import SGDRegressor
from sklearn.preprocessing import StandardScaler

import fastgd

PASSES, OF_SGD = 10_000, 1000
RATES = np.geomspace(1e-8, 1, 49)
TOP, FLOOR = 3e2, 1e-10  # of the picture, in variances of the target
BEST = f"best of {len(RATES)} rates"


def excess(X, y):
    """A function of mean half squared residuals: how far they lie above the least, in variances of the target."""
    A = np.column_stack([X - X.mean(axis=0), np.ones(len(y))])
    least = 0.5 * np.mean((y - A @ np.linalg.lstsq(A, y)[0]) ** 2)
    return lambda losses: (np.asarray(losses) - least) / np.var(y)


def curves(X, y, passes=PASSES, of_sgd=OF_SGD):
    """Of each way, by its name, the mean half squared residuals after each pass over the rows."""
    options = {"epochs": passes, "tol": None}
    plain = [
        fastgd.sweep(X, y, optimizer="sgd", learning_rate=RATES, standardize=standardize, **options).best
        for standardize in (False, True)
    ]
    return {
        f"gradient descent, raw columns,\n{BEST}": after(plain[0]),
        f"gradient descent,\nstandardised columns, {BEST}": after(plain[1]),
        "momentum, standardised,\nfastgd's automatic rate": after(fastgd.fit(X, y, optimizer="momentum", **options)),
        "SGDRegressor behind\nStandardScaler": sgd_losses(StandardScaler().fit_transform(X), y, of_sgd),
        "SGDRegressor, raw columns": sgd_losses(X, y, of_sgd),
        # The loss at its start comes first, or there would be no line: its one pass is drawn as two.
        "fastgd.fit(X, y)": fastgd.fit(X, y).history.loss,
    }


def after(result):
    """The losses after each step of a full-batch fit, whose history has those before."""
    return np.append(result.history.loss[1:], result.loss)


def sgd_losses(X, y, passes):
    """Of scikit-learn's SGDRegressor, after each epoch."""
    model, losses = SGDRegressor(random_state=0), []
    for _ in range(passes):
        losses.append(0.5 * np.mean((y - model.partial_fit(X, y).predict(X)) ** 2))
    return np.array(losses)


# Of each curve its colour, and where its name stands.
STYLES = [
    ("C3", (700, 0.35)),
    ("C1", (230, 2.5e-3)),
    ("C4", (13, 2e-6)),
    ("C2", (2.9, 2e-4)),
    ("C7", (1.15, 40)),
    ("C0", (2.3, 4e-10)),
]


def draw(found, picture):
    """Draw curves of excess losses."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for (name, losses), (colour, place) in zip(found.items(), STYLES, strict=True):
        away = losses.min() > TOP
        if away:
            name += f": $10^{{{np.log10(losses.min()):.0f}}}$ and more, beyond the picture"
        x = np.arange(1, len(losses) + 1)
        own = name.startswith("fastgd")
        style = {"linewidth": 3, "marker": "o", "zorder": 3} if own else {"linewidth": 1.5}
        if away:
            x, style = np.geomspace(1, len(losses), 13), {"linestyle": "", "marker": "^"}
            losses = np.full(len(x), 0.5 * TOP)
        shown = 1 + np.argmax(np.append(losses, 0) <= FLOOR)
        axes.plot(x[:shown], np.maximum(losses, FLOOR)[:shown], color=colour, **style)
        axes.text(*place, name, color=colour, fontweight="bold" if own else None, va="center")
    axes.set(xscale="log", yscale="log", xlim=(0.9, PASSES * 1.1), ylim=(0.4 * FLOOR, TOP))
    axes.set(xlabel="passes over the rows", ylabel="excess loss over the optimum, in variances of the target")
    axes.set_title("On a raw table the default needs no scaling, no rate and two passes", fontsize="x-large")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)


def main(picture, **options):
    """Draw the picture: the progress of 442 patients' diabetes (Efron et al. 2004) by columns in their own units."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    above = excess(X, y)
    draw({name: above(losses) for name, losses in curves(X, y, **options).items()}, picture)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"))
