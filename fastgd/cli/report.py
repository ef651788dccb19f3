"""What commands print and draw: aligned text for people, one coefficient a line for other programs."""

import shlex
from types import SimpleNamespace

import click
import numpy as np
from click.core import ParameterSource

from ..inputs.holdout import drawn
from ..inputs.part_serialization import part_of_run
from ..parts import losses
from ..parts.registry import count, snake_case
from ..results.coefficients import Coefficients
from ..results.quality import measure_of
from .options import WORDS
from .program import as_options

FEW = 30  # coefficients that are all printed by fit
STRONGEST = 20  # of more, how many are
LOSSES = {
    "squared_error": "half the mean squared error",
    "mse": "the mean squared error",
    "absolute_error": "the mean absolute error",
    "log_loss": "the mean log loss",
    "multinomial": "the mean log loss",
}


def table(rows):
    """Rows of texts as lines with aligned columns; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def fitted(result, data):
    """The report of a fit: how it ended, how good it is, what was chosen, the coefficients."""
    rows = [
        ("status", f"{result.status} after {count(result.n_epochs, 'epoch')} ({count(result.n_steps, 'step')})"),
        ("", as_options(result.message)),
        ("loss", f"{result.loss:.6g}, {of_loss(result)}"),
    ]
    held_out = result.history.validation_loss
    if np.isfinite(held_out).any():
        rows.append(("validation loss", f"{np.nanmin(held_out):.6g} at best"))
    if result.status != "diverged":
        rows += scores(result, data)
    trained = result.state.rows
    words = f"{data.rows:,} rows"
    if trained < data.rows:
        words = f"{trained:,} rows to train on and {data.rows - trained:,} held out"
    rows.append(("data", f"{words}, {result.coef.shape[-1]:,} columns, {data.dtype}"))
    if data.dropped:
        rows.append(("left out", f"{data.dropped:,} rows that lack a value"))
    rows += of_encoding(result.encoding)
    # On a terminal with a bar they stand above it already.
    rows += [] if data.shown else [(name, as_options(words)) for name, words in result.choices.items()]
    return f"{table(rows)}\n\n{coefficients(result, data)}"


def of_loss(result):
    """What the loss is, in words."""
    name = snake_case(result.options["loss"]["name"])
    words = LOSSES.get(name, f"the mean {name.replace('_', ' ')} loss")
    return words + (", plus the penalty" if result.options["alpha"] else "")


def scores(result, data):
    """The rows of R2, accuracy or D2, of the rows trained on and of those held out."""
    name = measure_of(part_of_run(result.state, "loss", losses))
    share = result.options["validation"]
    if not isinstance(share, float) or data.y is None:
        return [(name, in_digits(result.score(data.X, data.y, **data.of_rows)))]
    classes = result.classes
    y = data.y if classes is None else np.searchsorted(classes, data.y)
    held = np.zeros(data.rows, bool)
    held[drawn(SimpleNamespace(y=y[None], classes=classes), share, result.options["random_state"])] = True
    found = []
    for which in (~held, held):
        of_rows = {word: values[which] for word, values in data.of_rows.items()}
        found.append(in_digits(result.score(data.X[which], data.y[which], **of_rows)))
    return [(name, f"{found[0]} of the rows trained on, {found[1]} of those held out")]


def in_digits(score):
    """A score as it is printed; of a single row there is none."""
    return "not defined" if np.isnan(score) else f"{score:.6g}"


def of_encoding(kept):
    """The rows about categories and missing values."""
    from .encoding import Encoding

    if kept is None:
        return []
    encoding = Encoding.of(kept)
    rows = [*encoding.sentence().items()]
    if encoding.fill:
        shown = [
            f"{name} {value if isinstance(value, str) else format(value, '.6g')}"
            for name, value in encoding.fill.items()
        ]
        rows.append(("filled with", ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")))
    return rows


def coefficients(result, data=None):
    """The coefficients with their names, the intercept first; of many, with the rows, the strongest alone."""
    values = np.column_stack([np.atleast_1d(result.intercept), np.atleast_2d(result.coef)]).T
    names = ["(intercept)", *(result.feature_names or [f"column {k}" for k in range(len(values) - 1)])]
    heads, columns, end = ["coefficient"], [[f"{value: .8g}" for value in column] for column in values.T], ""
    if values.shape[1] > 1:
        heads = [str(label) for label in (result.classes if result.classes is not None else range(values.shape[1]))]
    elif result.replicates is not None:
        ends = [result.intercept_interval(), np.transpose(result.coef_interval())]
        heads.append("95 % interval")
        columns.append([f"[{low:.6g}, {high:.6g}]" for low, high in np.vstack(ends)])
    order = range(len(values))
    if data is not None and len(values) - 1 > FEW:
        order = [0, *(1 + Coefficients.of(result).columns_by_size()[:STRONGEST])]
        end = f"\nThe {STRONGEST} of {len(values) - 1:,} columns with the largest effects (coefficient times standard "
        end += "deviation); fastgd info MODEL.npz prints all of a saved model."
    lines = [(names[k], *(column[k] for column in columns)) for k in order]
    return table([("column", *heads), *lines]) + end


def next_command(ctx, rate, scaled):
    """The fit with a learning rate that was found, as one types it."""
    words = ["fastgd", "fit", shlex.quote(ctx.params["file"])]
    fit = {param.name: param for param in ctx.find_root().command.commands["fit"].params}
    for param in ctx.command.params:
        value = ctx.params.get(param.name)
        typed = ctx.get_parameter_source(param.name) == ParameterSource.COMMANDLINE
        if (
            typed
            and param.name in fit
            and isinstance(param, click.Option)
            and param.name not in ("standardize", "plot")
        ):
            words += spelled(param, value)
    return " ".join([*words, *["--standardize"] * scaled, "--learning-rate", rate])


def spelled(param, value):
    """An option and its value, as one types them."""
    if param.is_flag:
        return [param.opts[0] if value else param.secondary_opts[0]]
    if param.name == "batch_size" and value is None:
        value = "full"
    values = value if param.multiple else [value]
    return [word for one in values for word in (param.opts[0], shlex.quote(short(one)))]


def short(value):
    """A value in a few digits, as one types it."""
    if hasattr(value, "_asdict"):
        usual = type(value)()
        fields = [f":{name}={short(field)}" for name, field in value._asdict().items() if field != getattr(usual, name)]
        return snake_case(type(value).__name__) + "".join(fields)
    if isinstance(value, tuple):
        return ":".join("" if np.isinf(one) else short(one) for one in value)
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return WORDS.get(value, str(value))


def suggestions(result):
    """The report of a learning-rate test: what was seen, and the rate of each rule."""
    rows = [("status", f"{result.status} after {count(result.losses.size, 'step')}"), ("", as_options(result.message))]
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
