"""The door: what the user passes becomes canonical arrays and numbers, or one clear error that names the argument."""

import contextlib
import math
import numbers
from typing import NamedTuple

import numpy as np

from ..kernels.layouts import CSR, Dense, frozen
from ..parts import schedules
from ..parts.registry import PROTOCOLS, brief, snake_case, unknown
from . import custom_part_checks, custom_parts, sparse_rows


class Table(NamedTuple):
    """Canonical data: contiguous, native, read-only to the kernels, of one type ``T`` (float32 or float64)."""

    X: Dense | CSR  # (n, d) T
    y: np.ndarray  # (targets, n) float32 or float64; for classes their codes 0, 1, ... of T
    weight: np.ndarray  # (n,) T of mean 1, or (0,) where rows weigh the same
    names: tuple | None  # the columns' names where X had them
    classes: np.ndarray | None  # the labels, sorted
    note: str | None = None  # how X was made canonical, where that took a copy of sparse rows


def table(X, y, sample_weight, loss, classes=None, scale=True, coded=False):
    """Check and canonicalise the data of a fit; ``classes`` are the labels where they are known."""
    X, names, note = matrix(X)
    y, classes = target(y, X.shape[0], X.dtype, loss, classes, coded)
    return Table(X, y, row_weights(sample_weight, X.shape[0], X.dtype, scale), names, classes, note)


def matrix(X):
    """``X`` as float32 or float64 rows, not copied where they are so already, its columns' names, and a note."""
    names = None
    if hasattr(X, "columns") and hasattr(X, "to_numpy"):
        names = tuple(map(str, X.columns))
        X = _frame(X, names)
    if sparse_rows.is_sparse(X):
        two_dimensions(X.shape)
        rows, note = sparse_rows.csr(X, lambda values: as_float("X", values))
        return rows, names, note if names is None else "sparse columns gathered as CSR, a copy"
    if hasattr(X, "tocsr"):
        raise TypeError(f"X is a {type(X).__name__}, no sparse array of SciPy's: convert it, e.g. by X.tocsr().")
    X = numeric("X", X)
    two_dimensions(X.shape)
    return Dense(frozen(as_float("X", X))), names, None


def two_dimensions(shape):
    """Raise where ``X`` is not a table."""
    if len(shape) != 2:
        hint = " For one column pass X.reshape(-1, 1)." if len(shape) == 1 else ""
        raise ValueError(f"X must have 2 dimensions (rows, columns), got shape {shape}.{hint}")
    if 0 in shape:
        raise ValueError(f"X is empty: its shape is {shape}; at least one row and one column are needed.")


def as_float(name, values):
    """Numbers as a contiguous array of float32 or float64, not copied where they are one."""
    values = numeric(name, values)
    return _canonical(values, "float32" if values.dtype.name in ("float16", "float32") else "float64")


def _frame(X, names):
    """The values of a data frame, sparse where all its columns are, or an error that names the first not of numbers."""
    for name, kind in zip(names, X.dtypes, strict=True):
        code = getattr(kind, "kind", None)  # NumPy's and pandas' types; polars asks otherwise
        if not (code in tuple("biuf") if code else getattr(kind, "is_numeric", lambda: True)()):
            raise TypeError(f"X has the column {name!r} of type {kind}: encode it as numbers or drop it.")
    if len(X.dtypes) and hasattr(X, "sparse") and all(getattr(kind, "fill_value", None) == 0 for kind in X.dtypes):
        return X.sparse.to_coo()
    values = X.to_numpy()
    if values.dtype.kind == "O" and hasattr(X, "iloc"):  # pandas' columns with missing values of their own
        values = X.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def numeric(name, values):
    """``values`` as an array of real numbers."""
    if np.ma.isMaskedArray(values):
        raise TypeError(f"{name} is a masked array: fill or drop its missing values first, e.g. {name}.filled(0).")
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} can't be made an array: {error}.") from None
    if values.dtype.kind == "O":
        try:
            values = values.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{name} holds a number too large for float64.") from None
        except (TypeError, ValueError):
            raise TypeError(f"{name} holds objects that are not numbers: encode or drop them.") from None
    if values.dtype.kind not in "biuf":
        hint = ' For labels of two classes pass e.g. loss="log_loss".' if name == "y" else ""
        raise TypeError(f"{name} is of type {values.dtype}: real numbers are needed.{hint}")
    return values


def _canonical(values, kind):
    with np.errstate(all="ignore"):  # what overflows is found later, and signalling NaNs are NaNs
        values = np.require(values, np.dtype(kind), ["C", "A"])
    return np.asarray(values)


