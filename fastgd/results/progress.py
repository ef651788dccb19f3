"""Reports during a run: the objects that callbacks are given, and the progress bar of ``verbose``."""

import contextlib
import importlib.util
import sys
from dataclasses import dataclass

import numpy as np

from ..kernels.notice import AFTER, notice


@dataclass(frozen=True)
class EpochProgress:
    """The object that the callback of a fit is given after an epoch.

    Attributes
    ----------
    epoch, n_steps : int
        Epochs and steps done; they restart where an automatic rate was too large.
    loss : float
        The epoch's entry of ``history.loss``.
    learning_rate : float
        The rate of the last step.
    seconds : float
        Time since the run began.
    objective, validation_loss : float
        After the epoch, where they are measured; else NaN.
    run : int
        Which setting of a sweep; 0 in ``fit``.
    fold : int
        Which fold of it with ``cv``, else -1. True ends all folds of the setting.
    """

    epoch: int
    n_steps: int
    loss: float
    learning_rate: float
    seconds: float
    objective: float = np.nan
    validation_loss: float = np.nan
    run: int = 0
    fold: int = -1


@dataclass(frozen=True)
class StepProgress:
    """The object that the callback of ``minimize`` is given after a step or, in compiled runs, a slice of them.

    Attributes
    ----------
    nit : int
        Iterations done.
    x : float or ndarray (d,)
    fun : float
    run : int
        Which run of a sweep; 0 in ``minimize``.
    """

    nit: int
    x: float | np.ndarray
    fun: float
    run: int = 0
    fold: int = -1


@dataclass(frozen=True)
class BatchProgress:
    """The object that the callback of ``minimize`` with data is given after an epoch.

    Attributes
    ----------
    epoch, nit : int
        Epochs and steps done.
    x : as ``x0``
        The parameters, a copy.
    fun, validation_fun : float
        The epoch's entries of the history.
    learning_rate : float
        Of the last step.
    seconds : float
        Since the run began.
    run : int
        Which run of a sweep; 0 in ``minimize``.
    """

    epoch: int
    nit: int
    x: object
    fun: float
    validation_fun: float
    learning_rate: float
    seconds: float
    run: int = 0


def print_choices(*choices):
    """Print what was chosen for some runs, a line each and none twice, to where the bar goes."""
    for line in dict.fromkeys(f"{name}: {words}" for each in choices for name, words in each.items()):
        tell(line)


def tell(line):
    """Print a line to stderr, where there is one: an application without a console has none."""
    if sys.stderr is not None:
        print(line, file=sys.stderr)  # noqa: T201


class Lines:
    """What a bar shows, as plain lines, where tqdm is not installed: one after 1, 2, 4, ... updates."""

    def __init__(self, total=None, unit="it", position=0, **_):
        self.of, self.unit, self.shown = "" if total is None else f" of {total}", unit, position == 0
        self.n, self.count, self.words, self.said = 0, 0, "", True

    def update(self, done):
        """Move by so many units."""
        self.n, self.count, self.said = self.n + done, self.count + 1, False

    def set_postfix_str(self, words, refresh=False):
        """Print the line, if it is its turn."""
        self.words = words
        if self.count & (self.count - 1) == 0:
            self.line()

    def line(self):
        """Print where the run is."""
        if self.shown and not self.said:
            tell(f"{self.unit} {self.n}{self.of}: {self.words}")
        self.said = True

    def close(self):
        """Print the last position."""
        self.line()


def kind_of_bar():
    """tqdm's bar, in a notebook that can show one the widget; plain lines without tqdm."""
    try:
        # tqdm.auto warns in a notebook without ipywidgets.
        if importlib.util.find_spec("ipywidgets") is None:
            from tqdm.std import tqdm
        else:
            from tqdm.auto import tqdm
    except ImportError:
        return Lines
    return tqdm


class Bar:
    """A bar over ``total`` epochs or steps; a silent one where ``shown`` is false.

    Compiling is no part of the run: it is said behind the bar, and the time that is left never counts it.
    """

    def __init__(self, shown, total, unit, **options):
        self.bar = None
        if shown and sys.stderr is not None:
            self.compiled, self.compiling = notice.total, 0.0
            self.bar = kind_of_bar()(total=total, unit=unit, **options)

    def update(self, done, loss):
        """Show the position of the run, and its loss."""
        self.note(done, f"loss={loss:.6g}", True)

    def note(self, done, words, compiling=False):
        """Show a position and words behind it, with ``compiling`` also how long the run has compiled."""
        if self.bar is None:
            return
        spent, self.compiled = notice.total - self.compiled, notice.total
        self.compiling += spent
        for clock in ("start_t", "last_print_t"):
            if spent and hasattr(self.bar, clock):
                setattr(self.bar, clock, getattr(self.bar, clock) + spent)
        self.bar.update(done - self.bar.n)
        words += f", compiled {self.compiling:.1f} s" if compiling and self.compiling >= AFTER else ""
        self.bar.set_postfix_str(words, refresh=False)

    def close(self, ended=False):
        """End the bar; ``ended`` says that the run did not need all its epochs: the bar is full then."""
        if self.bar is not None:
            if ended and hasattr(self.bar, "total"):
                self.bar.total = self.bar.n
            self.bar.close()


def watched(blocks, source):
    """Blocks of the rows of a source, and below the bar of the run one that says how far they are, and in which file.

    It is there after a second, and goes when all are read.
    """
    options = {"total": source.n, "unit": "row", "unit_scale": True, "position": 1, "leave": False, "delay": 1.0}
    bar = Bar(True, **options)
    with contextlib.closing(blocks), contextlib.closing(bar):
        for first, rows in blocks:
            yield first, rows
            bar.note(first + rows.shape[0], source.place(first).rpartition(", row ")[0])
