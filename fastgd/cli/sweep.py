"""The command ``sweep``: lists of settings in, a table of their runs out."""

import csv
import math
from typing import NamedTuple

import click
import numpy as np

import fastgd

from ..inputs import arguments
from ..linear.scoring import scorer_of
from .app import DIVERGED, app, check, draw, fit, fit_options, output, picture, read, spared, writing
from .program import INTERRUPTED, OPTIONS, say

BEST = 10  # runs that are printed unless all are asked for
FIRST = ("loss", "optimizer", "learning_rate")
MOST = 100_000  # runs: more is a slip of the keyboard


class Many(click.ParamType):
    """Values with commas in between, and with ``ranges`` also start:stop:count in equal ratios; one is no list."""

    def __init__(self, kind, ranges=False):
        self.kind, self.ranges, self.name = click.types.convert_type(kind), ranges, "list"

    def get_metavar(self, param, ctx=None):
        """What a list looks like."""
        words = [*getattr(self.kind, "words", ()), *(["START:STOP:COUNT"] if self.ranges else [])]
        return f"A,B,...{''.join(f'|{word}' for word in words)}"

    def convert(self, value, param, ctx):
        """The values of an option's text."""
        if not isinstance(value, str):
            return value
        found = []
        for text in map(str.strip, value.split(",")):
            if not text:
                self.fail(f"{value!r} has an empty place: put one comma between values.", param, ctx)
            ranged = self.ranges and ":" in text
            found += self.steps(text, param, ctx) if ranged else [self.kind.convert(text, param, ctx)]
        return found if len(found) > 1 else found[0]

    def steps(self, text, param, ctx):
        """The values that ``start:stop:count`` spells."""
        try:
            start, stop, count = text.split(":")
            start, stop, count = float(start), float(stop), int(count)
        except ValueError:
            self.fail(f"{text!r} must be START:STOP:COUNT, e.g. 1e-4:1:16, two numbers and how many.", param, ctx)
        if not 1 <= count <= MOST:
            self.fail(f"{text!r} asks for {count} values: the count must be 1 to {MOST:,}.", param, ctx)
        if not (0 < start < math.inf and 0 < stop < math.inf):
            hint = f" 0 is a value of its own: 0,{stop:g}:1:{count}." if start == 0 < stop < 1 else ""
            self.fail(f"{text!r} goes in equal ratios: both ends must be finite and above 0.{hint}", param, ctx)
        return np.geomspace(start, stop, count).tolist()


def shared(*names):
    """Options of ``fit``, as they are."""
    return [param for param in fit.params if param.name in names]


def listed(name, help, ranges=False):
    """An option of ``fit`` that takes a list."""
    (param,) = shared(name)
    words = {"default": param.default, "show_default": param.show_default, "help": help}
    return click.Option(param.opts, type=Many(param.type, ranges), **words)


PARAMETERS = [
    *shared("file", "target"),
    listed("learning_rate", "Rates or schedules.", ranges=True),
    listed("alpha", "Strengths of the penalty.", ranges=True),
    listed("l1_ratio", "The penalty's shares of L1.", ranges=True),
    listed("loss", "squared_error, huber, ..."),
    listed("optimizer", "auto, sgd, adam, ..."),
    listed("batch_size", "Rows a step."),
    listed("seed", "Of the row order."),
    click.Option(["--paired"], is_flag=True, help="Pair the lists [default: every combination]."),
    click.Option(["--cv"], type=int, metavar="K", help="Compare by cross-validation with K folds."),
    click.Option(["--scoring"], metavar="NAME", help="With --cv, compare by a scorer of scikit-learn, e.g. r2."),
    click.Option(["--keep"], type=click.Choice(["halving"]), help="Drop the worse half after epochs 1, 2, 4, ..."),
    *shared("epochs", "tol", "validation", "weight", "drop", "columns", "no_intercept", "standardize", "average"),
    *shared("threads", "float32"),
    click.Option(["--all", "every"], is_flag=True, help=f"Print all runs [default: the best {BEST}]."),
    click.Option(["--table"], metavar="TABLE.csv", callback=output, help="Write the table of all runs."),
    click.Option(["--save"], metavar="MODEL.npz", callback=output, help="Save the best model, for predict."),
    click.Option(["--simplest"], is_flag=True, help="With --cv, save the simplest within one standard error."),
    click.Option(["--plot"], metavar="PICTURE", callback=picture, help="Draw the losses."),
    *shared("quiet", "delimiter", "shown"),
]


