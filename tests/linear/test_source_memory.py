"""What fits of Parquet files take in memory: less than 400 MB, whatever the size of the files."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.jit,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
]

COLUMNS, GROUP = 50, 1 << 17
# Row groups: 420, 310 and 600 MB. Batches of 8 take 43 MB less than of 16: not all readers are open
ONE, FEWER, MORE = 16, 12, 23
MOST, GROWTH = 400, 90  # MB; how far a thread has read ahead differs from run to run, and files by 290 MB

FITS = """
import json, resource, sys, threading
import numpy as np, fastgd

resource.setrlimit(resource.RLIMIT_DATA, (3 << 29, 3 << 29))
few = np.random.default_rng(0).standard_normal((3000, 50)).astype(np.float32)
options = {"squares": {}, "labels": {"loss": "log_loss"}, "batches": {"epochs": 1, "batch_size": 256}}
given = options[sys.argv[2]]
fastgd.fit(few, np.arange(3000) % 2, **given)  # a compiler takes 100 MB where nothing is cached
ended, peak = threading.Event(), 0.0

def look():
    global peak
    while not ended.wait(0.004):
        lines = open("/proc/self/status").read().splitlines()
        peak = max(peak, next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")))

threading.Thread(target=look, daemon=True).start()
target = "label" if "loss" in given else "y"
names = [f"x{k}" for k in range(50)]
fitted = fastgd.fit(fastgd.sources.parquet(sys.argv[1], target=target, features=names), **given)
ended.set()
print(json.dumps([peak, fitted.coef.tolist()]))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes a file of so many row groups, once."""
    from pyarrow import parquet

    @functools.cache
    def write(groups):
        path, draw = tmp_path_factory.mktemp("parquet") / "rows.parquet", np.random.default_rng(0)
        schema = pa.schema([*((f"x{k}", pa.float32()) for k in range(COLUMNS)), ("y", pa.float32()), ("label", "int8")])
        with parquet.ParquetWriter(path, schema, use_dictionary=False, compression="none") as file:
            for _ in range(groups):
                X = draw.standard_normal((COLUMNS, GROUP), np.float32)
                y = X[0] + draw.standard_normal(GROUP, np.float32)
                columns = [*map(pa.array, X), pa.array(y), pa.array((y > 0).astype(np.int8))]
                file.write_table(pa.table(columns, schema=schema), row_group_size=GROUP)
        return path

    return write


def peak_of(path, kind):
    """The most memory that a process takes that fits a file, in MB."""
    command = [sys.executable, "-W", "ignore", "-c", FITS, str(path), kind]
    # pyarrow's own allocator reserves 1 GB of addresses at once, which the limit would count.
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    peak, coef = json.loads(said)
    assert coef[0] > 0.5 and np.abs(coef[1:]).max() < 0.1
    assert 100 < peak < MOST
    return peak


def test_memory_is_less_than_the_file(written):
    path = written(ONE)
    assert path.stat().st_size > MOST * 1e6
    peak_of(path, "batches")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["squares", "labels", "batches"])
def test_memory_does_not_grow_with_the_files(written, kind):
    fewer, more = (peak_of(written(groups), kind) for groups in (FEWER, MORE))
    assert more < fewer + GROWTH
