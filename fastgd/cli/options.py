"""The options of the commands: those of ``fastgd.fit`` with its defaults, and those of files."""

import importlib.util
import math
import os
from inspect import isfunction
from pathlib import Path

import click
import numpy as np
from click.core import ParameterSource

from ..inputs.options import FitOptions, defaults, names
from ..parts import losses, optimizers, schedules
from ..parts.registry import snake_case, unknown
from .encoding import FILLS

MOST = 100_000  # values of a list and runs of a sweep: more is a slip of the keyboard
DEFAULTS = defaults()
WORDS = {"\t": "tab", " ": "space"}  # delimiters by name
MEANINGS = {"full": None, "none": None}  # words that are values of their own


def checked(given):
    """Options of a fit, each in its canonical form, or an error that names one: before a long file is read."""
    return FitOptions.checked({name: value for name, value in given.items() if name in DEFAULTS})


# Types --------------------------------------------------------------------------------------------------------------


def number_or(number, *words, or_name=False):
    """A type: a number, one of some words, and with ``or_name`` any other text."""
    metavar = "|".join([*words, "N" if number is int else "NUMBER", *["NAME"] * or_name])

    def convert(value):
        if not isinstance(value, str) or value in words:
            return MEANINGS.get(value, value)
        try:
            return number(value)
        except ValueError:
            if or_name:
                return value
            raise click.BadParameter(f"{value!r} is none of {metavar}.") from None

    convert.__name__ = metavar
    return convert


def part_of(argument, module):
    """A type: the name of a part, perhaps with fields, NAME:FIELD=VALUE; the first one's name may be left out."""

    def convert(value):
        if not isinstance(value, str) or ":" not in value:
            return value
        name, *fields = map(str.strip, value.split(":"))
        known = {snake_case(one): getattr(module, one) for one in module.__all__}
        if name not in known:
            raise click.BadParameter(str(unknown(argument, name, list(known))).partition("=")[2])
        return known[name](**fields_of(name, known[name]._fields, fields))

    convert.__name__ = "NAME[:FIELD=VALUE]"
    return convert


def fields_of(name, known, given):
    """The fields of a part, {name: number}, from texts FIELD=VALUE, or VALUE for the field at that place."""
    found = {}
    for k, text in enumerate(given):
        field, equals, value = text.rpartition("=")
        field = field.strip() if equals else known[min(k, len(known) - 1)]
        if field not in known or field in found:
            what = "twice" if field in found else f"{field!r}, which it does not have"
            raise click.BadParameter(f"{name} is given the field {what}: its fields are {', '.join(known)}.")
        try:
            found[field] = float(value)
        except ValueError:
            if field != "then":  # of a warm-up, another schedule
                raise click.BadParameter(f"{value!r} is no number for the field {field} of {name}.") from None
            found[field] = value.strip()
    return found


def rate(value):
    """A number, "auto", or a schedule."""
    try:
        return float(value)
    except (TypeError, ValueError):
        valid = ["auto", *map(snake_case, schedules.__all__)]
        if not isinstance(value, str) or value in valid:
            return value
        if value.partition(":")[0] not in valid:
            text = str(unknown("learning_rate", value, valid)).partition("=")[2]
            raise click.BadParameter(text.rstrip(".") + ", or a number.") from None
        return SCHEDULE(value)


def bounds(value):
    """The limits of all coefficients, from LOW:HIGH; one of them may be left out."""
    if not isinstance(value, str):
        return value
    low, colon, high = value.partition(":")
    try:
        found = float(low or -math.inf), float(high or math.inf)
    except ValueError:
        colon = ""
    if not colon:
        raise click.BadParameter(f"{value!r} must be LOW:HIGH, two numbers, e.g. 0: for no negative coefficient.")
    return found


def fill(value):
    """What takes the place of missing values: a word of ``FILLS`` or a number."""
    if value in (None, *FILLS):
        return value
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"{value!r} is none of {', '.join(FILLS)} or a finite number.")
    return number