def target(y, n, dtype, loss, classes=None, coded=False):
    """``y`` as (targets, n) numbers; for a loss of classes their labels become codes of ``dtype``, and are returned.

    ``coded``: they are codes already, of one or more targets.
    """
    if sparse_rows.is_sparse(y):
        raise TypeError("y is a sparse matrix: pass y.toarray().")
    if len(getattr(y, "shape", ())) == 2:
        y = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
        y = y.reshape(-1) if y.shape[1] == 1 else y
    raw = np.asarray(y) if loss.labels else numeric("y", y)
    if raw.ndim not in (1, 2) or 0 in raw.shape[1:]:
        raise ValueError(f"y must have shape (rows,) or (rows, targets), got {raw.shape}.")
    if len(raw) != n:
        raise ValueError(f"X has {n} rows and y has {len(raw)}: they must be as many.")
    if loss.labels and coded:
        return frozen(np.ascontiguousarray(np.atleast_2d(raw.T).astype(dtype))), classes
    if loss.labels:
        return codes(raw, dtype, loss, classes)
    # In its own precision: what it is centred by is taken off before it is rounded to the data's type.
    y = as_float("y", np.atleast_2d(raw.T))
    all_finite("y", y, raw.T)
    in_domain(y, loss)
    return frozen(y), None


def codes(raw, dtype, loss, classes=None):
    """Labels (n,) as codes (1, n) of ``dtype``, 0 for the first of the sorted labels, and these."""
    if raw.ndim != 1:
        raise ValueError(f"y must have one dimension, got shape {raw.shape}: one column of labels is fitted at a time.")
    if raw.dtype.kind == "f":
        all_finite("y", raw, raw)
    if raw.dtype.kind not in "biufUSO":
        raise TypeError(f"y is of type {raw.dtype}: labels must be numbers or strings.")
    found = labels_of("y", raw)
    missing = found != found  # NaN alone differs from itself, in an array of objects too
    if np.any(missing):
        raise ValueError(f"y holds NaN, the first in row {int(np.argmax(raw != raw))}: drop or fill such rows.")
    if classes is None:
        check_classes("y", found, loss)
        classes = found
    elif not set(found.tolist()) <= set(classes.tolist()):
        raise ValueError(f"y holds the classes {shown(found)}, but the model's are {shown(classes)}.")
    if loss.joint:
        return frozen(np.searchsorted(classes, raw).astype(dtype)[None]), classes
    # Compared with an array of one: a label may be a tuple.
    return frozen((raw == classes[1:2]).astype(dtype)[None]), classes


def check_classes(name, found, loss):
    """Raise where there are not as many labels as the loss takes."""
    if loss.joint and found.size < 2:
        raise ValueError(f"{name} must hold at least two classes, got {shown(found)}.")
    if not loss.joint and found.size != 2:
        hint = ' For more than two pass loss="multinomial".' if found.size > 2 else ""
        raise ValueError(f"{name} must hold two classes for this loss, got {found.size}: {shown(found)}.{hint}")


def labels_of(name, values):
    """The different labels, sorted."""
    try:
        return np.unique(np.asarray(values))
    except Exception:  # NumPy's, or of the labels' own comparisons
        words = "use numbers or strings, and no missing values"
        raise TypeError(f"{name} holds labels that can't be sorted: {words}.") from None


def known_classes(given, loss):
    """The labels that are known before the data, sorted, or None."""
    if given is None:
        return None
    found = labels_of("classes", given)
    check_classes("classes", found, loss)
    return found


def shown(values):
    """The first few of some values, for a message."""
    return ", ".join(map(brief, values[:5].tolist())) + (", ..." if values.size > 5 else "")


def in_domain(y, loss):
    """Raise for the first target that the loss is not defined for."""
    tests = {"low": ("at least", np.less), "above": ("greater than", np.less_equal)}
    for bound, limit in loss.domain.items():
        words, outside = tests[bound]
        bad = outside(y, limit)
        if bad.any():
            place = first_of(bad)
            raise ValueError(f"{place} = {y[bad][0]:g}: for this loss, targets must be {words} {limit:g}.")


def first_of(bad, name="y"):
    """How the user would index the first flagged value of an array (n,) or (targets, n)."""
    place = np.argwhere(bad)[0][::-1]
    return f"{name}[{', '.join(map(str, place if len(bad) > 1 or bad.ndim == 1 else place[:1]))}]"


