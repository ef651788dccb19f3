"""Single arguments, each checked by itself: the value in canonical form, or one clear error that names it."""

import contextlib
import inspect
import math
import numbers
import os

import numpy as np

from ..parts import schedules
from ..parts.registry import PROTOCOLS, snake_case, unknown
from ..wording import brief
from . import custom_part_checks, custom_parts

# Numbers and words --------------------------------------------------------------------------------------------------


def number(argument, value, low=-math.inf, high=math.inf, above=-math.inf, below=math.inf):
    """A finite real number in [low, high], greater than ``above`` and less than ``below``."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument}={brief(value)} must be a number.")
    try:
        value = float(value)
    except OverflowError:
        raise ValueError(f"{argument} is too large for float64.") from None
    except Exception:  # of a user's class
        raise TypeError(f"{argument}={brief(value)} must be a number.") from None
    if not (math.isfinite(value) and low <= value <= high and above < value < below):
        if math.isfinite(low) and math.isfinite(high):
            needs = [f"in [{low:g}, {high:g}]"]
        else:
            limits = (("at least", low), ("greater than", above), ("less than", below))
            needs = [*(f"{word} {limit:g}" for word, limit in limits if math.isfinite(limit)), "finite"]
        raise ValueError(f"{argument}={value:g} must be {' and '.join(needs)}.")
    return value


def whole(argument, value, low):
    """A whole number of at least ``low``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) or value != value // 1:
        raise TypeError(f"{argument}={brief(value)} must be a whole number.")
    if value < low:
        raise ValueError(f"{argument}={brief(value)} must be at least {low}.")
    if value > 2**62:
        raise ValueError(f"{argument}={brief(value)} must be at most 2**62.")
    return int(value)


def truth(argument, value):
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument}={brief(value)} must be True or False.")
    return bool(value)


def one_of(argument, value, valid):
    """``value`` if it is one of ``valid``."""
    for known in valid:
        if type(value) is type(known) and value == known:
            return value
    raise unknown(argument, value, valid)


def single(argument, value, taker):
    """Raise for a list of values, which ``taker`` would take."""
    if type(value) in (list, tuple, range) or (isinstance(value, np.ndarray) and value.ndim > 0):
        raise TypeError(f"{argument}={brief(value, 60)} holds several values: pass one, or all to {taker}.")


# Losses, optimizers and schedules -----------------------------------------------------------------------------------


def part(argument, given, module, words=()):
    """A loss, optimizer or schedule from its name or an instance, its fields checked and converted to float.

    ``words`` are valid too, where the caller has looked at them.
    """
    known = {snake_case(name): getattr(module, name) for name in module.__all__}
    if isinstance(given, str):
        if given not in known:
            raise unknown(argument, given, [*words, *known])
        return known[given]()
    if type(given) in (*known.values(), *getattr(module, "BY_ROW", ())):
        return type(given)(**_fields(argument, given._asdict(), given.limits, {"low": 0.0}))
    wrapped = custom_parts.wrap_custom_part(argument, given, module)
    if wrapped is None:
        raise _not_a_part(argument, given, known, module)
    kind, fields = wrapped
    # Schedules are never compiled: their fields may be anything.
    others = {k: value for k, value in fields.items() if module is schedules and not isinstance(value, numbers.Real)}
    checked = {name: value for name, value in fields.items() if name not in others}
    made = kind(**_fields(argument, checked, kind.limits, {}), **others)
    custom_part_checks.validate_custom_part(argument, made, module)
    return made


def _fields(argument, values, limits, usual):
    """The fields of a part as floats within their limits; ``then`` is another schedule."""
    return {
        name: schedule(f"{argument}.{name}", value)
        if name == "then"
        else number(f"{argument}.{name}", value, **limits.get(name, usual))
        for name, value in values.items()
    }


def _not_a_part(argument, given, known, module):
    """The error for a value that is not a part."""
    kind = custom_parts.kind_of(module)
    if isinstance(given, type):
        hint = f" Call it: {given.__name__}()."
    elif inspect.isroutine(given):
        methods = " and ".join(f"{word}(self, {needs})" for word, needs in PROTOCOLS[kind].required.items())
        hint = f" A function is not enough: pass an instance of a class with {methods} (the guide: Parts of your own)."
    else:
        methods = " and ".join(PROTOCOLS[kind].required)
        names = ", ".join(map(repr, known))
        hint = f" Valid are: {names}, or an instance of a class of {module.__name__} or of yours with {methods}."
    return TypeError(f"{argument}={brief(given)} is not one of fastgd's {kind}.{hint}")


