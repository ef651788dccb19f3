"""Where the rows of a fit lie: in memory, in files, or where an engine puts them."""

from ..inputs import arguments
from ..inputs.arrays import Matrix
from ..inputs.opened import opened
from ..results.dask_answers import is_collection
from ..results.progress import watched
from ..sources.rows import SourceRows


def placed(X, y, given):
    """X, y and the options given; a source is opened, and its rows are where the engine among the options puts them.

    A collection of Dask is a source of its partitions.
    """
    engine = arguments.engine(given.get("engine"))
    if is_collection(X):
        from ..sources import dask

        weight, offset = given.get("sample_weight"), given.get("offset")
        X, y = dask(X, y, weight=weight, offset=offset), None
        given = {**given, "sample_weight": None, "offset": None}
    if engine is None:
        X, y, given = opened(X, y, given)
        if isinstance(X, Matrix) and isinstance(X.rows, SourceRows) and given.get("verbose") == 1:
            X.rows.watched = watched
        return X, y, given
    from ..engines import engine_of

    return opened(X, y, given, engine_of(engine).rows)


def let_go(rows):
    """Tell an engine that its rows are done with: it loads them again if they are asked for after all."""
    if hasattr(rows, "let_go"):
        rows.let_go()
