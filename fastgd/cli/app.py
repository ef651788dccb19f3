"""The commands of ``python -m fastgd``: options in, a report out. Only the report goes to stdout."""

import contextlib
import csv
import importlib.util
import inspect
import os
import sys
import time
from pathlib import Path

import click
import numpy as np

import fastgd

from ..linear.lr_rules import RULES
from .program import INTERRUPTED, Program, say

DIVERGED = 1
SHOW_BYTES = 20_000_000  # reading and fitting less is a matter of a second or two


class WordOr(click.ParamType):
    """A number, or one of some words with a meaning of their own; with ``free`` any other text as it is."""

    def __init__(self, number, words, free=False):
        self.number, self.words, self.free = number, words, free
        self.name = "|".join([*words, "N" if number is int else "NUMBER", *(["NAME"] if free else [])])

    def get_metavar(self, param, ctx=None):
        """The words as they are typed."""
        return self.name

    def convert(self, value, param, ctx):
        """The meaning of an option's text."""
        if not isinstance(value, str) or value in self.words:
            return self.words.get(value, value)
        try:
            return self.number(value)
        except ValueError:
            if self.free:
                return value
        return self.fail(f"{value!r} is none of {self.name}.", param, ctx)


def output(ctx, param, value):
    """A file that can be written, known before the work is done."""
    if value is None:
        return None
    path = Path(value)
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder.", ctx, param)
    if not path.parent.is_dir():
        raise click.BadParameter(f"the folder {path.parent} does not exist.", ctx, param)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.BadParameter(f"{path} can't be written.", ctx, param)
    return path


def spared(given, *outputs):
    """Raise where an output would take the place of a file that is read."""
    for path in outputs:
        if path is not None and path.is_file() and Path(given).exists() and path.samefile(given):
            raise ValueError(f"{path} is a file that is read: write to another one.")


def picture(ctx, param, value):
    """A file that matplotlib can draw to."""
    path = output(ctx, param, value)
    if path is not None:
        if importlib.util.find_spec("matplotlib") is None:
            raise click.BadParameter("drawing needs matplotlib: python -m pip install 'fastgd[plot]'", ctx, param)
        from matplotlib.figure import Figure

        formats = sorted(Figure().canvas.get_supported_filetypes())
        if path.suffix[1:].lower() not in formats:
            raise click.BadParameter(f"{path} must end in one of .{', .'.join(formats)}.", ctx, param)
    return path


def delimiter(ctx, param, value):
    """One character; "tab" for that."""
    value = {"tab": "\t", "\\t": "\t"}.get(value, value)
    if value is not None and (len(value) != 1 or value in "\r\n\"'"):
        raise click.BadParameter(f"{value!r} must be one character, or the word tab.", ctx, param)
    return value


@contextlib.contextmanager
def progress(shown, source, what):
    """A bar for reading a file; yields what to tell how far it is."""
    if not shown:
        yield lambda done: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("--progress needs tqdm: python -m pip install 'fastgd[progress]'") from None
    with tqdm(total=source.total, unit=source.unit, unit_scale=True, desc=what) as bar:
        yield lambda done: bar.update(done - bar.n)


def is_shown(asked, path, quiet=False):
    """Whether progress is shown: as asked, else for long files on a terminal."""
    if asked is not None:
        return asked
    return not quiet and sys.stderr.isatty() and Path(path).stat().st_size > SHOW_BYTES


