"""What commands print and draw: aligned text for people, one coefficient a line for other programs."""

import numpy as np


def table(rows):
    """Rows of texts as lines with aligned columns; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def fitted(result, n_rows, dtype):
    """The report of a fit: how it ended, what was chosen, the coefficients."""
    rows = [
        ("status", f"{result.status} after {result.n_epochs} epochs ({result.n_steps} steps)"),
        ("", result.message),
        ("loss", f"{result.loss:.6g}"),
    ]
    held_out = result.history.validation_loss
    if np.isfinite(held_out).any():
        rows.append(("validation loss", f"{np.nanmin(held_out):.6g} at best"))
    rows.append(("data", f"{n_rows:,} rows, {result.coef.shape[-1]:,} columns, {dtype}"))
    return f"{table([*rows, *result.choices.items()])}\n\n{coefficients(result)}"


def coefficients(result):
    """The coefficients with their names, the intercept first."""
    values = np.column_stack([np.atleast_1d(result.intercept), np.atleast_2d(result.coef)]).T
    names = ["(intercept)", *(result.feature_names or [f"column {k}" for k in range(len(values) - 1)])]
    heads = ["coefficient"]
    if values.shape[1] > 1:
        heads = [str(label) for label in (result.classes if result.classes is not None else range(values.shape[1]))]
    lines = [(name, *(f"{value: .8g}" for value in row)) for name, row in zip(names, values, strict=True)]
    return table([("column", *heads), *lines])


def suggestions(result):
    """The report of a learning-rate test: what was seen, and the rate of each rule."""
    rows = [("status", f"{result.status} after {result.losses.size} steps"), ("", result.message)]
    if result.suggestions:
        rows += [("rule", "learning rate"), *((rule, f"{rate:.6g}") for rule, rate in result.suggestions.items())]
    return table(rows)


def draw(result, path, panels=1):
    """Save the picture of a result."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8 if panels == 1 else 6 * panels, 5), layout="constrained")
    try:
        with np.errstate(all="ignore"):
            result.plot(figure.subplots(ncols=panels))
            figure.savefig(path, dpi=120)
    except OverflowError:  # matplotlib's, for the ticks of an axis up to 1e300
        raise ValueError(f"{path}: the losses are too large to draw.") from None
