"""How commands end: a fault is one line on stderr and exit code 2, Ctrl-C is 130, a closed pipe is silent."""

import contextlib
import os
import re
import shlex
import sys
import warnings

import click

from ..parts.registry import ALIASES
from ..results.divergence import DivergenceWarning
from .options import FLAGS

DIVERGED, WRONG, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141  # the last two as a shell has them: 128 + the signal

HERE = {  # what messages of Python's calls say to do, as options
    "choose other columns with features=": "leave it out with --drop",
    "name the columns with features=": "name the columns with --columns",
    "open it with dtype='float64'": "omit --float32",
    "fill it, or leave the row out": "pass --dropna, or --fill mean, median, zero or a value",
    " Fit with learning_rate=f.suggestion() and the same options.": "",
    "pass offset=, an array (rows,); zeros predict for an offset of 0": "name its column with --offset",
    "random_state": "--seed",
    "validation or cv": "--validation or --cv",
    "without resume": "without --resume",
    "fastgd.warmup()": "fastgd warmup",
    "verbose=-1": "--quiet",
    "give more epochs; resume with this result goes on": "raise --epochs; --resume with the saved model goes on",
    "resume with this result": "--resume with the saved model",
    "Lower learning_rate (a tenth is a good next try), or leave it at 'auto'": (
        "Lower --learning-rate (a tenth is a good next try), or leave it out"
    ),
    "lower tol": "lower --tol",
    "raise a learning_rate": "raise a --learning-rate",
    "Set alpha > 0 (1e-4, say)": "Pass --alpha 1e-4, say",
    "pass X as float64": "omit --float32",
    "X as float64": "no --float32",
    'cv=5, scoring="r2"': "--cv 5 --scoring r2",
    'cv=5, scoring="accuracy"': "--cv 5 --scoring accuracy",
    ", or read results and table()": "",
}
OPTION = re.compile(r"(?<![\w.'\"-])([a-z][a-z_0-9]*)=(\"[^\"]*\"|'[^']*'|[\w.+-]+|)")


def say(who, text):
    """One line on stderr."""
    click.echo(f"{who}: {as_options(' '.join(str(text).split()))}", err=True)


class Program(click.Group):
    """A group of commands that return their exit codes, or None for 0."""

    def main(self, args=None, prog_name="fastgd", standalone_mode=True, **extra):
        """Run a command; exits with its code, or returns it with ``standalone_mode=False``."""
        self.typed = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(self.typed or ["--help"], prog_name, standalone_mode=False, **extra) or 0
        except (click.exceptions.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            if isinstance(error, click.NoSuchOption) and (known := other_name(error.option_name, context)):
                error.possibilities = known
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
                if sys.stdout is not None:  # it is where the shell has closed it
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
                if more := getattr(error, "more", ()):
                    click.echo(f"Try: {shlex.join([ctx.command_path, *together(self.typed, more)])}", err=True)
                return WRONG
            finally:
                if loaded := sys.modules.get("fastgd.kernels.notice"):
                    loaded.notice.spelled = str


def together(typed, more):
    """A command with more options behind it; names for --drop go to those that are there."""
    typed, more = list(typed), list(more)
    if "--drop" in typed[:-1] and "--drop" in more:
        at, place = typed.index("--drop"), more.index("--drop")
        typed[at + 1] = f"{typed[at + 1]},{more[place + 1]}"
        del more[place : place + 2]
    return [*typed, *more]


def sentence(error):
    """What an exception says to a person at a shell."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError):
        return f"not enough memory: {error or 'try --float32, or fewer columns'}."
    if isinstance(error, (ValueError, TypeError, ImportError, OSError)):
        return str(error)
    return f"{type(error).__name__}: {error} (a fault of fastgd: with FASTGD_TRACEBACK=1 it says where)"


def as_options(text):
    """A message whose advice is about Python's calls, as one about options: ``loss="huber"`` is ``--loss huber``."""
    for words, here in HERE.items():
        text = text.replace(words, here)

    text = re.sub(r"^(?:fastgd [a-z-]+: )?resume: ", "--resume: ", text)

    text = re.sub(r"(?<![\w.-])(loss|optimizer|learning_rate)\.([a-z0-9_]+)=", lambda m: f"{flag(m[1])}: {m[2]}=", text)

    def option(found):
        name, value = found.groups()
        if name not in FLAGS and name not in OF_COMMANDS:
            return found[0]
        begins = found.start() == 0  # the value that is wrong: --loss='hubr' is not known
        if value in ("True", "False"):
            return flag(name) if value == "True" else f"--no-{flag(name)[2:]}"
        return f"{flag(name)}={value}" if begins else f"{flag(name)} {value.strip(QUOTES)}".rstrip()

    return OPTION.sub(option, text)


QUOTES = "'\""
OF_COMMANDS = {"cv", "scoring", "keep", "rule", "start", "stop", "num", "bootstrap", "resume", "weight", "target"}


def other_name(name, context):
    """The options of a command that other programs call so."""
    there = {one for param in context.command.params for one in param.opts} if context else set()
    return [flag(one) for one in ALIASES.get(name.lstrip("-").replace("-", "_"), ()) if flag(one) in there]


def flag(name):
    """The option of an argument."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def _drop_output():
    """Let nothing be written at exit to an output that is gone or full."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
