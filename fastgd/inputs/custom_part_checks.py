"""Checks of a user's own part on a few numbers, before its first use: a wrong derivative is an error."""

import functools
import itertools

import numpy as np

from ..parts.optimizers import decayed
from ..parts.registry import INVERSE_LINKS
from .custom_parts import kind_of, label_of

H = 1e-5  # of the differences
SCORES = np.linspace(-3.0, 3.0, 25)
TARGETS = np.array([-2.5, -1.0, 0.0, 0.4, 1.0, 2.2])
AWAY = np.array([0.2, 0.5, 1.0, 2.0, 4.0])  # from the one limit of the targets
MAX_SLOTS = 3
JOINT = (
    "p (classes,) are the scores of one row and y is the number of its class; it writes a slope for each class into "
    "slopes (classes,) and returns the row's loss."
)


def validate_custom_part(argument, part, module):
    """Check a user's part, once for each value of its fields; raises an error that says what is wrong."""
    with np.errstate(all="ignore"):
        if kind_of(module) == "schedules":
            _check_schedule(label_of(argument, part), part)
        else:
            _check_once(argument, part, kind_of(module))


@functools.lru_cache(maxsize=4096, typed=True)  # two classes of the same fields are equal, but not of one type
def _check_once(argument, part, kind):
    {"losses": _check_loss, "optimizers": _check_optimizer}[kind](label_of(argument, part), part)


# Calls ----------------------------------------------------------------------------------------------------------------


def call(label, part, word, *arguments):
    """What the method ``word`` returns; what it raises becomes an error that says what to write in its place."""
    try:
        return getattr(part, word)(*arguments)
    except Exception as error:
        reason = str(error).replace(type(part).__name__, label.partition("=")[2])
        words = f"{label}: {word} fails ({type(error).__name__}: {reason})."
        raise TypeError(f"{words} {_hint(error, part)}") from error


def _hint(error, part):
    text = str(error)
    if "truth value" in text:
        return "It must work on arrays too: np.where(a, b, c), np.minimum and np.maximum in place of if, min and max."
    if "convert" in text and isinstance(error, TypeError):
        return "It must work on arrays too: NumPy's functions in place of math's."
    if isinstance(error, AttributeError) and "attribute" in text:
        return (
            f"Its fields are: {', '.join(part._fields)}. A part never writes to itself; what changes from step to step "
            "is an optimizer's state or carry."
        )
    if getattr(part, "joint", False):
        return JOINT
    return "It must work on numbers and on arrays, entry by entry."


