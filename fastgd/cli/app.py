"""The commands of ``python -m fastgd``: options in, a report out. Only the report goes to stdout."""

import time

import click

import fastgd

from ..inputs.options import names
from ..results.lr_rules import NAMES
from . import options, predict, sweep
from .options import OF_FIT, READING, ROWS_AND_COLUMNS, TABLE, option
from .program import DIVERGED, INTERRUPTED, Program, say

OF_LR_FIND = [made for name, made in OF_FIT.items() if name in names(not_range=None)]


@click.group(cls=Program, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fastgd.__version__, prog_name="fastgd")
def app():
    """Gradient descent at memory speed: fit linear models to tables, with no learning rate to guess."""


app.add_command(sweep.sweep)
app.add_command(predict.predict)


@app.command(
    params=[
        *TABLE,
        *OF_FIT.values(),
        options.BOOTSTRAP,
        option("--resume", metavar="MODEL.npz", callback=options.saved_model, help="Go on with the run of a model."),
        *ROWS_AND_COLUMNS,
        option("--save", metavar="MODEL.npz", callback=options.model_file, help="Save the model, for predict."),
        option("--plot", metavar="PICTURE", callback=options.picture, help="Draw the loss of each epoch."),
        option("--quiet", is_flag=True, help="No report."),
        *options.LARGE,
        *READING,
    ]
)
@click.pass_context
def fit(ctx, file, **given):
    """Fit a linear model to a table.

    FILE is a .csv, .tsv or .txt file with a header line (also .gz, .bz2, .xz) or a .parquet file, or a pattern of them
    in quotes, 'flights/*.parquet'. The model takes all columns but the target, unless told otherwise. Columns of text
    with up to 200 different values are categories, each a column of 0 and 1; truth values count as 0 and 1. Missing
    values are an error, unless --dropna or --fill says what to do. Parquet, a file above 64 MB, and the files of a
    pattern are read piece by piece for each pass: their rows need no memory.
    """
    from . import report, source_files
    from .data import check_same, data_of

    asked = options.fit_arguments(given)
    if (past := given["resume"]) is not None:
        asked = options.resumed(ctx, past, asked)
    data = data_of(file, given, options.checked(asked).loss.labels)
    if past is not None:
        check_same(data, past)
    where = ctx.with_resource(source_files.engine(given["dask"]))
    result = fastgd.fit(data.X, data.y, **data.of_rows, verbose=data.verbose(given["quiet"]), **asked, **where)
    result = data.kept_with(result)
    if not given["quiet"]:
        click.echo(report.fitted(result, data))
    diverged = result.status == "diverged"
    if diverged:
        say(ctx.command_path, f"diverged: {result.message}{' The model is not saved.' if given['save'] else ''}")
    elif given["save"] is not None:
        result.save(given["save"])
    if given["plot"] is not None:
        report.draw(result, given["plot"])
    return {"diverged": DIVERGED, "interrupted": INTERRUPTED}.get(result.status, 0)


