"""What 'auto' becomes: every choice measured on the data, and said in words; and the plan that comes of the choices."""

from dataclasses import dataclass, replace

import numpy as np

from ..inputs import checks, custom_parts
from ..inputs.part_serialization import part_at
from ..inputs.scaling import Scaling
from ..inputs.settings import Settings
from ..kernels.lanes import Data, Parts, lanes_of
from ..parts import optimizers, penalties, schedules
from ..solvers import newton, staged_sgd
from ..solvers.data_statistics import Survey, curvature_of
from ..solvers.passes import Passes
from ..solvers.plan import Model, Plan, are_many
from . import resume
from .entry import USUAL

EPOCHS_NEWTON, EPOCHS_FULL, EPOCHS_BATCHES = 200, 1000, 20
TOL_FULL, TOL_BATCHES = 1e-6, 1e-4
STREAM_BATCH = 32
MARGIN = 1.05  # power iteration comes from below; gradient descent is stable up to twice the rate


@dataclass(frozen=True)
class Choice:
    """What was chosen for one setting: its model, how the weights become the user's, and the words for it."""

    settings: Settings
    survey: Survey
    bounds: tuple | None
    model: Model
    data: Data  # without targets
    scaling: Scaling
    batch: int
    method: str  # "newton", "stages" or "steps"
    epochs: int
    tol: float | None
    passed: int  # the rows so far, of a stream
    past: object
    stream: bool
    words: dict

    @property
    def table(self):
        """What is trained on."""
        return self.survey.table

    @property
    def automatic(self):
        """Whether the rate was chosen."""
        return self.settings.learning_rate == "auto"


def prepared(given, measure=Passes, entry=USUAL):
    """The choice for the arguments of a fit, by name; ``measure`` asks about the data (the reference has its own)."""
    run = resume.result_from(given.pop("resume"), "resume")
    return chosen(given, run, measure, classes=entry.classes, entry=entry)


def chosen(given, run, measure, argument="resume", classes=None, stream=False, entry=USUAL):
    """The choice for checked arguments that go on with the result ``run``, which ``argument`` names, or with None."""
    X, y, weight, bounds = (given.pop(name) for name in ("X", "y", "sample_weight", "bounds"))
    past = run and run.state
    settings = Settings.checked(**given)
    if past is not None:
        settings = resume.agreed(settings, given, past, argument)
    scale, coded = entry.scale and not stream, entry.classes is not None
    table = checks.table(X, y, weight, settings.loss, classes, scale, coded)
    if past is not None:
        table = resume.same_columns(table, run, argument)
    choice = choose(Survey(table, settings, measure), settings, bounds, past, stream, alone=True, entry=entry)
    if past is not None:
        resume.check(choice, plan_of([choice]), past, argument)
    return choice


