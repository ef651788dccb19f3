"""The line on stderr that tells a user who waits that kernels are being compiled; once a call.

Told is who sees it, on a terminal or in a notebook. Elsewhere nobody is told what will not happen again; that code is
not kept, a warning tells.
"""

import contextlib
import sys
import time
import warnings

AFTER = 0.5  # seconds of compiling
LINE = (
    "fastgd compiles what this kind of call needs, for this machine ({kernel} and others). {kept} (fastgd.warmup() "
    "compiles all that is common beforehand; verbose=-1 leaves out this line.)"
)
AGAIN = "fastgd compiles what this kind of call needs ({kernel} and others). {kept}"
KEPT = "It takes seconds, once: the code is kept in {folder}."
KEPT_TOO = "It takes seconds, once."
NOT_KEPT = (
    "It takes seconds in each process, as no folder for the code is writable: set NUMBA_CACHE_DIR to one, or to one "
    "that fastgd.warmup() has filled."
)
YOURS = "It takes seconds in each process, as this code is for a class or a function outside fastgd."
WARNING = (
    "fastgd compiles its kernels anew in each process, which takes seconds, as none of the folders for compiled code "
    "is writable: {folders}. Set NUMBA_CACHE_DIR to a folder that is, or to one that fastgd.warmup() has filled, such "
    "as when a container was built; verbose=-1 leaves out this warning."
)


class Notice:
    """Prints the line when compiling has taken half a second in all, where somebody sees it; or warns.

    Attributes
    ----------
    wanted : bool
        Whether the caller wants to be told; calls with ``verbose=-1`` do not.
    told : bool
        Whether this call has been told.
    ever : bool
        Whether this process has: a further line is a short one.
    spent : float
        Seconds that the call has compiled.
    total : float
        Seconds that this process has compiled, or looked for code that is kept.
    """

    def __init__(self):
        self.wanted, self.told, self.ever, self.spent = True, False, False, 0.0
        self.total, self.depth = 0.0, 0
        self.spelled = str  # what the command line makes of a line, whose options have other names

    def begin(self, wanted):
        """Begin a call, which wants to be told or not."""
        self.wanted, self.told, self.spent = wanted, False, 0.0

    @contextlib.contextmanager
    def while_compiling(self, kernel, folder, lasting=True):
        """Watch what may compile a kernel, or find its code; it is kept in a folder, or nowhere (None, not lasting)."""
        began, self.depth = time.perf_counter(), self.depth + 1
        try:
            with self.line_of(kernel, folder, lasting):
                yield
        finally:
            self.depth -= 1
            if self.depth == 0:  # what a kernel calls compiles inside
                self.total += time.perf_counter() - began

    @contextlib.contextmanager
    def line_of(self, kernel, folder, lasting):
        """Print the line if what is inside compiles for long."""
        if self.told or not self.wanted or not seen():
            yield
            return
        kept = KEPT_TOO if self.ever else KEPT.format(folder=folder)
        kept = YOURS if not lasting else NOT_KEPT if folder is None else kept
        from .compile_watch import watching  # loads Numba, which those who ask for seconds alone do not need

        with watching(max(0.0, AFTER - self.spent), self.tell, (kernel, kept)) as watch:
            try:
                yield
            finally:
                self.spent += watch.seconds

    def tell(self, kernel, kept):
        """Print the line, if nobody has in this call."""
        if not self.told:
            line = AGAIN if self.ever or kept is YOURS else LINE  # warming up does nothing for what is the user's
            self.told = self.ever = True
            write(self.spelled(line.format(kernel=kernel, kept=kept)))

    def warn_not_kept(self, folders):
        """Warn that a kernel was compiled that none of the folders keeps, unless a line tells or has told."""
        if not self.ever and self.wanted and not seen():
            self.ever = True
            named = ", ".join(folders) or "the user has no home folder"
            warnings.warn(WARNING.format(folders=named), RuntimeWarning, stacklevel=2)


def seen():
    """Whether somebody reads stderr: on a terminal, or below the cell of a notebook, which is none."""
    return getattr(sys.stderr, "isatty", bool)() or type(sys.stderr).__module__.partition(".")[0] == "ipykernel"


def write(line):
    """Print a line to stderr: above tqdm's bars, where there may be some."""
    tqdm = sys.modules.get("tqdm.std")
    with contextlib.suppress(OSError, ValueError):  # a closed stderr
        if tqdm is not None:
            tqdm.tqdm.write(line, file=sys.stderr)
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()


notice = Notice()
