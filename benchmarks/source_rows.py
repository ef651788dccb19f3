"""The rows of the comparison of sources: Parquet files with a target and a label, shuffled or sorted by date."""

import numpy as np

from fastgd import sources

COLUMNS, GROUP, A_FILE = 50, 1 << 17, 1 << 20  # rows of a row group and of a file
NAMES = tuple(f"x{k}" for k in range(COLUMNS))
TARGETS = {"squared_error": "y", "log_loss": "label"}


def rows_of(gigabytes):
    """How many rows have so many bytes of float32."""
    return max(10_000, int(gigabytes * 1e9 / 4 / COLUMNS))


def group(number, n, by_date):
    """Row group ``number`` as X (float32, columns with a common factor), y (float32) and label (int8).

    By date, the first column and the constant drift over all rows.
    """
    lo, hi = number * GROUP, min((number + 1) * GROUP, n)
    draw, model = np.random.default_rng([1, number]), np.random.default_rng(0).standard_normal(COLUMNS) / 5
    X = draw.standard_normal((hi - lo, COLUMNS), np.float32)
    X = np.float32(0.8) * X + np.float32(0.6) * draw.standard_normal((hi - lo, 1), np.float32)
    date = np.arange(lo, hi) / n - 0.5 if by_date else np.zeros(hi - lo)
    X[:, 0] += date.astype(np.float32)
    score = X @ model + date
    label = (score + draw.logistic(size=len(score)) > 0).astype(np.int8)
    return X, (score + draw.standard_normal(len(score))).astype(np.float32), label


def write(folder, gigabytes, by_date=False):
    """The rows as Parquet files, uncompressed and without dictionaries, in ``folder/parquet``."""
    import pyarrow as pa
    from pyarrow import parquet

    n = rows_of(gigabytes)
    (folder / "parquet").mkdir(parents=True)
    file = None
    for number in range(-(-n // GROUP)):
        X, y, label = group(number, n, by_date)
        table = pa.table([*map(pa.array, np.ascontiguousarray(X.T)), y, label], [*NAMES, "y", "label"])
        first = number * GROUP
        if first % A_FILE == 0:
            if file is not None:
                file.close()
            path = folder / "parquet" / f"{first // A_FILE:03}.parquet"
            file = parquet.ParquetWriter(path, table.schema, use_dictionary=False, compression="none")
        file.write_table(table, row_group_size=GROUP)
    file.close()
    return n


def opened(folder, loss):
    """The files as a source."""
    return sources.parquet(f"{folder}/parquet", target=TARGETS[loss], features=list(NAMES))


def cached(folder, loss):
    """From its row-major blocks."""
    return opened(folder, loss).cached(f"{folder}/cache_of_{TARGETS[loss]}")


def in_memory(folder, loss):
    """X and y as arrays, from the blocks."""
    rows = f"{folder}/cache_of_{TARGETS[loss]}/rows"
    return np.load(f"{rows}/X.npy"), np.load(f"{rows}/y.npy")


def mean_loss(folder, loss, coef, intercept):
    """The objective of a model: there is no penalty."""
    X, y = (np.load(f"{folder}/cache_of_{TARGETS[loss]}/rows/{name}.npy", mmap_mode="r") for name in ("X", "y"))
    total, coef = 0.0, np.asarray(coef, float).ravel()
    for lo in range(0, len(y), GROUP):
        score, target = X[lo : lo + GROUP] @ coef + float(np.ravel(intercept)[0]), np.asarray(y[lo : lo + GROUP], float)
        some = (score - target) ** 2 / 2 if loss == "squared_error" else np.logaddexp(0, score) - target * score
        total += some.sum()
    return total / len(y)