def elementwise(label, part, word, *arrays):
    """What an elementwise method gives for arrays of one shape, as float64; checked one by one on some of them."""
    shape, method = arrays[0].shape, getattr(part, word)
    values = _real(label, word, call(label, part, word, *arrays))
    if values.shape != shape:
        raise ValueError(
            f"{label}: {word} returns shape {values.shape} for arrays of shape {shape}: it must work entry by entry "
            "(np.maximum in place of max; no sum or mean)."
        )
    bad = ~np.isfinite(values)
    if bad.any():
        where = _location(method, [array[bad][0] for array in arrays])
        raise ValueError(f"{label}: {word} is {values[bad][0]} {where}.")
    for k in range(0, values.size, max(1, values.size // 12)):
        at = [array.flat[k] for array in arrays]
        _check_alone(label, word, call(label, part, word, *at), values.flat[k], _location(method, at))
    return values.astype(np.float64)


def _real(label, word, values, what=""):
    """The values that the method ``word`` returned, as an array of real numbers."""
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{label}: {word} returns {_described(values)}{what}; real numbers are needed.")
    return values


def _check_alone(label, word, alone, together, where):
    """Raise where the method ``word`` gives another number for numbers than among arrays of them."""
    if np.shape(alone) != () or not np.isclose(alone, together, rtol=1e-6, atol=1e-12):
        raise ValueError(
            f"{label}: {word} must work entry by entry, but {where} it gives {together:.6g} in an array and {alone} "
            "alone."
        )


def _location(method, values):
    names = method.__code__.co_varnames[1 : 1 + len(values)]
    return "at " + ", ".join(f"{name}={value:.6g}" for name, value in zip(names, values, strict=True))


def _described(values):
    return f"{values.item()!r}" if values.shape == () else f"an array of {values.dtype}"


# Losses ---------------------------------------------------------------------------------------------------------------


def _targets(loss):
    """Some targets that the loss allows."""
    if loss.labels:
        return np.array([0.0, 1.0])
    domain = loss.domain
    low = max(domain.get("low", -np.inf), domain.get("above", -np.inf))
    high = min(domain.get("high", np.inf), domain.get("below", np.inf))
    edges = [domain[side] for side in ("low", "high") if np.isfinite(domain.get(side, np.nan))]
    if np.isfinite(high - low):
        return np.append(edges, low + (high - low) * np.array([0.05, 0.3, 0.6, 0.95]))
    if np.isfinite(low) or np.isfinite(high):
        return np.append(edges, low + AWAY if np.isfinite(low) else high - AWAY)
    return TARGETS


def _check_loss(label, loss):
    if loss.joint:
        _check_joint_loss(label, loss)
        return
    p, y = (grid.ravel() for grid in np.meshgrid(SCORES, _targets(loss)))
    value = elementwise(label, loss, "value", p, y)
    slope = elementwise(label, loss, "slope", p, y)
    _check_mean(label, loss)
    below, above = (elementwise(label, loss, "value", p + step, y) for step in (-H, H))
    wrong = _wrong_slope(slope, value, below, above, np.abs(value).max())
    if wrong is not None:
        k, given, right = wrong
        ratio = f" (ratio {given / right:.3g})" if abs(right) > 1e-6 else ""
        raise ValueError(
            f"{label}: slope is not the derivative of value in {_location(loss.slope, [0])[3:-2]}: "
            f"{_location(loss.slope, [p[k], y[k]])} slope gives {given:.6g}, differences of value give {right:.6g}"
            f"{ratio}."
        )
    _check_traits(label, loss, p, y, value)


def _wrong_slope(slopes, value, below, above, size):
    """The slope that is furthest from differences of the value: its number, itself and the difference; or None.

    ``below`` and ``above`` are the values at scores less and more by H, of numbers of a ``size`` that may be rounded.
    """
    before, after = (value - below) / H, (above - value) / H
    # At a kink the two differ, and any slope between them is right; elsewhere they are equal.
    differences = np.clip(slopes, np.minimum(before, after), np.maximum(before, after))
    rounding = 64 * np.finfo(float).eps * size / H
    excess = np.abs(slopes - differences) - 1e-5 * np.maximum(np.abs(slopes), np.abs(differences)) - rounding
    k = int(np.argmax(excess))
    return (k, slopes[k], 0.5 * (before[k] + after[k])) if excess[k] > 0 else None


def _check_joint_loss(label, loss):
    """Try a joint loss on rows of two and of three classes."""
    _check_curvature(label, loss)
    for trait in ("residual_only", "squared", "second_derivative", "smoothing_field"):
        if getattr(loss, trait):
            raise ValueError(f"{label}: {trait} is for losses of one score: leave it out where joint=True.")
    rng = np.random.default_rng(0)
    for classes in (2, 3):
        for p in rng.uniform(-3.0, 3.0, (12, classes)):
            for y in range(classes):
                _check_joint_row(label, loss, p, y)
        _check_joint_block(label, loss, rng.uniform(-3.0, 3.0, (classes, 12)), np.arange(12) % classes)


def _check_joint_row(label, loss, p, y):
    """Try a joint loss on one row: its slopes against differences of its value, its curvature against theirs."""
    where = f"at p={np.array2string(p, precision=6, separator=', ')}, y={y}"
    moves = H * np.vstack([np.zeros(p.size), -np.eye(p.size), np.eye(p.size)])
    rows = [_joint_row(label, loss, p + move, y, where) for move in moves]
    value, slopes = (np.array(found) for found in zip(*rows, strict=True))
    below, above = slice(1, p.size + 1), slice(p.size + 1, None)
    wrong = _wrong_slope(slopes[0], value[0], value[below], value[above], max(1.0, abs(value[0])))
    if wrong is not None:
        k, given, right = wrong
        raise ValueError(
            f"{label}: slopes are not the derivatives of the loss that value_and_slopes returns: {where} it writes "
            f"slopes[{k}] = {given:.6g}, differences of the loss give {right:.6g}."
        )
    second = (slopes[above] - slopes[below]) / (2 * H)
    _check_second_derivatives(label, loss, slopes[0], y, second, where)
    largest = np.linalg.eigvalsh(0.5 * (second + second.T)).max()
    if largest > loss.curvature * (1 + 1e-4) + 1e-6:
        raise ValueError(
            f"{label}: curvature={loss.curvature:g} must bound the largest eigenvalue of the loss's second "
            f"derivatives, which is {largest:.6g} {where}. Leave it out if there is no bound."
        )


def _check_joint_block(label, loss, p, y):
    """Compare what a joint loss makes of rows at once, (classes, rows), with single rows."""
    if loss.values_and_slopes is None:
        return
    values, slopes = np.full(y.size, np.nan), np.full(p.shape, np.nan)
    call(label, loss, "values_and_slopes", p.copy(), y, values, slopes)
    for k in range(y.size):
        value, slope = _joint_row(label, loss, p[:, k].copy(), int(y[k]), "")
        if not np.allclose([values[k], *slopes[:, k]], [value, *slope], rtol=1e-6, atol=1e-9):
            raise ValueError(
                f"{label}: values_and_slopes writes the loss {values[k]:.6g} and the slopes {slopes[:, k]} of the "
                f"scores {p[:, k]}, y={y[k]}; value_and_slopes gives {value:.6g} and {slope}."
            )


def _check_second_derivatives(label, loss, slopes, y, second, where):
    """Compare what a joint loss says of its second derivatives at a row with differences of slopes."""
    found = {}
    if loss.mean_second_derivative is not None:
        given = call(label, loss, "mean_second_derivative", slopes.copy(), y)
        found["mean_second_derivative gives"] = np.array(given, float), np.abs(np.diag(second)).mean()
    if loss.second_derivatives is not None:
        given = np.full(second.shape, np.nan)
        call(label, loss, "second_derivatives", slopes.copy(), y, given)
        found["second_derivatives writes"] = given, second
    for words, (given, right) in found.items():
        if given.shape != right.shape or not np.allclose(given, right, rtol=1e-3, atol=1e-5):
            raise ValueError(f"{label}: {words} {given} {where}; differences of slopes give {right}.")


def _joint_row(label, loss, p, y, where):
    """The loss of a row and its slopes (classes,)."""
    given, slopes = p.copy(), np.full(p.size, np.nan)
    value = np.asarray(call(label, loss, "value_and_slopes", given, y, slopes))
    if value.shape != () or value.dtype.kind not in "iuf":
        words = f"an array of shape {value.shape}" if value.shape else _described(value)
        raise TypeError(f"{label}: value_and_slopes returns {words}; the row's loss is needed, a real number. {JOINT}")
    if not np.array_equal(given, p):
        raise ValueError(f"{label}: value_and_slopes writes to p; it may write to slopes alone.")
    if not np.isfinite(value):
        raise ValueError(f"{label}: value_and_slopes returns {value} {where}.")
    if not np.isfinite(slopes).all():
        k = int(np.argmin(np.isfinite(slopes)))
        found = "does not write" if np.isnan(slopes[k]) else f"writes {slopes[k]} into"
        raise ValueError(f"{label}: value_and_slopes {found} slopes[{k}] {where}. {JOINT}")
    return float(value), slopes


def _check_curvature(label, loss):
    curvature = loss.curvature
    if not isinstance(curvature, (int, float)) or not curvature >= 0:
        raise ValueError(f"{label}: curvature={curvature!r} must be a number of at least 0, or infinite.")


def _check_mean(label, loss):
    """Check the mean of the target that a score predicts and, of classes, the probabilities."""
    if loss.link not in INVERSE_LINKS and "mean" not in loss.origin.methods:
        raise ValueError(
            f"{label}: link={loss.link!r} needs a method mean(self, p), the mean of the target that a score predicts; "
            f"without one, links are: {', '.join(map(repr, INVERSE_LINKS))}."
        )
    mean = elementwise(label, loss, "mean", SCORES)
    if loss.link == "identity" and not np.allclose(mean, SCORES):
        raise ValueError(
            f"{label}: mean(p) is not p, but link='identity': name the link in the class, e.g. link = 'log'."
        )
    if loss.probabilities is None:
        return
    shares = np.asarray(call(label, loss, "probabilities", SCORES))
    if shares.shape != (SCORES.size, 2) or not (np.allclose(shares.sum(axis=1), 1.0) and shares.min() >= 0):
        raise ValueError(
            f"{label}: probabilities must return (n, 2) numbers from 0 to 1 whose rows add up to 1, for scores (n,)."
        )


def _check_kinks(label, loss, p, y, value):
    """Check that the lines of a loss add up to it."""
    lines = None if loss.kinks is None else call(label, loss, "kinks", y)
    if lines is None:
        return
    total = sum(np.maximum(low * (place - p), high * (place - p)) for place, low, high in lines)
    if not np.allclose(total, value, rtol=1e-6, atol=1e-9 * np.abs(value).max()):
        k = int(np.argmax(np.abs(total - value)))
        raise ValueError(
            f"{label}: the lines of kinks(y) do not add up to value(p, y): {_location(loss.slope, [p[k], y[k]])}, "
            f"{total[k]:.6g} and {value[k]:.6g}. Each (place, low, high) is the larger of low * (place - p) and "
            "high * (place - p)."
        )


def _check_traits(label, loss, p, y, value):
    _check_curvature(label, loss)
    if loss.second_derivative is not None and elementwise(label, loss, "second_derivative", p, y).min() < 0:
        raise ValueError(f"{label}: second_derivative must not be negative; give a positive substitute there.")
    if loss.smoothing_field not in (None, *loss._fields):
        fields = ", ".join(loss._fields)
        raise ValueError(f"{label}: smoothing_field={loss.smoothing_field!r} is not one of its fields: {fields}.")
    _check_kinks(label, loss, p, y, value)
    curvature = loss.curvature
    second_derivative = (loss.slope(p + H, y) - loss.slope(p - H, y)) / (2 * H)
    if second_derivative.max() > curvature * (1 + 1e-4) + 1e-6:
        k = int(np.argmax(second_derivative))
        raise ValueError(
            f"{label}: curvature={curvature:g} must bound the slope's derivative, which is {second_derivative[k]:.6g} "
            f"{_location(loss.slope, [p[k], y[k]])}. Leave it out if there is no bound."
        )
    moved = loss.value(p + 0.5, y + 0.5)
    if loss.residual_only and not np.allclose(moved, value, rtol=1e-6, atol=1e-9 * np.abs(value).max()):
        k = int(np.argmax(np.abs(moved - value)))
        raise ValueError(
            f"{label}: residual_only=True says that value goes by the difference of its arguments alone, but it gives "
            f"{value[k]:.6g} {_location(loss.value, [p[k], y[k]])} and {moved[k]:.6g} with 0.5 added to both."
        )


# Optimizers -----------------------------------------------------------------------------------------------------------


def _numbers(values):
    """Whether a tuple holds finite real numbers."""
    return isinstance(values, tuple) and all(
        np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf" and np.isfinite(value) for value in values
    )


def _check_optimizer(label, optimizer):
    slots = optimizer.slots
    if type(slots) is not int or not 0 <= slots <= MAX_SLOTS:
        raise ValueError(f"{label}: slots={slots!r} must be a whole number from 0 to {MAX_SLOTS}, set in the class.")
    w, g = np.zeros(6), np.array([0.5, -2.0, 0.0, 1e-3, -30.0, 1.0])
    state, carry = (np.zeros(6),) * slots, (1.0, 1.0)
    for t in (1, 2, 3):
        prepared = call(label, optimizer, "prepare", 0.1, t, carry)
        if not (isinstance(prepared, tuple) and len(prepared) == 2 and all(map(_numbers, prepared)) and prepared[0]):
            raise ValueError(
                f"{label}: prepare returns {prepared!r} at t={t}; (coefficients, carry) is needed, two tuples of "
                "finite numbers, e.g. (lr,), carry."
            )
        c, carry = prepared
        if len(carry) != 2:
            raise ValueError(f"{label}: prepare returns a carry of {len(carry)} numbers; it has two.")
        change, step, after = _move(label, optimizer, slots, c, w, g, state)
        if t == 1 and (change * g > 0).any():
            k = int(np.argmax(change * g > 0))
            raise ValueError(
                f"{label}: move goes up the gradient: its first change is {change[k]:.6g} where the gradient is "
                f"{g[k]:.6g}. Minus is missing."
            )
        _check_single_weights(label, optimizer, c, w, g, state, (change, step, *after))
        w, g, state = decayed(optimizer, c, w) + change, 0.9 * g, after
    if optimizer.by_row and optimizer.row_slope is None:
        raise TypeError(f"{label}: by_row=True needs a method row_slope(self, rate, slope, value, square).")
    _check_zero_gradient(label, optimizer, c, w, state)


def _check_zero_gradient(label, optimizer, c, w, state):
    """Check the traits about steps: ``zero_gradient`` and ``plain``."""
    form, slots = optimizer.zero_gradient, optimizer.slots
    known = {"adagrad": ("epsilon", 1), "momentum": ("beta", 1), "nesterov": ("beta", 2)}
    field, needed = known.get(form, (None, slots))
    if form not in (None, "sgd", *known):
        raise ValueError(f"{label}: zero_gradient={form!r} must be None, 'sgd', 'adagrad', 'momentum' or 'nesterov'.")
    if (field and field not in optimizer._fields) or slots != needed:
        raise ValueError(f"{label}: zero_gradient={form!r} needs the field {field} and slots = {needed}.")
    if form == "nesterov":
        state = (state[0], 0.0 * state[1])  # its last gradient counts once more
    change, step, after = _move(label, optimizer, slots, c, w, 0.0 * w, state)
    expected = {
        "sgd": lambda: (0.0 * w, c[0] + 0.0 * w, *state),
        "adagrad": lambda: (0.0 * w, c[0] / (np.sqrt(state[0]) + optimizer.epsilon), *state),
        "momentum": lambda: (optimizer.beta * (w - state[0]), step, w),
        "nesterov": lambda: (optimizer.beta * (w - state[0]), step, w, 0.0 * w),
    }
    if form and not np.allclose((change, step, *after), expected[form]()):
        raise ValueError(
            f"{label}: zero_gradient={form!r}, but a step without a gradient is not that of {form!r} (fastgd.parts."
            "registry.PROTOCOLS['optimizers'] says what that does). Leave it out to move all columns at each step."
        )
    plain = not slots and np.allclose(_move(label, optimizer, slots, c, w, w + 1.0, state)[0], -c[0] * (w + 1.0))
    if optimizer.plain and not plain:
        raise ValueError(f"{label}: plain=True says that slots is 0 and that the change is -c[0] * g, which it is not.")


def _move(label, optimizer, slots, c, w, g, state):
    """The change, the step and the new state, as arrays like ``w``."""
    try:
        moved = call(label, optimizer, "move", c, w, g, state)
    except TypeError as error:
        if isinstance(error.__cause__, (IndexError, ValueError)) and slots < MAX_SLOTS:
            words = f"{error} Its state is as many numbers as slots says: slots={slots}."
            raise TypeError(words) from error.__cause__
        raise
    if not (isinstance(moved, tuple) and len(moved) == 3 and isinstance(moved[2], tuple)):
        raise ValueError(f"{label}: move must return (change, step, state), the state a tuple; it returns {moved!r}.")
    change, step, after = moved
    if len(after) != slots:
        raise ValueError(
            f"{label}: move returns a state of {len(after)} numbers, but slots={slots}: set slots = {len(after)}."
        )
    named = [("change", change), ("step", step), *((f"state[{k}]", value) for k, value in enumerate(after))]
    made = []
    for name, value in named:
        array = _real(label, "move", value, f" as {name}")
        if array.shape not in ((), w.shape) or (name == "change" and array.shape == ()):
            raise ValueError(f"{label}: move returns {name} of shape {array.shape} for weights of shape {w.shape}.")
        array = np.broadcast_to(array, w.shape).astype(np.float64)
        if not np.isfinite(array).all():
            k = int(np.argmin(np.isfinite(array)))
            raise ValueError(f"{label}: move returns {name} = {array[k]} where the gradient is {g[k]:.6g}.")
        if name == "step" and (array <= 0).any():
            raise ValueError(
                f"{label}: move returns the step {array.min():.6g}; the second number it returns is the size of the "
                "proximal step, greater than 0 (the rate itself in plain descent)."
            )
        made.append(array)
    return made[0], made[1], tuple(made[2:])


def _check_single_weights(label, optimizer, c, w, g, state, moved):
    """Raise where ``move`` gives other numbers for one weight than for an array of them."""
    for k in range(w.size):
        change, step, after = call(label, optimizer, "move", c, w[k], g[k], tuple(slot[k] for slot in state))
        for alone, together in zip((change, step, *after), moved, strict=True):
            _check_alone(label, "move", alone, together[k], f"where the gradient is {g[k]:.6g}")


# Schedules ------------------------------------------------------------------------------------------------------------


def _check_schedule(label, schedule):
    t = np.array([*itertools.chain(range(1, 17), (100, 1000, 10_000, 1_000_000))], dtype=np.float64)
    if np.ndim(call(label, schedule, "rate", t)) == 0:
        rate = np.full(t.shape, float(schedule.rate(t)))  # one number for all steps
    else:
        rate = elementwise(label, schedule, "rate", t)
    if (rate < 0).any():
        k = int(np.argmax(rate < 0))
        raise ValueError(f"{label}: rate is negative {_location(schedule.rate, [t[k]])}: {rate[k]:.6g}.")
    if not (rate > 0).any():
        raise ValueError(f"{label}: rate is 0 at every step.")