@app.command(params=PARAMETERS)
@click.pass_context
def sweep(ctx, file, **given):
    """Fit a linear model with many settings, all in one pass over the table.

    FILE is a table as for fit. Lists have commas, 0.01,0.1,1; a range of equal ratios is START:STOP:COUNT, 1e-4:1:16.
    Every combination of the lists is a run.
    """
    spared(file, given["save"], given["plot"], given["table"])
    asked = fit_options(given)
    options = sweep_options(given, asked)
    X, y, weight, shown = read(file, given, labels(asked), given["quiet"])
    asked = {name: asked[name] for name in [*filter(asked.get, FIRST), *asked]}  # the table's first columns
    result = fastgd.sweep(X, y, sample_weight=weight, verbose=int(shown), **asked, **options)
    ranking = Ranking.of(result, given["scoring"] is not None)
    if not given["quiet"]:
        click.echo(f"{ranking.text(None if given['every'] else BEST)}\n\n{ranking.sentence()}")
    if given["table"] is not None:
        with writing(given["table"]) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(ranking.columns)
            writer.writerows(zip(*ranking.columns.values(), strict=True))
    if given["plot"] is not None:
        draw(result, given["plot"], panels=1 if given["cv"] else 2)
    diverged = ranking.diverged == len(ranking.order)
    if diverged:
        kept = "" if given["save"] is None else " No model is saved."
        say(ctx.command_path, f"diverged: every run. Give smaller rates, or --standardize.{kept}")
    elif given["save"] is not None:
        chosen = result.simplest_index if given["simplest"] else ranking.order[0]
        if given["cv"] and "interrupted" in result.status:
            say(ctx.command_path, "interrupted: the model is fitted after all folds. No model is saved.")
            ctx.exit(INTERRUPTED)
        model = result.refit(chosen) if given["cv"] else result.results[chosen]
        diverged = model.status == "diverged"
        if diverged:
            say(ctx.command_path, f"diverged on all rows: {model.message} No model is saved.")
        else:
            model.save(given["save"])
    return DIVERGED if diverged else INTERRUPTED if "interrupted" in result.status else 0


def sweep_options(given, asked):
    """The options of the command that are arguments of ``fastgd.sweep`` alone."""
    for name in ("scoring", "simplest"):
        if given[name] and given["cv"] is None:
            raise ValueError(f"--{name} is for cross-validation: pass --cv too, e.g. --cv 5.")
    if given["simplest"] and given["save"] is None:
        raise ValueError("--simplest chooses what is saved: pass --save too.")
    if given["cv"] is not None:
        arguments.whole("cv", given["cv"], 2)
        if given["validation"] is not None:
            raise ValueError("--validation and --cv both hold rows out: pass one of them.")
    scorer_of(given["scoring"])
    sizes = {name: len(value) for name, value in asked.items() if isinstance(value, list)}
    if given["paired"] and len(set(sizes.values())) > 1:
        found = ", ".join(f"{OPTIONS.get(name, name).replace('_', '-')} {size}" for name, size in sizes.items())
        raise ValueError(f"--paired needs lists as long as each other, got {found}.")
    runs = max(sizes.values(), default=1) if given["paired"] else math.prod(sizes.values())
    if runs > MOST:
        raise ValueError(
            f"{runs:,} combinations are more than {MOST:,}: shorten the lists, or pair them with --paired."
        )
    return {"product": not given["paired"], **{name: given[name] for name in ("cv", "scoring", "keep")}}


def labels(asked):
    """Whether the target holds classes; every value is checked before a long file is read for nothing."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in asked.items()}
    first, kinds = {name: values[0] for name, values in lists.items()}, {}
    for name, values in lists.items():
        for value in values:
            settings = check(first | {name: value})
            if name == "loss":
                kinds[settings.loss.labels] = value
    if len(kinds) > 1:
        raise ValueError(f"--loss: {kinds[True]} is for classes and {kinds[False]} for numbers: sweep them apart.")
    return True in kinds


class Ranking(NamedTuple):
    """The runs of a sweep, the best first."""

    result: object
    columns: dict  # the table, one entry a run
    order: list
    measure: str  # what runs are compared by, a name of the table
    diverged: int  # how many

    @classmethod
    def of(cls, result, scored):
        """Of a sweep; ``scored`` says that a scorer compared its runs."""
        status = result.status
        columns = {name: ["full" if value is None else value for value in of] for name, of in result.table().items()}
        measure = next(name for name in ("mean_loss", "validation_loss", "loss") if name in columns)
        if scored:  # larger is better, as the user knows it
            turned = [name for name in columns if name == "mean_loss" or name.startswith("fold_")]
            columns |= {name: [-value for value in columns[name]] for name in turned}
            columns = {"mean_score" if name == "mean_loss" else name: of for name, of in columns.items()}
            measure = "mean_score"
        # The last finite weights of a run that diverged are no model, whatever their loss is.
        keys = [(s == "diverged", np.nan_to_num(v, nan=np.inf)) for s, v in zip(status, result.losses, strict=True)]
        return cls(result, columns, sorted(range(len(keys)), key=keys.__getitem__), measure, status.count("diverged"))

    def text(self, most):
        """The table of the best runs, without the single folds."""
        from . import report

        shown = {name: of for name, of in self.columns.items() if not name.startswith("fold_")}
        return report.table([tuple(shown), *(tuple(short(of[k]) for of in shown.values()) for k in self.order[:most])])

    def sentence(self):
        """What is best, and how many diverged."""
        runs, what = len(self.order), "settings" if "mean" in self.measure else "runs"
        if self.diverged == runs:
            return f"All {runs} {what} diverged." if runs > 1 else "The run diverged."
        best = self.order[0]
        text = f"Best: a {self.measure.replace('_', ' ')} of {short(self.columns[self.measure][best])}"
        if "mean" in self.measure:
            text += f" ± {short(self.columns['standard_error'][best])}"
        text += self.words(" with ", best)
        if "mean" in self.measure:
            text += self.words("; the simplest within one standard error: ", self.result.simplest_index)
        return f"{text}; {self.diverged or 'none'} of {runs} {what} diverged." if runs > 1 else f"{text}."

    def words(self, start, k):
        """The settings of a run that vary, after some words."""
        found = ", ".join(f"{name}={short(self.columns[name][k])}" for name in self.result.settings)
        return f"{start}{found}" if found else ""


def short(value):
    """A value in a few digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
