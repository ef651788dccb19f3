"""Data larger than memory: rows that are read from files, block by block, each time a pass needs them."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arrow_source import arrow
    from .csr_source import csr
    from .csv_source import csv
    from .dask_source import dask
    from .npy_source import npy
    from .parquet_source import parquet
    from .shards_source import shards
    from .stream_source import stream
    from .svmlight_source import svmlight

__all__ = ["arrow", "csr", "csv", "dask", "npy", "parquet", "shards", "stream", "svmlight"]


def __getattr__(name):
    # Loaded on first use: some formats need packages that not everyone has.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".{name}_source", __name__), name)
    return value


def __dir__():
    return __all__