def choose(survey, settings, bounds=None, past=None, stream=False, alone=False, entry=USUAL):
    """Resolve every 'auto' on the data, or as the run ``past`` did; ``stream``: the data are a chunk.

    ``alone``: the run may have its passes to itself, which folds share. ``entry`` says where it begins.
    """
    table = survey.table
    if survey.measure is Passes:  # the reference compiles nothing
        custom_parts.compile_custom_part("loss", settings.loss, table.X.dtype)
        custom_parts.compile_custom_part("optimizer", settings.optimizer, table.X.dtype)
    d, words = table.X.shape[1], {} if past is None else dict(past.facts["words"])
    for name in ("epochs", "tol"):  # which may change
        words.pop(name, None)
    if settings.lazy and not table.X.sparse:
        raise ValueError("lazy=True is for sparse X, whose rows hold numbers in some of the columns: leave it out.")
    if table.note:
        words["X"] = table.note
    n, automatic = survey.n, settings.learning_rate == "auto"
    batch = chosen_batch(settings, n, stream, words)
    method = chosen_method(settings, table, bounds, batch, n, stream, alone and entry.coef is None)
    scaling, standardize = chosen_scaling(survey, settings, automatic, past, stream, words)
    data = survey.data(scaling)
    bounds = checks.box(bounds, d)
    penalty, low, high = penalty_and_box(settings, bounds, scaling, d)
    coef = None
    if past is None:
        optimizer = chosen_optimizer(
            settings, automatic, batch == n, table.X.sparse and d >= newton.LARGEST, method, words
        )
        outputs = len(table.classes) if settings.loss.joint else len(table.y)
        constants = survey.constants(settings.loss) if automatic and settings.fit_intercept else np.zeros(outputs)
        if settings.optimizer == "auto" and optimizer.scale_free:
            sizes = survey.distances(settings.loss, constants)
            optimizer = optimizer._replace(epsilon=optimizer.epsilon * sizes.min())  # it is in units of the gradient
        # Where the loss goes by the residual alone, the constant is taken off the target: float32 keeps its digits.
        centre = constants if settings.loss.residual_only else np.zeros(len(table.y))
        start = constants - centre if settings.loss.residual_only else constants
        start_loss = survey.constant_loss(settings.loss, constants)
        if entry.coef is not None:
            coef, start = scaling.from_user(entry.coef, entry.intercept - centre)
    else:
        optimizer = part_at(past, "optimizer", optimizers) if settings.optimizer == "auto" else settings.optimizer
        centre, start, start_loss = (np.array(past.facts[name]) for name in ("centre", "start", "start_loss"))
        constants = start + (centre if settings.loss.residual_only else 0.0)
    passed, chunk_loss = n, start_loss
    if stream and past is not None:
        passed += past.facts["passed"]
        chunk_loss = survey.constant_loss(settings.loss, constants)
        start_loss = start_loss + (chunk_loss - start_loss) * n / passed
    survey.targets(table, settings.loss, centre)  # raises where they are not in the loss's domain
    if not np.isfinite(start_loss).all():
        raise ValueError("y has values whose loss overflows: divide y by its largest value.")
    epochs, tol = chosen_limits(settings, batch, n, method, words)
    pace, sizes = np.ones(len(start)), np.ones(len(table.y))
    if automatic:
        sizes = survey.distances(settings.loss, constants)
    if method != "steps":
        survey.scaling(True)  # raises where columns are not finite or their squares overflow, also where left as is
    if method == "newton":
        schedule, words["learning_rate"] = schedules.Constant(1.0), "1: whole steps, shorter where the loss would rise"
    elif past is not None and (automatic or stream) and not custom_parts.is_custom(settings.learning_rate):
        schedule = part_at(past, "schedule", schedules)
        pace = np.array(past.facts["pace"])
    elif method == "stages":
        schedule = schedules.Constant(staged_sgd.first_rate(d, batch))
        staged_sgd.describe(words, schedule.initial, batch)
    elif automatic:
        parts = Parts(settings.loss, optimizer, penalty)
        found = [
            automatic_rate(survey, parts, (scaling, standardize), batch, sizes[k], constants[k], table.y[k])
            for k in range(len(table.y))
        ]
        schedule, words["learning_rate"] = found[0]
        if len(found) > 1:
            pace = np.array([one.rate(1.0) / schedule.rate(1.0) for one, _ in found])
            words["learning_rate"] += "; of the other targets times " + ", ".join(f"{times:.3g}" for times in pace[1:])
    else:
        schedule = resolved_schedule(settings, -(-n // batch), epochs, stream)
    # The penalty of zero weights is zero; other weights need a pass.
    known = stream or (coef is None and not ((low > 0).any() or (high < 0).any()))
    model = Model(
        loss=settings.loss,
        optimizer=optimizer,
        penalty=penalty,
        schedule=schedule,
        pace=pace,
        low=low,
        high=high,
        centre=centre,
        start=start,
        start_loss=np.maximum(start_loss, chunk_loss) if known else np.full(len(start_loss), np.inf),
        constant_loss=start_loss,
        size=sizes,
        coef=coef,
    )
    if stream:
        epochs = 1 if past is None else past.facts["epoch"] + 1
    return Choice(
        settings, survey, bounds, model, data, scaling, batch, method, epochs, tol, passed, past, stream, words
    )


def plan_of(choices, models=None, folds=None):
    """The plan of choices that make one group: their models, or those given; all have the first one's kinds of parts.

    ``folds`` are those that the models' numbers refer to.
    """
    first = choices[0]
    survey, settings, stream = first.survey, first.settings, first.stream
    models = tuple(models or (choice.model for choice in choices))
    penalty = next((model.penalty for model in models if type(model.penalty) is not penalties.Free), models[0].penalty)
    models = tuple(
        model if type(model.penalty) is type(penalty) else replace(model, penalty=type(penalty)()) for model in models
    )
    parts = Parts(models[0].loss, models[0].optimizer, penalty)
    centres = list(dict.fromkeys(tuple(model.centre) for model in models))

    def with_targets(data, table):
        rows = [survey.targets(table, parts.loss, np.array(centre)) for centre in centres]
        joint = len(table.classes) if parts.loss.joint else 1
        return data._replace(targets=rows[0] if len(rows) == 1 else checks.frozen(np.concatenate(rows)), classes=joint)

    held = None
    if survey.held is not None:
        table = survey.held
        held = with_targets(
            first.data._replace(rows=table.X, weight=table.weight, count=float(table.X.shape[0])),
            table,
        )
    dtype = survey.measure.lane_type(survey.table.X.dtype)
    lanes = lanes_of(models, dtype, settings.average)
    if first.method == "newton":
        lanes.carry[:] = np.concatenate([model.size for model in models])[:, None]
    elif first.method == "stages":
        lanes = staged_sgd.Book.lanes(lanes, -(-survey.n // first.batch))
    targets = len(survey.table.y)
    for k, model in enumerate(models):
        width = len(model.start)
        lanes.target[k * width : (k + 1) * width] = centres.index(tuple(model.centre)) * targets + (
            0 if parts.loss.joint else model.target + np.arange(width)
        )
    data = with_targets(first.data, survey.table)
    if any(model.replicate >= 0 for model in models):
        data = data._replace(seed=settings.random_state)
        totals = survey.measure(data, settings.n_threads).totals(lanes)
        if not totals.all():
            raise ValueError("bootstrap: a replicate draws no row of positive weight: there are too few rows for it.")
        lanes.scale[:] = data.count / totals
    if folds is not None:
        data = data._replace(roles=checks.frozen(folds.roles))
        lanes.scale[:] = (data.count / fold_weights(folds.roles, data.weight))[lanes.fold]
    full, many = first.batch == survey.n and not (stream and settings.batch_size is not None), are_many(data, lanes)
    if settings.parallel and (full or many or not data.rows.sparse):
        raise ValueError(
            "parallel='hogwild' is for one model on batches of sparse rows: leave it out, or pass a SciPy sparse "
            "matrix and batch_size=1."
        )
    return Plan(
        data=data,
        parts=parts,
        lanes=lanes,
        models=models,
        batch=first.batch,
        full=full,
        method=first.method,
        shuffle=settings.shuffle,
        seed=settings.random_state,
        many=many,
        epochs=first.epochs,
        max_steps=settings.max_steps,
        tol=first.tol,
        patience=settings.patience,
        n_threads=settings.n_threads,
        rows=survey.rows,
        held=held,
        past=first.past,
        stream=stream,
        lazy=settings.lazy,
        parallel=settings.parallel,
        evaluate=settings.evaluate,
        automatic_rate=first.automatic,
        callback=settings.callback,
        verbose=settings.verbose,
    )


def fold_weights(roles, weight):
    """The sums of the weights of the rows that each fold trains on."""
    found = np.empty(len(roles))
    for f, role in enumerate(roles):
        trained = np.maximum(role, 0)
        found[f] = np.sum(trained * weight.astype(np.float64)) if weight.size else trained.sum(dtype=np.float64)
        if found[f] == 0 or (weight.size and not weight[role < 0].any()):
            raise ValueError(f"cv: all rows that split {f} trains on, or that it tests on, have weight zero.")
    return found


def chosen_batch(settings, n, stream, words):
    """Rows a step; a stream's chunks are read in batches, as the data never are there as a whole."""
    if settings.batch_size == "auto":
        words["batch_size"] = f"{STREAM_BATCH} rows a step" if stream else f"all {n} rows a step (full batch)"
    size = STREAM_BATCH if stream and settings.batch_size == "auto" else settings.batch_size
    if size in ("auto", None):
        return n
    # A chunk shorter than a batch is a short batch, so that chunks and one table of them take the same steps.
    return size if stream and settings.shuffle != "replacement" else min(size, n)


def chosen_method(settings, table, bounds, batch, n, stream, alone):
    """How to descend: by Newton's steps or in stages where all is left to be chosen, else by the optimizer's steps."""
    if newton.suits(settings, table.X.shape[1], batch == n and not stream):
        return "newton"
    return "stages" if alone and staged_sgd.suits(settings, table, bounds, batch, n, stream) else "steps"


def chosen_optimizer(settings, automatic, full, wide, method, words):
    """The optimizer given, or one that suits the batches."""
    if method == "stages":
        return optimizers.Sgd()
    if method == "newton":
        words["optimizer"] = "newton: each step solves with how the loss bends, whatever the columns' scales are"
        return optimizers.Sgd()
    if settings.optimizer != "auto":
        return settings.optimizer
    optimizer = optimizers.Sgd()
    if automatic:
        # 327,346 flights in batches of 32, excess over the optimum: Sgd 2.5 % after 20 epochs, Adam 0.3 % after 7.
        optimizer = optimizers.Momentum() if full and settings.loss.smooth else optimizers.Adam()
        if wide and not full:  # each of Adam's steps moves all columns
            optimizer = optimizers.Sgd()
    words["optimizer"] = type(optimizer).__name__.lower()
    return optimizer


def chosen_scaling(survey, settings, automatic, past, stream, words):
    """How columns are scaled, and whether they are."""
    if past is not None:
        dtype = survey.table.X.dtype
        return Scaling(past.arrays["shift"].astype(dtype), past.arrays["inverse_scale"].astype(dtype)), None
    standardize = automatic if settings.standardize == "auto" else settings.standardize
    scaling = survey.scaling(standardize, stream)
    still = np.flatnonzero(scaling.inverse_scale == 0)
    if still.size:
        names, d = survey.table.names, len(scaling.shift)
        label = repr(names[still[0]]) if names else still[0]
        words["constant_columns"] = f"{still.size} of {d} do not vary (the first: {label}); their coefficient is 0"
    if settings.standardize == "auto":
        sparse = " (not centred, as X is sparse)" if survey.table.X.sparse else ""
        words["standardize"] = f"{standardize}: " + (
            f"columns are scaled{sparse} as they are read"
            if standardize
            else "a given learning_rate acts on the raw columns"
        )
    return scaling, standardize


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


def chosen_limits(settings, batch, n, method, words):
    """How many epochs at most, and the tolerance."""
    epochs, tol = settings.epochs, settings.tol
    if tol == "auto":
        tol = (TOL_FULL if batch == n else TOL_BATCHES) if epochs == "auto" and settings.max_steps is None else None
        words["tol"] = "off, as epochs or max_steps is given" if tol is None else f"{tol:g}"
    if epochs == "auto":
        usual = EPOCHS_FULL if batch == n else EPOCHS_BATCHES
        found = {"newton": EPOCHS_NEWTON, "stages": staged_sgd.chosen_epochs(n, EPOCHS_BATCHES)}
        epochs = found.get(method, usual)
        if settings.max_steps is not None:
            epochs = max(epochs, -(-settings.max_steps * batch // n) + 1)
        words["epochs"] = f"at most {epochs}"
    return epochs, tol


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


def automatic_rate(survey, parts, scaled, batch, size, constant, y):
    """A rate for a target that the curvature of the data allows, as a schedule, and the words for it.

    ``scaled`` is how columns are scaled, and whether they are; ``size`` is how far the target ``y`` lies from the
    ``constant`` where the run starts: it sizes the steps of an optimizer whose moves do not grow with the gradient.
    """
    n, table, (scaling, _) = survey.n, survey.table, scaled
    loss, optimizer = parts.loss, parts.optimizer
    curvature = curvature_of(loss, table, y, constant, size)
    smooth = MARGIN * survey.curvature(*scaled)
    with np.errstate(all="ignore"):
        if batch < n:
            # The smoothness a batch of b meets on average lies between the whole data's and the largest row's (Gower
            # et al. 2019, proposition 3.8).
            largest = survey.largest_row(*scaled)
            smooth = (n * (batch - 1) * smooth + (n - batch) * largest) / (batch * (n - 1))
    smooth *= curvature
    if not np.isfinite(smooth):
        checks.finite_columns(table.X, table.names)
        hint = "" if np.any(scaling.inverse_scale != 1) else ", or pass standardize=True"
        raise ValueError(f"X has values whose squares overflow: divide its columns{hint}.")
    if optimizer.scale_free:
        scaled = np.any(scaling.inverse_scale != 1)
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
