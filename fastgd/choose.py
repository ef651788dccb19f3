"""Settings, and what 'auto' becomes: every choice measured on the data, and said in words."""

from dataclasses import dataclass

import numpy as np

from . import checks, losses, optimizers, own_parts, penalties, resume, schedules
from .drive import Plan
from .holdout import held_out
from .kernels.lanes import NO_ROLES, Data, Parts, lanes_of
from .kernels.rows import Dense
from .part_facts import part_at
from .passes import Passes
from .scaling import Scaling
from .threads import available_threads

EPOCHS_FULL, EPOCHS_BATCHES = 1000, 20
TOL_FULL, TOL_BATCHES = 1e-6, 1e-4
STREAM_BATCH = 32
MARGIN = 1.05  # power iteration comes from below; gradient descent is stable up to twice the rate
SHUFFLES = ("block", "full", "replacement", False)


@dataclass(frozen=True)
class Settings:
    """The arguments of a fit, each checked by itself; 'auto' still stands."""

    loss: tuple
    optimizer: object
    learning_rate: object
    batch_size: object
    alpha: float
    l1_ratio: float
    fit_intercept: bool
    standardize: object
    epochs: object
    max_steps: int | None
    tol: object
    shuffle: object
    validation: object
    patience: int
    average: int | None
    evaluate: bool
    random_state: int
    n_threads: int
    callback: object
    verbose: int

    @classmethod
    def checked(cls, **given):
        """Checked settings, or one error that names the argument."""

        def unless(name, keep, check, *arguments, **options):
            value = given[name]
            if any(
                value is word or (isinstance(word, str) and isinstance(value, str) and value == word) for word in keep
            ):
                return value
            return check(name, value, *arguments, **options)

        threads = unless("n_threads", [None], checks.whole, low=1)
        return cls(
            loss=checks.part("loss", given["loss"], losses),
            optimizer=unless("optimizer", ["auto"], checks.part, optimizers),
            learning_rate=unless("learning_rate", ["auto"], checks.schedule),
            batch_size=unless("batch_size", ["auto", None], checks.whole, low=1),
            alpha=checks.number("alpha", given["alpha"], low=0.0),
            l1_ratio=checks.number("l1_ratio", given["l1_ratio"], low=0.0, high=1.0),
            fit_intercept=checks.truth("fit_intercept", given["fit_intercept"]),
            standardize=unless("standardize", ["auto"], checks.truth),
            epochs=unless("epochs", ["auto"], checks.whole, low=0),
            max_steps=unless("max_steps", [None], checks.whole, low=0),
            tol=unless("tol", ["auto", None], checks.number, low=0.0),
            shuffle=checks.one_of("shuffle", given["shuffle"], SHUFFLES),
            validation=checks.validation(given["validation"]),
            patience=checks.whole("patience", given["patience"], low=1),
            average=checks.average(given["average"]),
            evaluate=checks.truth("evaluate", given["evaluate"]),
            random_state=checks.seed(given["random_state"]),
            n_threads=available_threads() if threads is None else threads,
            callback=checks.callback(given["callback"]),
            verbose=checks.verbosity(given["verbose"]),
        )


@dataclass(frozen=True)
class Choice:
    """A plan to drive, how its weights become the user's, and what was chosen."""

    settings: Settings
    table: checks.Table
    bounds: tuple | None
    plan: Plan
    scaling: Scaling
    centre: float  # what was taken off the target, and goes back into the intercept
    start: float  # the intercept that a run begins with
    start_loss: float  # the objective there; of a stream, of all rows so far
    passed: int  # the rows so far
    words: dict


def prepared(given, measure=Passes):
    """The choice for the arguments of a fit, by name; ``measure`` asks about the data (the reference has its own)."""
    run = resume.result_from(given.pop("resume"), "resume")
    return chosen(given, run, measure)


