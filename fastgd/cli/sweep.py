"""The command ``sweep``: lists of settings in, a table of their runs out."""

import math
from typing import NamedTuple

import click
import numpy as np

import fastgd

from ..inputs import arguments
from ..linear.scoring import scorer_of
from . import options, report
from .options import LISTS, MOST, OF_FIT, READING, ROWS_AND_COLUMNS, TABLE, listed, option
from .program import DIVERGED, INTERRUPTED, as_options, flag, say

BEST = 10  # runs that are printed unless all are asked for
CRITERIA = ("mean_score", "mean_loss", "validation_loss", "objective")  # what runs are compared by, as columns
FIRST = ("loss", "optimizer", "learning_rate")  # columns of the printed table


@click.command(
    params=[
        *TABLE,
        *(listed(name) for name in LISTS),
        option("--paired", is_flag=True, help="Pair the lists [default: every combination]."),
        option("--cv", type=int, metavar="K", help="Compare by cross-validation with K folds."),
        option("--scoring", metavar="NAME", help="With --cv, compare by a scorer of scikit-learn, e.g. r2."),
        option("--keep", type=click.Choice(["halving"]), help="Drop the worse half after epochs 1, 2, 4, ..."),
        *(made for name, made in OF_FIT.items() if name not in LISTS),
        *ROWS_AND_COLUMNS,
        option("--all", "every", is_flag=True, help=f"Print all runs [default: the best {BEST}]."),
        option("--table", metavar="TABLE.csv", callback=options.output, help="Write the table of all runs."),
        option("--save", metavar="MODEL.npz", callback=options.model_file, help="Save the best model, for predict."),
        option("--simplest", is_flag=True, help="With --cv, save the simplest within one standard error."),
        option("--plot", metavar="PICTURE", callback=options.picture, help="Draw the losses."),
        option("--quiet", is_flag=True, help="No report."),
        *options.LARGE,
        *READING,
    ]
)
@click.pass_context
def sweep(ctx, file, **given):
    """Fit a linear model with many settings, all in one pass over the table.

    FILE is a table as for fit. Lists have commas, 0.01,0.1,1; a range of equal ratios is START:STOP:COUNT, 1e-4:1:16.
    Every combination of the lists is a run.
    """
    from . import files, source_files, tables
    from .data import data_of

    asked = options.fit_arguments(given)
    own = sweep_arguments(given, asked)
    data = data_of(file, given, has_classes(asked))
    asked = {name: asked[name] for name in [*filter(asked.get, FIRST), *asked]}
    where = ctx.with_resource(source_files.engine(given["dask"]))
    result = fastgd.sweep(data.X, data.y, **data.of_rows, verbose=data.verbose(given["quiet"]), **asked, **own, **where)
    ranking = Ranking.of(result)
    if not given["quiet"]:
        click.echo(f"{ranking.text(None if given['every'] else BEST)}\n\n{ranking.sentence()}")
    if given["table"] is not None:
        with files.writing(given["table"]) as stream:
            tables.pd.DataFrame(ranking.columns).to_csv(stream, index=False, na_rep="nan")
    if given["plot"] is not None:
        report.draw(result, given["plot"], panels=1 if given["cv"] else 2)
    interrupted = "interrupted" in result.status
    if ranking.diverged == len(ranking.order):
        kept = "" if given["save"] is None else " No model is saved."
        say(ctx.command_path, f"diverged: every run. Give smaller rates, or --standardize.{kept}")
        return DIVERGED
    if given["save"] is not None:
        if given["cv"] and interrupted:
            say(ctx.command_path, "interrupted: the model is fitted after all folds. No model is saved.")
            return INTERRUPTED
        chosen = result.simplest_index if given["simplest"] else ranking.order[0]
        model = result.refit(chosen) if given["cv"] else result.results[chosen]
        if model.status == "diverged":
            say(ctx.command_path, f"diverged on all rows: {model.message} No model is saved.")
            return DIVERGED
        data.kept_with(model).save(given["save"])
    return INTERRUPTED if interrupted else 0