def all_finite(name, values, given):
    """Raise for the first value that is not finite, or is no longer in the data's type."""
    bad = ~np.isfinite(values)
    if bad.any():
        value = np.reshape(given, values.shape)[bad][0]
        if np.isfinite(np.float64(value)):
            place = first_of(bad, name)
            raise ValueError(f"{place} = {value} overflows {values.dtype}: pass X as float64, or rescale.")
        row = np.argwhere(bad)[0][-1]
        raise ValueError(f"{name} holds NaN or infinity, the first in row {row}: drop or fill such rows.")


def row_weights(weight, n, dtype, scale=True):
    """Weights, of mean 1 where they are scaled, or an empty array for None."""
    if weight is None:
        return frozen(np.empty(0, dtype))
    weight = numeric("sample_weight", weight)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight has shape {weight.shape}, but X has {n} rows: shape ({n},) is needed.")
    with np.errstate(all="ignore"):
        weight = weight.astype(np.float64)
    all_finite("sample_weight", weight, weight)
    if weight.min() < 0:
        row = int(np.argmin(weight))
        raise ValueError(f"sample_weight is negative in row {row} ({weight[row]}): weights must be zero or more.")
    largest = weight.max()
    if largest == 0:
        raise ValueError("sample_weight is zero in every row: at least one row must count.")
    if not scale and largest > 1e30:
        raise ValueError(f"sample_weight is up to {largest:g}: partial_fit takes weights as they are, of mean about 1.")
    if scale:
        weight /= largest
        weight /= weight.mean()
    return frozen(weight.astype(dtype, copy=False))


def finite_columns(X, names):
    """Raise the error for a non-finite X, naming the first row and column; called once a pass has met one."""
    found = X.non_finite()
    if found is not None:
        row, column = found
        label = f"column {names[column]!r}" if names else f"column {column}"
        raise ValueError(f"X holds NaN or infinity, the first in row {row}, {label}: drop or fill it.")


def part(argument, given, module):
    """A loss, optimizer or schedule from its name or an instance, its fields checked and cast to float."""
    known = {snake_case(name): getattr(module, name) for name in module.__all__}
    if isinstance(given, str):
        if given not in known:
            raise unknown(argument, given, list(known))
        return known[given]()
    if type(given) in (*known.values(), *getattr(module, "BY_ROW", ())):
        return type(given)(**_fields(argument, given._asdict(), getattr(given, "limits", {}), {"low": 0.0}))
    wrapped = custom_parts.wrap_custom_part(argument, given, module)
    if wrapped is None:
        raise _not_a_part(argument, given, known, module)
    kind, fields = wrapped
    if module is schedules:  # never compiled: its fields may be anything
        rest = {name: value for name, value in fields.items() if not isinstance(value, numbers.Real)}
        fields = {name: value for name, value in fields.items() if name not in rest}
        made = kind(**_fields(argument, fields, kind.limits, {}), **rest)
    else:
        made = kind(**_fields(argument, fields, kind.limits, {}))
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
    kind = custom_parts.kind_of(module)
    if isinstance(given, type):
        hint = f" Call it: {given.__name__}()."
    else:
        methods = " and ".join(PROTOCOLS[kind].required)
        names = ", ".join(map(repr, known))
        hint = f" Valid are: {names}, or instances of {module.__name__}'s classes or of yours with {methods}."
    return TypeError(f"{argument}={brief(given)} is not one of fastgd's {kind}.{hint}")


def schedule(argument, given):
    """A schedule from a number (constant), a name or an instance."""
    if isinstance(given, str) or hasattr(given, "rate"):
        checked = part(argument, given, schedules)
        if hasattr(getattr(checked, "then", None), "then"):
            raise ValueError(f"{argument}.then is a warm-up too: give one warm-up, before another schedule.")
        return checked
    if not isinstance(given, (numbers.Real, np.ndarray)):
        names = ", ".join(snake_case(name) for name in schedules.__all__)
        raise TypeError(f"{argument}={brief(given)} must be a number, one of {names}, or have a method rate(t).")
    return schedules.Constant(number(argument, given, above=0.0))


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
    except Exception:  # of a class of the user's own
        raise TypeError(f"{argument}={brief(value)} must be a number.") from None
    if not (math.isfinite(value) and low <= value <= high and above < value < below):
        if math.isfinite(low) and math.isfinite(high):
            needs = [f"in [{low:g}, {high:g}]"]
        else:
            limits = (("at least", low), ("greater than", above), ("less than", below))
            needs = [*(f"{word} {limit:g}" for word, limit in limits if math.isfinite(limit)), "finite"]
        raise ValueError(f"{argument}={value:g} must be {' and '.join(needs)}.")
    return value