def chosen(given, run, measure, argument="resume", classes=None, stream=False):
    """The choice for checked arguments that go on with the result ``run``, which ``argument`` names, or with None."""
    X, y, weight, bounds = (given.pop(name) for name in ("X", "y", "sample_weight", "bounds"))
    past = run and run.state
    settings = Settings.checked(**given)
    if past is not None:
        settings = resume.agreed(settings, given, past, argument)
    table = checks.table(X, y, weight, settings.loss, classes, scale=not stream)
    if past is not None:
        table = resume.same_columns(table, run, argument)
    choice = choose(table, settings, checks.box(bounds, table.X.shape[1]), measure, past, stream)
    if past is not None:
        resume.check(choice, past, argument)
    return choice


def choose(table, settings, bounds, measure, past=None, stream=False):
    """Resolve every 'auto' on the data of ``table``, or as the run ``past`` did; ``stream``: the data are a chunk."""
    if measure is Passes:  # the reference compiles nothing
        own_parts.compiled("loss", settings.loss, table.X.dtype)
        own_parts.compiled("optimizer", settings.optimizer, table.X.dtype)
    d, words = table.X.shape[1], {} if past is None else dict(past.facts["words"])
    for name in ("epochs", "tol"):  # which may change
        words.pop(name, None)
    table, rows, held = held_out(table, settings.validation, settings.random_state, settings.loss)
    n = len(table.y) if rows is None else len(rows)
    automatic = settings.learning_rate == "auto"
    batch = chosen_batch(settings, n, stream, words)
    data, scaling = scaled_data(table, n, settings, automatic, measure, words, past, stream)
    penalty, low, high = penalty_and_box(settings, bounds, scaling, d)
    if past is None:
        optimizer = chosen_optimizer(settings, automatic, batch == n, words)
        constant = best_constant(table, settings.loss) if automatic and settings.fit_intercept else 0.0
        size = distance(table, settings.loss, constant) if automatic else 1.0
        if settings.optimizer == "auto" and optimizer.scale_free:
            optimizer = optimizer._replace(epsilon=optimizer.epsilon * size)  # it is in units of the gradient
        # Where the loss goes by the residual alone, the constant is taken off the target: float32 keeps its digits.
        centre = constant if settings.loss.shifts else 0.0
        start = constant - centre
        start_loss = mean_loss(table, settings.loss, constant)
    else:
        optimizer = part_at(past, "optimizer", optimizers) if settings.optimizer == "auto" else settings.optimizer
        centre, start, start_loss = (past.facts[name] for name in ("centre", "start", "start_loss"))
    passed, chunk_loss = n, start_loss
    if stream and past is not None:
        passed += past.facts["passed"]
        chunk_loss = mean_loss(table, settings.loss, centre + start)
        start_loss += (chunk_loss - start_loss) * n / passed
    data = data._replace(targets=targets(table, settings.loss, centre, start_loss))
    parts = Parts(settings.loss, optimizer, penalty)
    lanes = lanes_of(parts, measure.lane_type(table.X.dtype), 1, low, high, settings.average)
    lanes.weights[:, d] = start
    epochs, tol = chosen_limits(settings, batch, n, words)
    if past is not None and (automatic or stream) and not own_parts.is_own(settings.learning_rate):
        schedule = part_at(past, "schedule", schedules)
    elif automatic:
        curvature = curvature_of(settings.loss, table, constant, size)
        passes = measure(data, settings.n_threads)
        schedule, words["learning_rate"] = automatic_rate(table, parts, data, batch, passes, size, curvature)
    else:
        schedule = resolved_schedule(settings, -(-n // batch), epochs, stream)
    plan = Plan(
        data=data,
        parts=parts,
        lanes=lanes,
        schedule=schedule,
        batch=batch,
        full=batch == n and not (stream and settings.batch_size is not None),
        shuffle=settings.shuffle,
        seed=settings.random_state,
        epochs=epochs if not stream else 1 if past is None else past.facts["epoch"] + 1,
        max_steps=settings.max_steps,
        tol=tol,
        patience=settings.patience,
        n_threads=settings.n_threads,
        rows=rows,
        held=None if held is None else held_data(held, data, settings.loss, centre),
        past=past,
        stream=stream,
        evaluate=settings.evaluate,
        automatic_rate=automatic,
        # The penalty of zero weights is zero; other weights need a pass.
        start_loss=max(start_loss, chunk_loss) if stream or not lanes.weights[:, :d].any() else np.inf,
        callback=settings.callback,
        verbose=settings.verbose,
    )
    return Choice(settings, table, bounds, plan, scaling, centre, start, start_loss, passed, words)


def chosen_batch(settings, n, stream, words):
    """Rows a step; a stream's chunks are read in batches, as the data never are there as a whole."""
    if settings.batch_size == "auto":
        words["batch_size"] = f"{STREAM_BATCH} rows a step" if stream else f"all {n} rows a step (full batch)"
    size = STREAM_BATCH if stream and settings.batch_size == "auto" else settings.batch_size
    if size in ("auto", None):
        return n
    # A chunk shorter than a batch is a short batch, so that chunks and one table of them take the same steps.
    return size if stream and settings.shuffle != "replacement" else min(size, n)


def chosen_optimizer(settings, automatic, full, words):
    """The optimizer given, or one that suits the batches."""
    if settings.optimizer != "auto":
        return settings.optimizer
    optimizer = optimizers.Sgd()
    if automatic:
        # 327,346 flights in batches of 32, excess over the optimum: Sgd 2.5 % after 20 epochs, Adam 0.3 % after 7.
        optimizer = optimizers.Momentum() if full and settings.loss.smooth else optimizers.Adam()
    words["optimizer"] = type(optimizer).__name__.lower()
    return optimizer


def scaled_data(table, n, settings, automatic, measure, words, past, stream):
    """What the kernels read, and the scaling of its columns; ``n`` rows are trained on."""
    d, dtype = table.X.shape[1], table.X.dtype
    scaling = Scaling.none(d, dtype)
    no_targets = checks.frozen(np.empty((0, 0), dtype))
    constant = float(settings.fit_intercept)
    data = Data(Dense(table.X), no_targets, table.weight, *scaling, constant=constant, count=float(n), roles=NO_ROLES, seed=0, classes=1)
    if past is not None:
        scaling = Scaling(past.arrays["shift"].astype(dtype), past.arrays["inverse_scale"].astype(dtype))
        return data._replace(**scaling._asdict()), scaling
    standardize = automatic if settings.standardize == "auto" else settings.standardize
    if standardize:
        mean, variance = measure(data, settings.n_threads).moments()
        _finite_moments(table, np.isfinite(mean) & np.isfinite(variance))
        scaling = Scaling.standard(mean, variance, dtype, centre=settings.fit_intercept)
        if stream:  # a column that does not vary in the first chunk may do so later
            scaling = scaling.kept(mean)
        data = data._replace(**scaling._asdict())
        still = np.flatnonzero(scaling.inverse_scale == 0)
        if still.size:
            label = repr(table.names[still[0]]) if table.names else still[0]
            words["constant_columns"] = f"{still.size} of {d} do not vary (the first: {label}); their coefficient is 0"
    if settings.standardize == "auto":
        words["standardize"] = f"{standardize}: " + (
            "columns are scaled as they are read" if standardize else "a given learning_rate acts on the raw columns"
        )
    return data, scaling


def penalty_and_box(settings, bounds, scaling, d):
    """The penalty, and the bounds (d,) of the scaled coefficients."""
    if settings.alpha == 0 and bounds is None:
        return penalties.Free(), np.full(d, -np.inf), np.full(d, np.inf)
    if settings.alpha > float(np.finfo(scaling.shift.dtype).max):
        raise ValueError(f"alpha={settings.alpha:g} overflows {scaling.shift.dtype}: pass X as float64.")
    penalty = penalties.ElasticNet(settings.alpha * settings.l1_ratio, settings.alpha * (1 - settings.l1_ratio))
    low, high = (np.full(d, -np.inf), np.full(d, np.inf)) if bounds is None else map(scaling.to_scaled, bounds)
    for side in (low, high):
        if np.any(np.isfinite(side) & (np.abs(side) > float(np.finfo(scaling.shift.dtype).max))):
            raise ValueError(f"bounds overflow {scaling.shift.dtype}: pass X as float64, or None for no bound.")
    return penalty, low, high


def chosen_limits(settings, batch, n, words):
    """How many epochs at most, and the tolerance."""
    epochs, tol = settings.epochs, settings.tol
    if tol == "auto":
        tol = (TOL_FULL if batch == n else TOL_BATCHES) if epochs == "auto" and settings.max_steps is None else None
        words["tol"] = "off, as epochs or max_steps is given" if tol is None else f"{tol:g}"
    if epochs == "auto":
        epochs = EPOCHS_FULL if batch == n else EPOCHS_BATCHES
        if settings.max_steps is not None:
            epochs = max(epochs, -(-settings.max_steps * batch // n) + 1)
        words["epochs"] = f"at most {epochs}"
    return epochs, tol


def held_data(held, data, loss, centre):
    """What is held out, as the kernels read it."""
    y = targets(held, loss, centre, 0.0)
    return data._replace(rows=Dense(held.X), targets=y, weight=held.weight, count=float(len(held.X)))


def targets(table, loss, centre, start):
    """The targets (1, n) in the data's type, ``centre`` taken off; ``start`` is the objective of predicting it."""
    y, dtype = table.y, table.X.dtype
    if centre != 0.0 or y.dtype != dtype:
        with np.errstate(over="ignore"):
            checks.all_finite("y", y.astype(dtype, copy=False), y)
            y = (y - centre).astype(dtype, copy=False)
        checks.in_domain(y, loss)
    if not np.isfinite(start):
        raise ValueError("y has values whose loss overflows: divide y by its largest value.")
    return checks.frozen(y[None])


def mean_over(table, function, rows=1 << 20):
    """The weighted mean of a function of the target, in float64; some rows at a time, for memory's sake."""
    total = weights = 0.0
    for first in range(0, table.y.size, rows):
        weight = table.weight[first : first + rows].astype(np.float64) if table.weight.size else None
        values = function(table.y[first : first + rows].astype(np.float64))
        total += np.sum(values if weight is None else values * weight)
        weights += values.size if weight is None else np.sum(weight)
    return float(total / weights)


def mean_loss(table, loss, constant):
    """The objective of predicting one number."""
    with np.errstate(all="ignore"):
        return mean_over(table, lambda y: loss.value(np.full(1, constant), y))


def best_constant(table, loss):
    """The best of some constant scores, where a run may start.

    Of two classes, the log of the odds and each class's margin; otherwise the target's mean and median (of at most a
    million rows), or the logarithms of these where a score is one.
    """
    with np.errstate(all="ignore"):
        mean = mean_over(table, lambda y: y)
        if loss.labels:
            # A first chunk may hold one class only, which says nothing about the odds.
            share = min(max(mean, 1e-6), 1 - 1e-6) if 0 < mean < 1 else 0.5
            # The perceptron's loss is least where all scores are zero, which no step can improve on: not from there.
            found = [-1.0, 1.0, *([np.log(share / (1 - share))] if loss.smooth else [])]
        else:
            step = -(-table.y.size // 1_000_000)
            counted = table.weight[::step] > 0 if table.weight.size else slice(None)
            sample = table.y[::step][counted]
            found = [mean, float(np.median(sample)) if sample.size else mean]
            if losses.has_link(loss):
                found = np.log(found)
    found = [float(constant) for constant in found if np.isfinite(constant)] or [0.0]
    return min(found, key=lambda constant: mean_loss(table, loss, constant))


def resolved_schedule(settings, steps, epochs, stream):
    """The schedule given, with its durations in steps."""
    if stream and schedules.horizon(settings.learning_rate):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r} has a duration of 0, the rest of the run: give it a length in "
            "epochs, which are chunks here."
        )
    if settings.max_steps is not None:
        epochs = min(epochs, settings.max_steps / steps)
    return schedules.in_steps(settings.learning_rate, steps, epochs, settings.alpha)


def curvature_of(loss, table, constant, size):
    """The bound of the loss's second derivative; where it has none, what it is on average where the run starts.

    A loss with jumps in its slope is seen from the distance ``size`` of the targets.
    """
    if np.isfinite(loss.curvature):
        return loss.curvature
    h = 1e-3 if loss.smooth else size
    with np.errstate(all="ignore"):
        above, below = np.full(1, constant + h), np.full(1, constant - h)
        found = mean_over(table, lambda y: (loss.slope(above, y) - loss.slope(below, y)) / (2 * h))
    return float(found) if np.isfinite(found) and found > 0 else 1.0


def distance(table, loss, constant):
    """The root mean square of the target less ``constant``; 1 for classes, and where there is none."""
    with np.errstate(all="ignore"):
        away = np.sqrt(mean_over(table, lambda y: (y - constant) ** 2))
    if loss.labels or losses.has_link(loss) or not 0 < away < np.inf:
        return 1.0
    if away**2 > float(np.finfo(table.X.dtype).max) / 1e6:
        raise ValueError(f"y has values whose squares overflow {table.X.dtype}: divide y, or pass X as float64.")
    return float(away)


def _finite_moments(table, finite):
    """Raise for a column that holds NaN or infinity, or whose squares overflow, where ``finite`` (d,) says so."""
    if not finite.all():
        checks.finite_columns(table.X, table.names)
        j = int(np.argmin(finite))
        label = repr(table.names[j]) if table.names else j
        raise ValueError(f"X has values in column {label} whose squares overflow: divide the column by its largest.")


def automatic_rate(table, parts, data, batch, passes, size, curvature):
    """A rate that the curvature of the data allows, as a schedule, and the words for it.

    ``size`` is how far the target lies from where the run starts: it sizes the steps of an optimizer whose moves do
    not grow with the gradient. ``curvature`` is the loss's.
    """
    n = int(data.count)
    loss, optimizer = parts.loss, parts.optimizer
    with np.errstate(all="ignore"):
        smooth = MARGIN * passes.curvature()
        if batch < n:
            # The smoothness a batch of b meets on average lies between the whole data's and the largest row's (Gower
            # et al. 2019, proposition 3.8).
            largest = passes.largest_row()
            smooth = (n * (batch - 1) * smooth + (n - batch) * largest) / (batch * (n - 1))
    smooth *= curvature
    if not np.isfinite(smooth):
        checks.finite_columns(table.X, table.names)
        hint = "" if np.any(data.inverse_scale != 1) else ", or pass standardize=True"
        raise ValueError(f"X has values whose squares overflow: divide its columns{hint}.")
    if optimizer.scale_free:
        scaled = np.any(data.inverse_scale != 1)
        rate = 0.1 * size / (1.0 if scaled else max(1.0, np.sqrt(smooth / curvature)))
        words = "a tenth of the target's distance from where the run starts"
        if optimizer.fades:
            return schedules.Constant(rate), f"{rate:.4g}: {words}"
        return schedules.InverseScaling(rate, 0.5), f"from {rate:.4g}: {words}, falling as 1/sqrt(t)"
    rate = 1.0 / smooth if smooth > 0 else 1.0
    words = f"1 / {smooth:.4g}, the curvature that a batch of {batch} rows can meet"
    if batch == n and loss.smooth:
        return schedules.Constant(rate), f"{rate:.4g}: {words}"
    rate *= optimizer.damping
    power = 0.25 if loss.smooth else 0.5  # a subgradient does not shrink towards the optimum
    return schedules.InverseScaling(rate, power), f"from {rate:.4g}, falling as t**-{power:g}: {words}"
