"""The line on stderr that tells a user who waits that kernels are being compiled; once a process."""

import contextlib
import sys
import threading
import time

from numba.core import event

AFTER = 0.5  # seconds of compiling
LINE = (
    "fastgd compiles {kernel} and what else this kind of call needs, for this machine. {kept} "
    "(python -m fastgd warmup compiles all that is common beforehand; verbose=-1 leaves out this line.)"
)
KEPT = "It takes seconds, once: the code is kept in {folder}."
NOT_KEPT = "It takes seconds in each process, as no folder for the code is writable: set NUMBA_CACHE_DIR to one."


class Notice:
    """Prints the line when compiling has taken half a second in all, where stderr is a terminal.

    Attributes
    ----------
    wanted : bool
        Whether the caller wants to be told; calls with ``verbose=-1`` do not.
    """

    def __init__(self):
        self.wanted, self.told, self.spent = True, False, 0.0

    @contextlib.contextmanager
    def while_compiling(self, kernel, folder):
        """Watch what may compile a kernel, or find its code, which is kept in a folder or nowhere (None)."""
        if self.told or not self.wanted or not getattr(sys.stderr, "isatty", bool)():
            yield
            return
        watch = Watch(max(0.0, AFTER - self.spent), self.tell, (kernel, folder))
        try:
            with event.install_listener("numba:compile", watch):
                yield
        finally:
            watch.timer.cancel()
            self.spent += watch.seconds

    def tell(self, kernel, folder):
        """Print the line, if nobody has."""
        if not self.told:
            self.told = True
            kept = NOT_KEPT if folder is None else KEPT.format(folder=folder)
            with contextlib.suppress(OSError, ValueError):  # a closed stderr
                sys.stderr.write(LINE.format(kernel=kernel, kept=kept) + "\n")
                sys.stderr.flush()


class Watch(event.Listener):
    """Calls a function when a compilation, its callees' included, has taken some seconds; counts its seconds.

    A timer, as one kernel alone may take seconds: nothing would be told before its end.
    """

    def __init__(self, seconds, tell, arguments):
        self.timer = threading.Timer(seconds, tell, arguments)
        self.timer.daemon = True
        self.depth, self.begun, self.seconds = 0, 0.0, 0.0

    def on_start(self, event):
        if self.depth == 0:
            self.begun = time.perf_counter()
            with contextlib.suppress(RuntimeError):  # no thread begins in an exit handler, nor where a limit is met
                self.timer.start()
        self.depth += 1

    def on_end(self, event):
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.perf_counter() - self.begun


notice = Notice()