def validation(given):
    """None, a share in (0, 1), or a tuple (X, y) or (X, y, sample_weight)."""
    if given is None:
        return None
    if isinstance(given, (tuple, list)):
        if len(given) not in (2, 3):
            raise ValueError(f"validation must be (X, y) or (X, y, sample_weight), got {len(given)} things.")
        return tuple(given)
    if not isinstance(given, numbers.Real):
        raise TypeError(f"validation={brief(given, 60)} must be a share of the rows such as 0.1, or a pair (X, y).")
    return number("validation", given, above=0.0, below=1.0)


def average(given):
    """None where weights are not averaged, else the step from which on they are."""
    if given is None or isinstance(given, (bool, np.bool_)):
        return 1 if given else None
    return whole("average", given, 1)


def replicates(given):
    """How many bootstrap replicates: none, or at least 2."""
    count = whole("bootstrap", given, 0)
    if count == 1:
        raise ValueError("bootstrap=1 has no spread: pass at least 2 replicates, 200 for standard errors.")
    return count


@contextlib.contextmanager
def within(argument):
    """Errors inside name the argument first."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{argument}: {error}") from None


def truthy(name, answer):
    """Whether what a user's function answered is true; an array is where any of it is."""
    try:
        return bool(np.any(answer))
    except Exception:
        raise TypeError(f"{name} returned {brief(answer)}: return True to end the run, else None or False.") from None


def callback(given):
    """A callable or None."""
    if given is not None and not callable(given):
        raise TypeError(f"callback={brief(given)} must be callable.")
    return given


def verbosity(given):
    """A whole number of at least 0; True is 1."""
    return int(given) if isinstance(given, (bool, np.bool_)) else whole("verbose", given, 0)


def truth(argument, value):
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument}={brief(value)} must be True or False.")
    return bool(value)


def standardize(given):
    """ "auto", "scale", True or False."""
    given = bool(given) if isinstance(given, np.bool_) else given
    return one_of("standardize", given, ("auto", "scale", True, False))


def whole(argument, value, low):
    """A whole number of at least ``low``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) or value != value // 1:
        raise TypeError(f"{argument}={brief(value)} must be a whole number.")
    if value < low:
        raise ValueError(f"{argument}={brief(value)} must be at least {low}.")
    if value > 2**62:
        raise ValueError(f"{argument}={brief(value)} is too large.")
    return int(value)


def one_of(argument, value, valid):
    """``value`` where it is one of ``valid``."""
    for known in valid:
        if type(value) is type(known) and value == known:
            return value
    if isinstance(value, str):
        raise unknown(argument, value, valid)
    raise ValueError(f"{argument}={brief(value)} is not known. Valid are: {', '.join(map(repr, valid))}.")


def box(bounds, d):
    """``bounds=(low, high)``, numbers or (d,) arrays or None, as two float64 arrays (d,), or None."""
    if bounds is None:
        return None
    if isinstance(bounds, list) and len(bounds) == d and all(isinstance(pair, (tuple, list)) for pair in bounds):
        raise ValueError("bounds must be (low, high) for all columns, not a pair for each: pass two arrays.")
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(f"bounds must be a pair (low, high), got {brief(bounds)}.") from None
    sides = []
    for side, name, none in ((low, "low", -np.inf), (high, "high", np.inf)):
        side = numeric(f"bounds ({name})", none if side is None else side).astype(np.float64)
        if side.shape not in ((), (1,), (d,)):
            raise ValueError(f"bounds ({name}) has shape {side.shape}; a number or shape ({d},) is needed.")
        if np.isnan(side).any():
            raise ValueError(f"bounds ({name}) holds NaN.")
        sides.append(np.broadcast_to(side, (d,)).copy())
    if (sides[0] > sides[1]).any() or (sides[0] == np.inf).any() or (sides[1] == -np.inf).any():
        j = int(np.argmax((sides[0] > sides[1]) | (sides[0] == np.inf) | (sides[1] == -np.inf)))
        raise ValueError(f"bounds of column {j} are empty: low {sides[0][j]} and high {sides[1][j]}.")
    return tuple(sides)


def seed(random_state):
    """A seed in [0, 2**62) from None, an integer or a NumPy generator."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(2))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**62))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    return whole("random_state", random_state, 0)