def schedule(argument, given):
    """A schedule from a number (constant), a name or an instance."""
    if isinstance(given, str):
        with contextlib.suppress(ValueError):
            raise TypeError(f"{argument}={given!r} is a string: pass the number {float(given):g} without quotes.")
    if isinstance(given, str) or hasattr(given, "rate"):
        checked = part(argument, given, schedules)
        if hasattr(getattr(checked, "then", None), "then"):
            raise ValueError(f"{argument}.then is a second warm-up: pass one warm-up, followed by another schedule.")
        return checked
    if not isinstance(given, (numbers.Real, np.ndarray)):
        names = ", ".join(snake_case(name) for name in schedules.__all__)
        raise TypeError(f"{argument}={brief(given)} must be a number, one of {names}, or have a method rate(t).")
    return schedules.Constant(number(argument, given, above=0.0))


# One argument each --------------------------------------------------------------------------------------------------


def validation(given):
    """None, a fraction in (0, 1), or a tuple (X, y), (X, y, sample_weight) or (X, y, sample_weight, offset)."""
    if given is None:
        return None
    if isinstance(given, (tuple, list)):
        if len(given) not in (2, 3, 4):
            raise ValueError(
                f"validation must be (X, y), (X, y, sample_weight) or (X, y, sample_weight, offset), got "
                f"{len(given)} items."
            )
        return tuple(given)
    if not isinstance(given, numbers.Real) or isinstance(given, (bool, np.bool_)):
        raise TypeError(f"validation={brief(given, 60)} must be a fraction of the rows such as 0.1, or a pair (X, y).")
    return number("validation", given, above=0.0, below=1.0)


def average(given):
    """None for no averaging, else the first step whose weights are averaged."""
    if given is None or isinstance(given, (bool, np.bool_)):
        return 1 if given else None
    return whole("average", given, 1)


def batch_size(name, value):
    """A whole number of rows."""
    if isinstance(value, numbers.Real) and 0 < value < 1:
        raise TypeError(f'{name}={value:g} must be a whole number of rows, such as 32, or "full".')
    return whole(name, value, low=1)


def replicates(given):
    """The number of bootstrap replicates: 0, or at least 2."""
    count = whole("bootstrap", given, 0)
    if count == 1:
        raise ValueError("bootstrap=1 gives no standard error: pass at least 2 replicates; 200 are usual.")
    return count


def callback(given):
    """A callable or None."""
    if given is not None and not callable(given):
        raise TypeError(f"callback={brief(given)} must be callable.")
    return given


def is_true(name, answer):
    """Whether a user's function returned True; anything but True, False and None is an error."""
    if answer is None or isinstance(answer, (bool, np.bool_)):
        return bool(answer)
    raise TypeError(f"{name} returned {brief(answer)}: return True to end the run, else None or False.")


def verbosity(given):
    """A whole number of at least -1; True is 1."""
    return int(given) if isinstance(given, (bool, np.bool_)) else whole("verbose", given, -1)


def standardize(given):
    """ "auto", "scale", True or False."""
    given = bool(given) if isinstance(given, np.bool_) else given
    return one_of("standardize", given, ("auto", "scale", True, False))


def seed(random_state):
    """A seed in [0, 2**62) from None, an integer or a NumPy generator."""
    if random_state is None:
        return int.from_bytes(os.urandom(8), "little") >> 2  # NumPy's SeedSequence took 3 % of a fit of 100 rows
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**62))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    return whole("random_state", random_state, 0)


@contextlib.contextmanager
def within(argument):
    """Errors raised inside name ``argument``."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{argument}: {error}") from None


def engine(value):
    """None, "dask" or an engine, which puts the rows of a source where they are worked on."""
    if value is None or value == "dask" or hasattr(value, "rows"):
        return value
    raise ValueError(f'engine={brief(value)} must be None, "dask", or an engine such as fastgd.engines.Dask(client).')