def load(path):
    """A saved model, or an error that names the file."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        return fastgd.load(path)
    except Exception as error:
        raise ValueError(f"{path} is no model that fit --save wrote, or is damaged: {error}") from None


FORMAT = [
    click.option("--delimiter", callback=delimiter, help="What separates the fields of a text file [default: ,]."),
    click.option("--progress/--no-progress", "shown", default=None, help="Show progress on stderr, or don't."),
]
MODEL = [
    click.option("--target", required=True, help="The column to predict."),
    click.option("--loss", default="squared_error", show_default=True, help="squared_error, huber, log_loss, ..."),
    click.option("--optimizer", default="auto", show_default=True, help="auto, sgd, momentum, adam, ..."),
    click.option("--batch-size", type=WordOr(int, {"auto": "auto", "full": None}), default="auto", show_default=True),
    click.option("--alpha", type=float, default=0.0, help="Strength of the penalty."),
    click.option("--l1-ratio", type=float, default=0.0, help="The penalty's share of L1: 0 is ridge, 1 lasso."),
    click.option("--weight", metavar="COL", help="The column of the rows' weights."),
    click.option("--drop", metavar="COL", multiple=True, help="Leave a column out (again for more, or A,B)."),
    click.option("--columns", metavar="A,B", help="Fit on these columns [default: all but the target]."),
    click.option("--no-intercept", is_flag=True),
    click.option("--seed", type=int, help="Of the row order."),
    click.option("--threads", type=int, help="At most so many."),
    click.option("--float32", is_flag=True, help="Half the memory, and faster; about 6 digits."),
]


def options(*found):
    """A decorator that adds options, in their order."""

    def add(function):
        for option in reversed(found):
            function = option(function)
        return function

    return add


@click.group(cls=Program, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fastgd.__version__, prog_name="fastgd")
def app():
    """Gradient descent at memory speed: fit linear models to tables, with no learning rate to guess."""


@app.command()
@click.argument("file")
@options(*MODEL)
@click.option("--learning-rate", type=WordOr(float, {"auto": "auto"}, free=True), default="auto", show_default=True)
@click.option("--epochs", type=WordOr(int, {"auto": "auto"}), default="auto", show_default=True)
@click.option("--tol", type=WordOr(float, {"auto": "auto", "none": None}), default="auto", show_default=True)
@click.option("--validation", type=float, metavar="SHARE", help="Hold out so much of the rows, e.g. 0.1.")
@click.option("--standardize/--no-standardize", default=None, help="Scale the columns [default: with an auto rate].")
@click.option("--average", is_flag=True, help="Average the weights (Polyak).")
@click.option("--save", metavar="MODEL.npz", callback=output, help="Save the model, for predict.")
@click.option("--plot", metavar="PICTURE", callback=picture, help="Draw the loss of each epoch.")
@click.option("--quiet", is_flag=True, help="No report.")
@options(*FORMAT)
@click.pass_context
def fit(ctx, file, **given):
    """Fit a linear model to a table.

    FILE is a .csv or .tsv file with a header line (also .gz, .bz2, .xz) or a .parquet file. The model takes all columns
    but the target, unless told otherwise; they must hold numbers (truth values count as 0 and 1).
    """
    from . import report

    spared(file, given["save"], given["plot"])
    asked = fit_options(given)
    X, y, weight, shown = read(file, given, check(asked).loss.labels, given["quiet"])
    result = fastgd.fit(X, y, sample_weight=weight, verbose=int(shown), **asked)
    if not given["quiet"]:
        click.echo(report.fitted(result, len(X), X.dtypes.iloc[0]))
    diverged = result.status == "diverged"
    if diverged:
        kept = "" if given["save"] is None else " The model is not saved."
        say(ctx.command_path, f"diverged: {result.message}{kept}")
    if given["save"] is not None and not diverged:
        result.save(given["save"])
    if given["plot"] is not None:
        draw(result, given["plot"])
    return {"diverged": DIVERGED, "interrupted": INTERRUPTED}.get(result.status, 0)


@app.command("lr-find")
@click.argument("file")
@options(*MODEL)
@click.option("--start", type=WordOr(float, {"auto": "auto"}), default="auto", show_default=True, help="First rate.")
@click.option("--stop", type=WordOr(float, {"auto": "auto"}), default="auto", show_default=True, help="Last rate.")
@click.option("--num", type=int, default=100, show_default=True, help="Steps.")
@click.option("--rule", type=click.Choice(RULES), help="Print the rate of this rule alone.")
@click.option("--plot", metavar="PICTURE", callback=picture, help="Draw the loss against the rate.")
@options(*FORMAT)
@click.pass_context
def lr_find(ctx, file, **given):
    """Find a learning rate for fit.

    Takes steps at growing rates, and reads off the curve of the loss which rate is good. FILE is as for fit; give fit
    the same options and --learning-rate.
    """
    from ..linear.lr_find import checked_span
    from . import report

    spared(file, given["plot"])
    asked = model_options(given)
    labels = check(asked).loss.labels
    span = {name: given[name] for name in ("start", "stop", "num")}
    checked_span(**span)
    X, y, weight, shown = read(file, given, labels)
    result = fastgd.lr_find(X, y, sample_weight=weight, verbose=int(shown), **span, **asked)
    if given["plot"] is not None:
        draw(result, given["plot"])
    if given["rule"] is not None:
        click.echo(f"{result.suggestion(given['rule']):.6g}")
        return 0
    click.echo(report.suggestions(result))
    if not result.suggestions:
        say(ctx.command_path, f"{result.status}: {result.message}")
    return 0 if result.suggestions else DIVERGED


def read(file, given, labels, quiet=False):
    """A table as arguments of a fit: its columns as a frame, targets, weights; and whether progress is shown."""
    from . import tables
    from .files import open_table

    source = open_table(file, given["delimiter"])
    columns = tables.chosen_columns(source, given["target"], given["columns"], given["drop"], given["weight"])
    shown = is_shown(given["shown"], file, quiet)
    dtype = np.dtype("float32" if given["float32"] else "float64")
    with progress(shown, source, "reading") as told:
        table = tables.read(source, columns, given["target"], labels, given["weight"], dtype, told)
    return tables.pd.DataFrame(table.X, columns=table.names, copy=False), table.y, table.weight, shown


def model_options(given):
    """The options that say what is fitted as arguments of ``fastgd.fit``."""
    asked = {name: given[name] for name in ("loss", "optimizer", "batch_size", "alpha", "l1_ratio")}
    return asked | {
        "fit_intercept": not given["no_intercept"],
        "random_state": given["seed"],
        "n_threads": given["threads"],
    }


def fit_options(given):
    """The options of the command as arguments of ``fastgd.fit``."""
    asked = model_options(given) | {name: given[name] for name in ("learning_rate", "epochs", "tol")}
    optional = {name: given[name] for name in ("validation", "standardize")} | {"average": given["average"] or None}
    return asked | {name: value for name, value in optional.items() if value is not None}


def check(asked):
    """Check the arguments before a long file is read for nothing."""
    from ..inputs.settings import Settings

    arguments = inspect.signature(fastgd.fit).parameters
    known = {name: arguments[name].default for name in Settings.__dataclass_fields__ if name in arguments}
    return Settings.checked(**known | {name: value for name, value in asked.items() if name in known})


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


@app.command()
@click.argument("model")
@click.argument("file")
@click.option("--out", metavar="PREDICTIONS.csv", callback=output, help="Where to write [default: stdout].")
@click.option("--score", is_flag=True, help="The linear scores, not the predictions.")
@options(*FORMAT)
def predict(model, file, out, score, delimiter, shown):
    """Predict every row of a table.

    MODEL.npz is what fit --save wrote. Its columns are found in FILE by their names; other columns don't matter.
    """
    from . import tables
    from .files import open_table

    spared(file, out)
    spared(model, out)
    result = load(model)
    source = open_table(file, delimiter)
    columns = tables.model_columns(source, result.feature_names, result.coef.shape[-1])
    answer, word = (result.decision_function, "score") if score else (result.predict, "prediction")
    header = False
    with writing(out) as stream, progress(is_shown(shown, file), source, "predicting") as told:
        writer = csv.writer(stream, lineterminator="\n")
        for values, _, done in tables.numbers(source, columns, for_model=True):
            found = np.asarray(answer(values))
            if not header:
                writer.writerow([word] if found.ndim == 1 else [f"{word}_{k}" for k in range(found.shape[1])])
                header = True
            writer.writerows(found.reshape(len(found), -1).tolist())
            told(done)


@contextlib.contextmanager
def writing(path):
    """Stdout, or a file that takes the place of an older one only when all is written."""
    if path is None:
        yield sys.stdout
    elif path.exists() and not path.is_file():  # a device or a pipe
        with open(path, "w", encoding="utf-8", newline="") as stream:
            yield stream
    else:
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with open(part, "w", encoding="utf-8", newline="") as stream:
                yield stream
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


@app.command()
@click.argument("model", required=False)
def info(model):
    """Show what fastgd runs on, or a saved model."""
    if model is None:
        fastgd.show_config()
        return
    from . import report

    result = load(model)
    click.echo(f"{result!r}\n\n{report.coefficients(result)}")


@app.command()
@click.option("--loss", multiple=True, default=["squared_error"], show_default=True, help="Again for more.")
@click.option("--optimizer", multiple=True, default=["auto"], show_default=True, help="Again for more.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), multiple=True, default=["float32", "float64"])
@click.option("--batch-size", type=WordOr(int, {"full": 0}), multiple=True, default=["full", "32", "1"])
@click.option("--penalty", is_flag=True, help="Also with alpha.")
def warmup(loss, optimizer, dtype, batch_size, penalty):
    """Compile the kernels of the usual fits ahead."""
    from ..config import warmed

    batches = [size or None for size in batch_size]
    began, compiled = time.perf_counter(), 0
    for done in warmed(loss, optimizer, dtype, batches, (False, True) if penalty else (False,), "auto"):
        size = done["batch_size"] or "full"
        words = f"{done['loss']}, {done['optimizer']}, {done['dtype']}, batch size {size}"
        words += ", penalty" if done["penalty"] else ""
        click.echo(f"{done['seconds']:6.1f} s  {words}: {done['compiled']} compiled, {done['loaded']} loaded")
        compiled += done["compiled"]
    cache = fastgd.show_config(mode="dicts")["cache"]
    place = f"the cache is {cache['path']}" if cache["path"] else "no place for a cache is writable"
    click.echo(f"{time.perf_counter() - began:6.1f} s  {compiled} kernel combinations compiled; {place}")


@app.command()
@click.option("--picture", default="fastgd_demo.png", show_default=True, help="Where to save the loss curves.")
def demo(picture):
    """Fit 327,346 real flights, print a table, save a picture."""
    from . import demo

    demo.main(picture)


from . import sweep  # noqa: E402, F401 (a command in a file of its own, which takes what is above)