def is_range(text):
    """Whether a text is START:STOP:COUNT, or was meant so: parts begin with a name."""
    try:
        return bool(float(text.partition(":")[0]) or True) and ":" in text
    except ValueError:
        return False


def single(kind, metavar, ranges=True):
    """A type: one value of those of which ``sweep`` takes a list or a range."""
    kind = click.types.convert_type(kind)

    def convert(value):
        if isinstance(value, str) and ("," in value or (ranges and is_range(value))):
            hint = f"; {metavar} is one" if metavar == "LOW:HIGH" else ""
            raise click.BadParameter(f"{value!r} is several values: pass one, or all to fastgd sweep{hint}.")
        return kind.convert(value, None, None)

    convert.__name__ = metavar
    return convert


def list_of(kind, ranges):
    """A type: values with commas in between, with ``ranges`` also start:stop:count; one value is no list."""
    kind, metavar = click.types.convert_type(kind), getattr(kind, "__name__", "")

    def convert(value):
        if not isinstance(value, str):
            return value
        found = []
        for text in map(str.strip, value.split(",")):
            if not text:
                raise click.BadParameter(f"{value!r} has an empty place: put one comma between values.")
            found += range_of(text) if ranges and is_range(text) else [kind.convert(text, None, None)]
        return found if len(found) > 1 else found[0]

    convert.__name__ = "A,B,...|START:STOP:COUNT" if ranges else "A,B,..."
    convert.__name__ += " (LOW:HIGH each)" if metavar == "LOW:HIGH" else ""
    return convert


def range_of(text):
    """The values that ``start:stop:count`` spells, in equal ratios."""
    try:
        start, stop, count = text.split(":")
        start, stop, count = float(start), float(stop), int(count)
    except ValueError:
        words = "must be START:STOP:COUNT, e.g. 1e-4:1:16, two numbers and how many."
        raise click.BadParameter(f"{text!r} {words}") from None
    if not 1 <= count <= MOST:
        raise click.BadParameter(f"{text!r} asks for {count} values: the count must be 1 to {MOST:,}.")
    if not (0 < start < math.inf and 0 < stop < math.inf):
        hint = f" 0 is a value of its own: 0,{stop:g}:1:{count}." if start == 0 < stop < 1 else ""
        raise click.BadParameter(f"{text!r} goes in equal ratios: both ends must be finite and above 0.{hint}")
    return np.geomspace(start, stop, count).tolist()


def character(ctx, param, value):
    """One character; "tab" and "space" for those."""
    value = {"\\t": "\t", **{word: mark for mark, word in WORDS.items()}}.get(value, value)
    if value is not None and (len(value) != 1 or value in '\r\n"' or (param.name == "delimiter" and value == "'")):
        raise click.BadParameter(f"{value!r} must be one character, or the word tab or space.")
    if value is not None and param.name != "delimiter" and (value.isalnum() or value in "+-"):
        raise click.BadParameter(f"{value!r} is part of numbers themselves.")
    return value


