"""How commands end: a fault is one line on stderr and exit code 2, Ctrl-C is 130, a closed pipe is silent."""

import contextlib
import os
import re
import sys
import warnings

import click

from ..results.divergence import DivergenceWarning
from .options import FLAGS

DIVERGED, WRONG, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141  # the last two as a shell has them: 128 + the signal

OF_SOURCES = {  # what errors of sources say to do, as options
    "choose other columns with features=": "leave it out with --drop",
    "name the columns with features=": "name the columns with --columns",
    "open it with dtype='float64'": "omit --float32",
}


def say(who, text):
    """One line on stderr."""
    click.echo(f"{who}: {' '.join(str(text).split())}", err=True)


class Program(click.Group):
    """A group of commands that return their exit codes, or None for 0."""

    def main(self, args=None, prog_name="fastgd", standalone_mode=True, **extra):
        """Run a command; exits with its code, or returns it with ``standalone_mode=False``."""
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra) or 0
        except (click.exceptions.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            who, code = context.command_path if context else prog_name, WRONG
            say(who, f"{error.format_message()} ({who} --help shows how to call it)")
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx):
        """Run the command that was chosen; what it raises becomes a line and a code."""

        def tell(message, *_, **__):
            say(f"{ctx.command_path} {ctx.invoked_subcommand}", message)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)  # commands say it themselves
            warnings.showwarning = tell
            try:
                code = super().invoke(ctx)
                sys.stdout.flush()
                return code
            except BrokenPipeError:
                _drop_output()
                return BROKEN_PIPE
            except (click.ClickException, click.exceptions.Exit, click.exceptions.Abort):
                raise
            except Exception as error:
                if os.environ.get("FASTGD_TRACEBACK"):
                    raise
                if isinstance(error, OSError):
                    _drop_output()  # it may be what can't be written
                tell(sentence(error))
                return WRONG


def sentence(error):
    """What an exception says to a person at a shell."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError):
        return f"not enough memory: {error or 'try --float32, or fewer columns'}."
    if isinstance(error, (ValueError, TypeError, ImportError, OSError)):
        # The argument that a message begins with is an option here.
        text = re.sub(r"^[a-z_0-9]+(?==)", lambda name: flag(name[0]), str(error))
        for words, here in OF_SOURCES.items():
            text = text.replace(words, here)
        return text
    return f"{type(error).__name__}: {error} (a fault of fastgd: with FASTGD_TRACEBACK=1 it says where)"


def flag(name):
    """The option of an argument."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def _drop_output():
    """Let nothing be written at exit to an output that is gone or full."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
