"""The command ``predict``: a saved model and a table in, a prediction for each row out."""

import contextlib

import click
import numpy as np

from ..results.answers import written
from . import columns, options
from .options import READING, keep_inputs, option
from .program import say

ENDINGS = (".csv", ".parquet", ".npy")


def predictions_file(ctx, param, value):
    """A file that predictions can be written to."""
    path = options.output(ctx, param, value)
    if path is not None and path.suffix not in ENDINGS and not (path.exists() and not path.is_file()):
        raise click.BadParameter(f"{path} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
    return path


@click.command(
    params=[
        click.Argument(["model"]),
        click.Argument(["file"]),
        option("--out", metavar="FILE", callback=predictions_file, help=".csv, .parquet or .npy [default: stdout]."),
        option("--append", is_flag=True, help="Write all columns of the table, and the prediction behind them."),
        option("--id", "keys", metavar="COL", multiple=True, help="Write this column beside (again for more, or A,B)."),
        option("--predict-proba", "proba", is_flag=True, help="The probability of each class."),
        option("--score", is_flag=True, help="The linear scores: before exp, or before the class is chosen."),
        options.OFFSET,
        *READING,
    ]
)
@click.pass_context
def predict(ctx, model, file, out, **given):
    """Predict every row of a table, or of many: FILE is as for fit.

    MODEL.npz is what fit --save wrote. Its columns are found in FILE by their names; other columns don't matter. What
    fit did about categories and missing values is done again: a category that the fit did not meet counts as the most
    frequent one, and with --dropna a row that lacks a value has an empty prediction.
    """
    from . import files

    result = options.load(model)
    answers = Answers(ctx, model, result, file, out, given)
    if out is not None and out.suffix in (".npy", ".parquet"):
        if answers.through:
            raise ValueError(f"{out}: --append and --id write .csv: pass --out {out.with_suffix('.csv')}.")
        with answers.blocks() as blocks:
            written((found for found, _ in blocks), out, answers.word)
    else:
        with answers.blocks() as blocks, files.writing(out) as stream:
            header = True
            for found, beside in blocks:
                frame = files.pd.DataFrame(found.reshape(len(found), -1), columns=answers.names(found))
                if beside is not None:
                    frame = files.pd.concat([beside.reset_index(drop=True), frame], axis="columns")
                frame.to_csv(stream, index=False, header=header)
                header = False
    answers.tell()


class Answers:
    """What a model answers to the rows of files."""

    def __init__(self, ctx, model, result, file, out, given):
        from . import source_files, tables
        from .encoding import Encoding

        self.who, self.result, self.given, offset = ctx.command_path, result, given, given["offset"]
        if offset is None and result.state is not None and result.state.offset:
            raise ValueError(f"{model} was fitted with an offset: name the column of the new one with --offset.")
        if given["proba"] and given["score"]:
            raise ValueError("--predict-proba and --score are different answers: pass one of them.")
        self.word, self.answer = "prediction", result.predict
        if given["score"]:
            self.word, self.answer = "score", result.decision_function
        elif given["proba"]:
            self.word, self.answer = "probability", probabilities_of(model, result)
        self.encoding = None if result.encoding is None else Encoding.of(result.encoding)
        names, size = result.feature_names, result.coef.shape[-1]
        if self.encoding is not None:
            names, size = self.encoding.columns, len(self.encoding.columns)
        files = source_files.Files(file, tables.form_of(given))
        files.keep([out], model)
        keep_inputs([*files.paths, model], [out])
        self.tables = files.tables()
        self.columns = columns.model_columns(self.tables[0], names, size, offset)
        self.through = self._through()
        self.bytes, self.lacking, self.unknown = files.total, 0, {}

    def _through(self):
        """The columns that are written beside the predictions."""
        known, path = self.tables[0].names, self.tables[0].path
        if self.given["append"]:
            if twice := [name for name in known if known.count(name) > 1]:
                raise ValueError(f"{path} has more than one column {twice[0]!r}: --append needs different names.")
            return list(known)
        keys = columns.split_names(self.given["keys"], known)
        if absent := [name for name in keys if name not in known]:
            raise columns.missing_column(path, known, absent, " for --id")
        return keys

    @contextlib.contextmanager
    def blocks(self):
        """An iterator of answers, and what is written beside them."""
        from .progress import is_shown, progress

        total = sum(table.total for table in self.tables)
        with progress(is_shown(self.given["shown"], self.bytes), total, "predicting") as told:
            yield self._each(told)

    def _each(self, told):
        from .cells import Cells

        offset, before, rows = self.given["offset"], 0, 0
        wanted, codes = [*self.columns, *([] if offset is None else [offset])], {}
        if self.encoding is not None:
            codes = self.encoding.codes
        for table in self.tables:
            cells, done = Cells(wanted, codes, fixed=True, through=self.through), 0
            for chunk in cells.of(table):
                yield self._of(cells, table, chunk), chunk.frame[self.through] if self.through else None
                told(before + chunk.done)
                done, rows = chunk.done, rows + len(chunk.values)
            before += done
            for name, texts in cells.unknown.items():
                of = self.unknown.setdefault(name, {})
                for text, count in texts.items():
                    of[text] = of.get(text, 0) + count
        if rows == 0:
            raise ValueError(f"{self.tables[0].path} has a header and no rows.")

    def _of(self, cells, table, chunk):
        """The answers to a chunk."""
        values, d, encoding = chunk.values, len(self.columns), self.encoding
        if encoding is not None:
            encoding.filled(values)
        whole = np.ones(len(values), bool)
        if encoding is not None and encoding.dropna:
            whole = ~np.isnan(values).any(axis=1)
            self.lacking += int((~whole).sum())
        else:
            cells.told(chunk, table, np.arange(values.shape[1]))
        if cells.faults:
            raise cells.faults.error(table.path, None, [], of_model=True)
        rows = values[whole]
        if not len(rows):  # a row of zeros tells the form of the answers
            rows = np.zeros((1, values.shape[1]))
        X = rows[:, :d] if encoding is None else encoding.encoded(rows[:, :d])
        found = np.asarray(self.answer(X, rows[:, d] if rows.shape[1] > d else None))
        return found if whole.all() else spread(found[: whole.sum()], whole)

    def names(self, found):
        """Of the columns of answers."""
        if found.ndim == 1:
            return [self.word]
        classes = self.result.classes
        several = classes is not None and len(classes) == found.shape[1]
        return [f"{self.word}_{name}" for name in (classes if several else range(found.shape[1]))]

    def tell(self):
        """Say which rows have no answer, and which categories the fit did not meet."""
        if self.lacking:
            say(self.who, f"{self.lacking:,} rows lack a value: their predictions are empty.")
        for name, texts in self.unknown.items():
            shown = ", ".join(f"{text!r}" for text in list(texts)[:5])
            shown += f" and {len(texts) - 5} more" if len(texts) > 5 else ""
            reference = self.encoding.reference.get(name)
            as_what = "none of the known ones" if reference is None else repr(reference)
            what = f"column {name!r} has categories that the fit did not meet, in {sum(texts.values()):,} rows"
            say(self.who, f"{what}: {shown}. They count as {as_what}.")


def probabilities_of(model, result):
    """The function of probabilities, or an error where there is none."""
    try:
        result.predict_proba(np.zeros((1, result.coef.shape[-1])), np.zeros(1))
    except AttributeError:
        what = "its loss gives none" if result.classes is not None else "it predicts numbers"
        raise ValueError(
            f"--predict-proba: {model} has no probabilities, as {what}: fit with --loss log_loss or multinomial."
        ) from None
    return result.predict_proba


def spread(found, whole):
    """Answers in the places of rows that are whole, and nothing in those of the others."""
    kind = np.float64 if found.dtype.kind in "f" else object
    made = np.full((len(whole), *found.shape[1:]), np.nan if kind is np.float64 else None, kind)
    made[whole] = found
    return made