def output(ctx, param, value):
    """A file that can be written, known before the work is done."""
    if value is None:
        return None
    path = Path(value)
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder.")
    if not path.parent.is_dir():
        raise click.BadParameter(f"the folder {path.parent} does not exist.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.BadParameter(f"{path} can't be written.")
    return path


def model_file(ctx, param, value):
    """A file that a model can be written to."""
    path = output(ctx, param, value)
    if path is not None and path.suffix != ".npz" and not (path.exists() and not path.is_file()):
        raise click.BadParameter(f"{path} must end in .npz: {path.with_suffix('.npz')}, for example.")
    return path


def saved_model(ctx, param, value):
    """A model that was saved, by its path."""
    return None if value is None else load(value)


def load(path):
    """A saved model, or an error that names the file."""
    import fastgd

    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        return fastgd.load(path)
    except Exception as error:
        raise ValueError(f"{path} is no model that fit --save wrote, or is damaged: {error}") from None


def picture(ctx, param, value):
    """A file that matplotlib can draw to."""
    path = output(ctx, param, value)
    if path is not None:
        if importlib.util.find_spec("matplotlib") is None:
            raise click.BadParameter("drawing needs matplotlib: python -m pip install 'fastgd[plot]'")
        from matplotlib.figure import Figure

        formats = sorted(Figure().canvas.get_supported_filetypes())
        if path.suffix[1:].lower() not in formats:
            raise click.BadParameter(f"{path} must end in one of .{', '.join(formats)}.")
    return path


def keep_inputs(inputs, outputs):
    """Raise where an output would take the place of a file that is read; other values than paths are no outputs."""
    there = [path for path in inputs if Path(path).exists()]
    for path in outputs:
        if isinstance(path, Path) and path.is_file() and any(map(path.samefile, there)):
            raise ValueError(f"{path} is a file that is read: write to another one.")


# Tables of options --------------------------------------------------------------------------------------------------


def option(flags, name=None, type=None, **words):
    """An option; the metavar of one of the types above is what it takes."""
    words.setdefault("metavar", getattr(type, "__name__", None) if isfunction(type) else None)
    return click.Option([*flags.split(), *([name] if name else [])], type=type, **words)


def fit_option(flags, name, **words):
    """The option of an argument of ``fastgd.fit``."""
    default, switch = DEFAULTS[name], "is_flag" in words or "/" in flags
    if switch and not isinstance(default, bool):  # click's switches are True, False or nothing
        callback = lambda ctx, param, value: default if value is None else value  # noqa: E731
        return option(flags, name, default=None, callback=callback, **words)
    return option(flags, name, default=default, show_default=not switch, **words)


SCHEDULE = part_of("learning_rate", schedules)
RATE = "auto|NUMBER|NAME[:FIELD=VALUE]"
_OF_FIT = (
    fit_option(
        "--loss",
        "loss",
        type=single(part_of("loss", losses), "NAME[:FIELD=VALUE]", ranges=False),
        help="squared_error, huber:delta=2, quantile:0.9, log_loss, multinomial, poisson, ...",
    ),
    fit_option(
        "--optimizer",
        "optimizer",
        type=single(part_of("optimizer", optimizers), "NAME[:FIELD=VALUE]", ranges=False),
        help="auto, newton, sgd, momentum, adam:beta1=0.8, ...",
    ),
    fit_option(
        "--learning-rate", "learning_rate", type=single(rate, RATE), help="A number, or a schedule such as cosine:0.1."
    ),
    fit_option("--batch-size", "batch_size", type=number_or(int, "auto", "full"), help="Rows a step."),
    fit_option("--alpha", "alpha", type=single(float, "FLOAT"), help="Strength of the penalty."),
    fit_option(
        "--l1-ratio", "l1_ratio", type=single(float, "FLOAT"), help="The penalty's share of L1: 0 is ridge, 1 lasso."
    ),
    fit_option(
        "--bounds",
        "bounds",
        type=single(bounds, "LOW:HIGH", ranges=False),
        help="Limits of the coefficients: 0: or -1:1.",
    ),
    fit_option("--seed", "random_state", type=int, help="Of the row order."),
    fit_option("--epochs", "epochs", type=number_or(int, "auto"), help="Passes over the rows, at most."),
    fit_option("--max-steps", "max_steps", type=int, help="Steps, at most."),
    fit_option("--tol", "tol", type=number_or(float, "auto", "none"), help="When a fit has converged."),
    fit_option(
        "--shuffle",
        "shuffle",
        type=click.Choice(["block", "full", "replacement", "none"]),
        help="The order of the rows.",
    ),
    fit_option("--validation", "validation", type=float, metavar="SHARE", help="Hold out so much of the rows: 0.1."),
    fit_option("--patience", "patience", type=int, metavar="EPOCHS", help="How long the loss may not improve."),
    fit_option("--intercept/--no-intercept", "fit_intercept"),
    fit_option("--standardize/--no-standardize", "standardize", help="Scale columns [default: with an auto rate]."),
    fit_option("--average", "average", is_flag=True, help="Average the weights (Polyak)."),
    fit_option("--threads", "n_threads", type=int, help="At most so many."),
)
OF_FIT = {made.name: made for made in _OF_FIT}  # by the argument's name
OTHERS = {"losses": "--loss", "optimizers": "--optimizer", "folder": "--cache"}
FLAGS = {name: made.opts[0] for name, made in OF_FIT.items()} | OTHERS
LISTS = tuple(name for name in OF_FIT if name in names(axis=True))
RANGES = ("learning_rate", "alpha", "l1_ratio")


def listed(name):
    """An option of ``fit`` that takes a list."""
    one = OF_FIT[name]
    kind = list_of(one.type, name in RANGES)
    return option(one.opts[0], name, kind, default=one.default, show_default=True, help=one.help)


TABLE = [
    click.Argument(["file"]),
    option("--target", required=True, help="The column to predict."),
]
OF_ROWS = {"weight": "sample_weight", "offset": "offset"}  # options that name a column, and the argument it becomes
OFFSET = option("--offset", metavar="COL", help="The column that is added to the linear score.")
BOOTSTRAP = fit_option(
    "--bootstrap", "bootstrap", type=int, metavar="N", help="95 % intervals from N drawings of the rows."
)
ROWS_AND_COLUMNS = [
    option("--weight", metavar="COL", help="The column of the rows' weights."),
    OFFSET,
    option("--drop", metavar="COL", multiple=True, help="Leave a column out (again for more, or A,B)."),
    option("--columns", metavar="A,B", help="Fit on these columns [default: all but the target]."),
    option(
        "--one-hot", metavar="COL", multiple=True, help="Make categories of a column of numbers too, or of many texts."
    ),
    option("--dropna", is_flag=True, help="Leave rows out that lack a value."),
    option(
        "--fill", type=fill, metavar="|".join([*FILLS, "NUMBER"]), help="Fill in missing values, but of the target."
    ),
    option("--float32", is_flag=True, help="Half the memory, and faster; about 6 digits."),
]
LARGE = [
    option("--cache", metavar="FOLDER", help="Write the rows there once, and read them from there."),
    option(
        "--dask",
        is_flag=False,
        flag_value="here",
        metavar="ADDRESS",
        help="Fit on a cluster [default: of this machine].",
    ),
]
READING = [
    option(
        "--delimiter", callback=character, metavar="CHAR", help="What separates fields [default: seen from the file]."
    ),
    option("--decimal", callback=character, metavar="CHAR", help="What is before decimals [default: .]."),
    option("--thousands", callback=character, metavar="CHAR", help="What separates thousands [default: nothing]."),
    option("--progress/--no-progress", "shown", default=None, help="Show progress on stderr, or don't."),
]


def fit_arguments(given):
    """What a command was given, as arguments of ``fastgd.fit``."""
    asked = {name: given[name] for name in (*OF_FIT, "bootstrap") if name in given}
    if asked.get("shuffle") == "none":
        asked["shuffle"] = False
    return asked


def resumed(ctx, past, asked):
    """The arguments of a fit that goes on with the run ``past``: those of that run, but what was given now."""
    from ..linear.kept_options import options_before

    given = {name for name in asked if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE}
    before = {**options_before(past.state, {}), "bounds": past.options["bounds"]}
    if before["validation"] == "data":
        raise ValueError("--resume: the run held out rows of their own, which it can't be given here.")
    found = {name: value for name, value in before.items() if name not in given}
    return {
        **found,
        **{name: value for name, value in asked.items() if name in given or name not in found},
        "resume": past,
    }
