"""A listener to Numba's compiler, which calls a function when that takes long."""

import contextlib
import threading
import time

from numba.core import event


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


@contextlib.contextmanager
def watching(seconds, tell, arguments):
    """Call ``tell(*arguments)`` when what is inside has compiled for some seconds; gives the :class:`Watch`."""
    watch = Watch(seconds, tell, arguments)
    try:
        with event.install_listener("numba:compile", watch):
            yield watch
    finally:
        watch.timer.cancel()
