"""The commands of ``python -m fastgd``: options in, a report out. Only the report goes to stdout."""

import time
from pathlib import Path

import click

import fastgd

from ..inputs.options import names
from ..results.answers import written
from ..results.lr_rules import NAMES
from . import options, sweep
from .options import OF_FIT, READING, ROWS_AND_COLUMNS, TABLE, option
from .program import DIVERGED, INTERRUPTED, Program, say

OF_LR_FIND = [made for name, made in OF_FIT.items() if name in names(not_range=None)]


@click.group(cls=Program, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fastgd.__version__, prog_name="fastgd")
def app():
    """Gradient descent at memory speed: fit linear models to tables, with no learning rate to guess."""


app.add_command(sweep.sweep)


@app.command(
    params=[
        *TABLE,
        *OF_FIT.values(),
        *ROWS_AND_COLUMNS,
        option("--save", metavar="MODEL.npz", callback=options.output, help="Save the model, for predict."),
        option("--plot", metavar="PICTURE", callback=options.picture, help="Draw the loss of each epoch."),
        option("--quiet", is_flag=True, help="No report."),
        *options.LARGE,
        *READING,
    ]
)
@click.pass_context
def fit(ctx, file, **given):
    """Fit a linear model to a table.

    FILE is a .csv or .tsv file with a header line (also .gz, .bz2, .xz) or a .parquet file, or a pattern of them in
    quotes, 'flights/*.parquet'. The model takes all columns but the target, unless told otherwise; they must hold
    numbers (truth values count as 0 and 1). Parquet, a file above 64 MB, and the files of a pattern are read piece by
    piece for each pass: their rows need no memory.
    """
    from . import report, source_files, tables

    asked = options.fit_arguments(given)
    data = tables.data_of(file, given, options.checked(asked).loss.labels)
    where = ctx.with_resource(source_files.engine(given["dask"]))
    result = fastgd.fit(data.X, data.y, **data.of_rows, verbose=int(data.shown), **asked, **where)
    if not given["quiet"]:
        click.echo(report.fitted(result, data.rows, data.dtype))
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
    the same options and --learning-rate.
    """
    from ..linear.lr_find import checked_span
    from . import report, source_files, tables

    asked = options.fit_arguments(given)
    labels = options.checked(asked).loss.labels
    span = {name: given[name] for name in ("start", "stop", "num")}
    checked_span(**span)
    data = tables.data_of(file, given, labels)
    where = ctx.with_resource(source_files.engine(given["dask"]))
    result = fastgd.lr_find(data.X, data.y, **data.of_rows, verbose=int(data.shown), **span, **asked, **where)
    if given["plot"] is not None:
        report.draw(result, given["plot"])
    if given["rule"] is not None:
        click.echo(f"{result.suggestion(given['rule']):.6g}")
        return 0
    click.echo(report.suggestions(result))
    if not result.suggestions:
        say(ctx.command_path, f"{result.status}: {result.message}")
    return 0 if result.suggestions else DIVERGED


@app.command(
    params=[
        click.Argument(["model"]),
        click.Argument(["file"]),
        option(
            "--out", metavar="PREDICTIONS.csv", callback=options.output, help="Or .parquet or .npy [default: stdout]."
        ),
        option("--score", is_flag=True, help="The linear scores, not the predictions."),
        options.OFFSET,
        *READING,
    ]
)
def predict(model, file, out, score, offset, delimiter, shown):
    """Predict every row of a table, or of many: FILE is as for fit.

    MODEL.npz is what fit --save wrote. Its columns are found in FILE by their names; other columns don't matter.
    """
    from . import files, tables

    result = load(model)
    if offset is None and result.state is not None and result.state.offset:
        raise ValueError(f"{model} was fitted with an offset: name the column of the new one with --offset.")
    answer, word = (result.decision_function, "score") if score else (result.predict, "prediction")
    with tables.answers(file, model, result, answer, out, offset, delimiter, shown) as blocks:
        if out is not None and out.suffix in (".npy", ".parquet"):
            written(blocks, out, word)
            return
        header = True
        with files.writing(out) as stream:
            for found in blocks:
                names = [word] if found.ndim == 1 else [f"{word}_{k}" for k in range(found.shape[1])]
                frame = tables.pd.DataFrame(found.reshape(len(found), -1), columns=names)
                frame.to_csv(stream, index=False, header=header)
                header = False


def load(path):
    """A saved model, or an error that names the file."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        return fastgd.load(path)
    except Exception as error:
        raise ValueError(f"{path} is no model that fit --save wrote, or is damaged: {error}") from None


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
def demo(picture):
    """Fit 327,346 real flights, print a table, save a picture."""
    from . import demo

    demo.main(picture)
