"""Engines: fits whose rows lie on other machines."""

from .dask_engine import Dask

__all__ = ["Dask"]


def __dir__():
    return __all__


def engine_of(engine):
    """The engine that a user means: one that is given, or "dask" on the default client."""
    if isinstance(engine, str) and engine == "dask":
        return Dask()
    if isinstance(engine, Dask):
        return engine
    raise ValueError(f'engine={engine!r} is unknown: pass "dask", or fastgd.engines.Dask(client).')
