"""The bar over a file that is read."""

import contextlib
import sys

import click

SHOW_BYTES = 20_000_000  # reading and fitting less is a matter of a second or two


def is_shown(asked, size, quiet=False):
    """Whether progress is shown: as asked, else for long files on a terminal."""
    return asked if asked is not None else not quiet and sys.stderr.isatty() and size > SHOW_BYTES


@contextlib.contextmanager
def progress(shown, total, what):
    """A bar of ``total`` steps; yields what to tell how far it is."""
    if not shown:
        yield lambda done: None
        return
    with click.progressbar(length=total, label=what, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
