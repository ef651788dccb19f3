"""``python -m benchmarks dropins``: scikit-learn's SGD classes and fastgd's of the same names, on real data.

Each row is one table and one way to call both libraries: as a newcomer does (the defaults, on raw columns), as the
manual says (behind a scaler), and with scikit-learn's own schedule in both. Scores are on a quarter of the rows, held
out; times are the least of some interleaved fits, after one that compiles.
"""

import argparse
import functools
import warnings
from typing import NamedTuple

import numpy as np
from sklearn import datasets, linear_model
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

import fastgd
from fastgd.cli.demo import NUMBERS, frame

from .arguments import positive
from .measure import interleave

HEAD = ("data", "rows x columns", "how", "scikit-learn", "", "fastgd", "", "times faster")


class Table(NamedTuple):
    """Real rows and their targets."""

    name: str
    X: object
    y: np.ndarray
    kind: str  # "Regressor" or "Classifier"


def flights(rows):
    """The flights that arrived: numeric columns, and destinations and tail numbers one-hot; their arrival delays."""
    known = frame().dropna(subset=["arr_delay", "tailnum"])[:rows]
    numbers = known[NUMBERS].to_numpy(float)
    codes = OneHotEncoder(dtype=np.float64).fit_transform(known[["dest", "tailnum", "carrier"]])
    return numbers, codes.tocsr(), known["arr_delay"].to_numpy(float)


def tables(rows=None):
    """All tables, the flights cut to some rows."""
    yield Table("digits", *datasets.load_digits(return_X_y=True), "Classifier")
    yield Table("breast cancer", *datasets.load_breast_cancer(return_X_y=True), "Classifier")
    yield Table("diabetes", *datasets.load_diabetes(return_X_y=True, scaled=False), "Regressor")
    numbers, codes, delay = flights(rows)
    yield Table("flights, numbers", numbers, delay, "Regressor")
    yield Table("flights, one-hot", codes, delay, "Regressor")
    yield Table("late, numbers", numbers, delay > 15, "Classifier")
    yield Table("late, one-hot", codes, delay > 15, "Classifier")


def ways(table):
    """Names, and the estimators of both libraries: (scikit-learn's, fastgd's)."""
    sparse = not isinstance(table.X, np.ndarray)
    scaler = MaxAbsScaler if sparse else StandardScaler
    theirs = getattr(linear_model, f"SGD{table.kind}")
    ours = getattr(fastgd, f"SGD{table.kind}")
    schedule = {"learning_rate": "invscaling" if table.kind == "Regressor" else "optimal", "random_state": 0}
    yield "as imported, raw", theirs(random_state=0), ours(random_state=0)
    yield "theirs behind a scaler", make_pipeline(scaler(), theirs(random_state=0)), ours(random_state=0)
    pair = (make_pipeline(scaler(), make(**schedule)) for make in (theirs, ours))
    yield f"{schedule['learning_rate']}, behind a scaler", *pair


def compared(table, repeats):
    """Rows of the report."""
    split = train_test_split(table.X, table.y, test_size=0.25, random_state=0)
    for way, *models in ways(table):
        X, X_held, y, y_held = split
        runs = {
            name: functools.partial(model.fit, X, y) for name, model in zip(("theirs", "ours"), models, strict=True)
        }
        least = [min(seconds) for seconds in interleave(runs, repeats).values()]
        scores = [model.score(X_held, y_held) for model in models]
        shape = f"{table.X.shape[0]:,} x {table.X.shape[1]:,}"
        cells = [
            cell for score, t in zip(scores, least, strict=True) for cell in (shown(score), f"{plain(1e3 * t, 3)} ms")
        ]
        yield (table.name, shape, way, *cells, plain(least[0] / least[1], 2))


def shown(score):
    """A score as one reads it."""
    return f"{score:.4f}" if score > -10 else "diverged"


def plain(number, digits):
    """A number with so many digits, without a power of ten."""
    return f"{float(f'{number:.{digits}g}'):,.0f}" if number >= 10**digits else f"{number:.{digits}g}"


def main(arguments=None):
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(prog="benchmarks dropins", description=__doc__)
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--rows", type=positive, default=None, help="of the flights")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # scikit-learn's, of fits that have not converged
    print("|", " | ".join(HEAD), "|")
    print("|---" * len(HEAD) + "|")
    for table in tables(given.rows):
        for row in compared(table, given.repeats):
            print("|", " | ".join(row), "|", flush=True)
    return 0
