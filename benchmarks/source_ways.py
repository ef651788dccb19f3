"""The ways to fit rows in files, each run in a process of its own: seconds, processor seconds, memory, the model.

``python -m benchmarks.source_ways name folder loss settings`` begins with what users do not wait for each time
(imports, a fit of few rows), says how much memory that took, runs, and says the rest as JSON. Memory is what is
resident and belongs to no file (RssAnon), as the process that started it sees it.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .source_rows import COLUMNS, NAMES, TARGETS, cached, in_memory, opened

LOOK = 0.01  # seconds between looks at a process's memory
CHUNK = 1 << 16  # rows that scikit-learn takes at once
VW_LOSSES = {"squared_error": "squared", "log_loss": "logistic"}


class Ran(NamedTuple):
    """What a run took, and its model."""

    wall: float
    cpu: float
    megabytes: float  # the peak, beyond what is there when it begins
    coef: list
    intercept: float
    parts: dict  # where the time went, if asked for


def anonymous(pid="self"):
    """Resident megabytes that belong to no file."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


def ran(name, folder, loss, **settings):
    """Run a way in a process of its own."""
    module = [sys.executable, "-W", "ignore", "-m", "benchmarks.source_ways"]
    command = [*module, name, str(folder), loss, json.dumps(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    done, seen = threading.Event(), []

    def look():
        while not done.is_set():
            try:
                seen.append(anonymous(process.pid))
            except OSError:  # it has ended
                return
            done.wait(LOOK)

    with process:
        base = float(process.stdout.readline() or "nan")
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        said = process.stdout.read()
        done.set()
        thread.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {process.returncode}.")
    return Ran(megabytes=max([base, *seen]) - base, **json.loads(said.splitlines()[-1]))


def ready():
    """Say that the run begins."""
    print(anonymous(), flush=True)


# fastgd -------------------------------------------------------------------------------------------------------------


def fastgd_of(rows):
    """A way to fit ``rows(folder, loss)``: a source, or X and y."""

    def make(folder, loss, parts=False, **options):
        import fastgd

        from .source_parts import watched

        few = np.random.default_rng(0).standard_normal((3000, COLUMNS)).astype(np.float32)
        fastgd.fit(few, np.arange(3000) % 2.0, loss=loss, **options)  # kernels are loaded from the disk
        ready()
        given = rows(folder, loss)
        given = given if isinstance(given, tuple) else (given,)

        def run():
            with watched() if parts else contextlib.nullcontext({}) as spent:
                fitted = fastgd.fit(*given, loss=loss, **options)
            return fitted.coef, fitted.intercept, spent

        return run

    return make


def caching(folder, loss):
    """The rows of the Parquet files, written as blocks; no model."""
    blocks = Path(folder, "cache_anew")
    shutil.rmtree(blocks, ignore_errors=True)
    ready()

    def run():
        print(opened(folder, loss).cached(blocks).n)
        return [], 0.0

    return run


# scikit-learn -------------------------------------------------------------------------------------------------------


def sgd(loss, rate):
    """scikit-learn's model; a rate None is its own, with its own penalty."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    kind = SGDRegressor if loss == "squared_error" else SGDClassifier
    given = {} if rate is None else {"learning_rate": "invscaling", "eta0": rate, "penalty": None}
    return kind(loss=loss, random_state=0, **given)


def chunks(folder, loss):
    """Chunks of rows and targets as pyarrow reads them."""
    from pyarrow import parquet

    for path in sorted(Path(folder, "parquet").iterdir()):
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK, columns=[*NAMES, TARGETS[loss]]):
                X = np.stack([batch.column(name).to_numpy() for name in NAMES], axis=1)
                yield X, batch.column(TARGETS[loss]).to_numpy()


def partial_fits(folder, loss, rate=None, epochs=1):
    """``partial_fit`` over chunks, in the order of the file."""
    model = sgd(loss, rate)
    ready()
    more = {"classes": [0, 1]} if loss == "log_loss" else {}

    def run():
        for _ in range(epochs):
            for X, y in chunks(folder, loss):
                model.partial_fit(X, y, **more)
        return model.coef_, model.intercept_

    return run


# Vowpal Wabbit ------------------------------------------------------------------------------------------------------


def vw_text(folder, loss):
    """The rows as Vowpal Wabbit's text, by pyarrow's own functions; no model."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    ready()

    def run():
        with open(Path(folder, f"{TARGETS[loss]}.vw"), "wb") as out:
            for path in sorted(Path(folder, "parquet").iterdir()):
                with parquet.ParquetFile(path) as file:
                    for batch in file.iter_batches(CHUNK, columns=[*NAMES, TARGETS[loss]]):
                        target = batch.column(TARGETS[loss])
                        if loss == "log_loss":
                            target = pc.subtract(pc.multiply(target, pa.scalar(2, pa.int8())), pa.scalar(1, pa.int8()))
                        parts = [pc.cast(target, pa.string()), pa.scalar(" |")]
                        for k, name in enumerate(NAMES):
                            parts += [pa.scalar(f" {k}:"), pc.cast(batch.column(name), pa.string())]
                        lines = pc.binary_join_element_wise(*parts, pa.scalar(f" {COLUMNS}:1\n"), "")
                        first, last = lines.buffers()[1:]
                        ends = np.frombuffer(first, np.int32)[lines.offset : lines.offset + len(lines) + 1]
                        out.write(memoryview(last)[ends[0] : ends[-1]])
        return [], 0.0

    return run


def vw(folder, loss, epochs=1, fresh=False):
    """Its own adaptive steps, from the cache; ``fresh`` writes that in a first pass over the text."""
    from vowpalwabbit import Workspace

    text, cache = Path(folder, f"{TARGETS[loss]}.vw"), Path(folder, f"{TARGETS[loss]}.cache")
    words = f"--loss_function {VW_LOSSES[loss]} --noconstant --holdout_off --quiet --passes {epochs}"
    words += f" --min_prediction -1e9 --max_prediction 1e9 --cache_file {cache}"
    words += f" --data {text} --kill_cache" if fresh else ""
    ready()

    def run():
        model = Workspace(words)
        weights = [model.get_weight(k) for k in range(COLUMNS + 1)]
        model.finish()
        return weights[:COLUMNS], weights[COLUMNS]

    return run


# dask-ml ------------------------------------------------------------------------------------------------------------


def dask_ml(folder, loss):
    """Its linear models by L-BFGS on Dask arrays whose blocks are row groups, read in each pass.

    Not through ``dask.dataframe.read_parquet``, which joins files where few columns are asked for: X and y then had
    other partitions (dask 2026.8).
    """
    import dask.array
    from dask_ml import linear_model
    from pyarrow import parquet

    def group(path, k, columns):
        with parquet.ParquetFile(path) as file:
            table = file.read_row_group(k, columns=columns)
        return np.stack([column.to_numpy() for column in table.columns], axis=1)

    def array(columns, dtype):
        blocks = []
        for path in sorted(Path(folder, "parquet").iterdir()):
            with parquet.ParquetFile(path) as file:
                for k in range(file.num_row_groups):
                    one = dask.delayed(group)(path, k, columns)
                    shape = file.metadata.row_group(k).num_rows, len(columns)
                    blocks.append(dask.array.from_delayed(one, shape, dtype))
        return dask.array.concatenate(blocks)

    kind = "LinearRegression" if loss == "squared_error" else "LogisticRegression"
    model = getattr(linear_model, kind)(solver="lbfgs", C=1e9)
    ready()

    def run():
        y = array([TARGETS[loss]], np.float32 if loss == "squared_error" else np.int8)
        model.fit(array(list(NAMES), np.float32), y[:, 0])
        return model.coef_, model.intercept_

    return run


WAYS = {
    "parquet": fastgd_of(opened),
    "cached": fastgd_of(cached),
    "memory": fastgd_of(in_memory),
    "caching": caching,
    "scikit-learn": partial_fits,
    "vw text": vw_text,
    "vw": vw,
    "dask-ml": dask_ml,
}


def main(name, folder, loss, settings):
    """One run."""
    run = WAYS[name](folder, loss, **json.loads(settings))
    wall, cpu = time.perf_counter(), time.process_time()
    coef, intercept, *parts = run()
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "parts": parts[0] if parts else {}}
    found |= {"coef": np.ravel(coef).tolist(), "intercept": float(np.ravel(intercept)[0])}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
