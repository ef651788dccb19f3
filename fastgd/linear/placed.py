"""Where the rows of a fit lie: in memory, in files, or where an engine puts them."""

from ..inputs import arguments
from ..inputs.opened import opened


def placed(X, y, given):
    """X, y and the options given; a source is opened, and its rows are where the engine among the options puts them."""
    engine = arguments.engine(given.get("engine"))
    if engine is None:
        return opened(X, y, given)
    from ..engines import engine_of

    return opened(X, y, given, engine_of(engine).rows)


def let_go(rows):
    """Tell an engine that its rows are done with: it loads them again if they are asked for after all."""
    if hasattr(rows, "let_go"):
        rows.let_go()