@app.command(
    "lr-find",
    params=[
        *TABLE,
        *OF_LR_FIND,
        *ROWS_AND_COLUMNS,
        option("--start", type=options.number_or(float, "auto"), default="auto", show_default=True, help="First rate."),
        option("--stop", type=options.number_or(float, "auto"), default="auto", show_default=True, help="Last rate."),
        option("--num", type=int, default=100, show_default=True, help="Steps."),
        option("--rule", type=click.Choice(NAMES), help="Print the rate of this rule alone."),
        option("--plot", metavar="PICTURE", callback=options.picture, help="Draw the loss against the rate."),
        *options.LARGE,
        *READING,
    ],
)
@click.pass_context
def lr_find(ctx, file, **given):
    """Find a learning rate for fit.

    Takes steps at growing rates, and reads off the curve of the loss which rate is good. FILE is as for fit; give fit
    the same options and --learning-rate. Columns are scaled unless --no-standardize is given.
    """
    from ..linear.lr_find import checked_span
    from . import report, source_files
    from .data import data_of

    asked = options.fit_arguments(given)
    # Rates for raw columns of unlike sizes are useless ones: the largest column alone decides.
    asked["standardize"] = asked["standardize"] is not False
    labels = options.checked(asked).loss.labels
    span = {name: given[name] for name in ("start", "stop", "num")}
    checked_span(**span)
    data = data_of(file, given, labels)
    where = ctx.with_resource(source_files.engine(given["dask"]))
    result = fastgd.lr_find(data.X, data.y, **data.of_rows, verbose=data.verbose(), **span, **asked, **where)
    if given["plot"] is not None:
        report.draw(result, given["plot"])
    if given["rule"] is not None:
        click.echo(f"{result.suggestion(given['rule']):.6g}")
        return 0
    click.echo(report.suggestions(result))
    if result.suggestions:
        rate = f"{next(iter(result.suggestions.values())):.6g}"
        click.echo(f"\nFit with: {report.next_command(ctx, rate, asked['standardize'])}")
    if not result.suggestions:
        say(ctx.command_path, f"{result.status}: {result.message}")
    return 0 if result.suggestions else DIVERGED


@app.command()
@click.argument("model", required=False)
def info(model):
    """Show what fastgd runs on, or a saved model."""
    if model is None:
        fastgd.show_config()
        return
    from . import report

    result = options.load(model)
    about = report.table(report.of_encoding(result.encoding)) if result.encoding else ""
    click.echo("\n\n".join(filter(None, [repr(result), about, report.coefficients(result)])))


@app.command()
@click.option("--loss", multiple=True, default=["squared_error", "log_loss"], show_default=True, help="Again for more.")
@click.option("--optimizer", multiple=True, default=["auto"], show_default=True, help="Again for more.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), multiple=True, default=["float32", "float64"])
@click.option(
    "--batch-size", type=options.number_or(int, "full"), metavar="full|N", multiple=True, default=["full", "32", "1"]
)
@click.option("--penalty", is_flag=True, help="Also with alpha.")
@click.option("--sweeps/--no-sweeps", default=True, show_default=True, help="Also sweeps.")
def warmup(loss, optimizer, dtype, batch_size, penalty, sweeps):
    """Compile the kernels of the usual fits ahead."""
    from ..config import warm_up_each

    began, compiled = time.perf_counter(), 0
    also = [(False, True) if wanted else (False,) for wanted in (penalty, sweeps)]
    for done in warm_up_each(loss, optimizer, dtype, list(batch_size), also[0], ("auto", 0.1), also[1]):
        name = f"{done['loss']}, {done['optimizer']}, {done['dtype']}, batch size {done['batch_size'] or 'full'}"
        name += f", rate {done['learning_rate']}"
        name += "".join(f", {word}" for word in ("penalty", "sweep") if done[word])
        click.echo(f"{done['seconds']:6.1f} s  {name}: {done['compiled']} compiled, {done['loaded']} loaded")
        compiled += done["compiled"]
    cache = fastgd.show_config(mode="dicts")["cache"]
    place = f"the cache is {cache['path']}" if cache["path"] else "no place for a cache is writable"
    click.echo(f"{time.perf_counter() - began:6.1f} s  {compiled} kernel combinations compiled; {place}")


@app.command()
@click.option("--picture", default="fastgd_demo.png", show_default=True, help="Where to save the loss curves.")
@click.option("--save", metavar="FLIGHTS.csv", callback=options.output, help="Only write the flights to a file.")
@click.option("--every", type=int, default=1, help="With --save, only every so many-th of them.")
def demo(picture, save, every):
    """Fit 327,346 real flights, print a table, save two pictures."""
    from . import demo

    if save is not None:
        click.echo(demo.save(save, every))
        return
    demo.main(picture)