def sweep_arguments(given, asked):
    """What was given that are arguments of ``fastgd.sweep`` alone."""
    for name in ("scoring", "simplest"):
        if given[name] and given["cv"] is None:
            raise ValueError(f"--{name} is for cross-validation: pass --cv too, e.g. --cv 5.")
    if given["simplest"] and given["save"] is None:
        raise ValueError("--simplest chooses what is saved: pass --save too.")
    losses = asked.get("loss")
    if given["save"] is not None and given["scoring"] is None and isinstance(losses, list) and len(set(losses)) > 1:
        raise ValueError(
            "--save: runs of different losses have no best one, as their values have different units: pass --cv 5 and "
            "--scoring r2 (of classes accuracy) too."
        )
    if given["cv"] is not None:
        arguments.whole("cv", given["cv"], 2)
        if given["validation"] is not None:
            raise ValueError("--validation and --cv both hold rows out: pass one of them.")
    scorer_of(given["scoring"])
    sizes = {name: len(value) for name, value in asked.items() if isinstance(value, list)}
    if given["paired"] and len(set(sizes.values())) > 1:
        found = ", ".join(f"{flag(name)[2:]} {size}" for name, size in sizes.items())
        raise ValueError(f"--paired needs lists as long as each other, got {found}.")
    runs = max(sizes.values(), default=1) if given["paired"] else math.prod(sizes.values())
    if runs > MOST:
        raise ValueError(
            f"{runs:,} combinations are more than {MOST:,}: shorten the lists, or pair them with --paired."
        )
    return {"product": not given["paired"], **{name: given[name] for name in ("cv", "scoring", "keep")}}


def has_classes(asked):
    """Whether the target holds classes; every value is checked before a long file is read for nothing."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in asked.items()}
    first, losses = {name: values[0] for name, values in lists.items()}, {}
    for name, values in lists.items():
        for value in values:
            checked = options.checked(first | {name: value})
            if name == "loss":
                losses[checked.loss.labels] = value
    if len(losses) > 1:
        raise ValueError(f"--loss: {losses[True]} is for classes and {losses[False]} for numbers: sweep them apart.")
    return True in losses


class Ranking(NamedTuple):
    """The runs of a sweep, the best first."""

    result: object
    columns: dict  # the table, one entry a run
    order: list
    criterion: str  # what runs are compared by, a name of the table
    diverged: int  # how many

    @classmethod
    def of(cls, result):
        """Of a sweep."""
        status = result.status
        columns = {name: ["full" if value is None else value for value in of] for name, of in result.table().items()}
        criterion = next(name for name in CRITERIA if name in columns)
        # The last finite weights of a run that diverged are no model, whatever their loss is.
        order = list(range(len(status)))
        if result.comparability.refusal is None:
            order = np.lexsort((np.nan_to_num(result.losses, nan=np.inf), np.array(status) == "diverged")).tolist()
        return cls(result, columns, order, criterion, status.count("diverged"))

    def text(self, most):
        """The table of the best runs, without the single folds."""
        shown = {name: of for name, of in self.columns.items() if not name.startswith("fold_")}
        return report.table(
            [tuple(shown), *(tuple(report.short(of[k]) for of in shown.values()) for k in self.order[:most])]
        )

    def sentence(self):
        """What is best, and how many diverged."""
        mean = "mean" in self.criterion
        runs, what = len(self.order), "settings" if mean else "runs"
        if self.diverged == runs:
            return f"All {runs} {what} diverged." if runs > 1 else "The run diverged."
        if self.result.comparability.refusal:
            return self.note()
        best = self.order[0]
        reached = self.criterion.replace("_", " ")
        value = report.short(self.columns[self.criterion][best])
        text = f"Best: {'an' if reached == 'objective' else 'a'} {reached} of {value}"
        if mean:
            text += f" ± {report.short(self.columns['standard_error'][best])}"
        text += self.settings_of(" with ", best)
        if mean:
            text += self.settings_of("; the simplest within one standard error: ", self.result.simplest_index)
        text = f"{text}; {self.diverged or 'none'} of {runs} {what} diverged." if runs > 1 else f"{text}."
        return f"{text}\n{self.note()}" if self.result.comparability.caution else text

    def note(self):
        """What to know before runs are compared, for a shell."""
        text = as_options(self.result.comparability.note)
        return text[0].upper() + text[1:]

    def settings_of(self, start, k):
        """The settings of a run that vary, after some words."""
        found = ", ".join(f"{name}={report.short(self.columns[name][k])}" for name in self.result.settings)
        return f"{start}{found}" if found else ""
