"""A schedule over a run: its durations in steps, its rates, and what it needs to know of the run."""

import numpy as np

# 0.07 epochs of 100 steps are 7.000000000000001 steps, and 7 steps are a whole period of them. (A share of what has
# passed: with 1e-9 periods more, a run of 1e9 steps began anew at its last one.)
ROUND_UP = 1.0 + 8 * float(np.finfo(np.float64).eps)


def in_steps(schedule, steps_per_epoch, epochs, alpha=0.0):
    """A schedule with its durations in steps, of a run whose length is known.

    Parameters
    ----------
    schedule : schedule
        As the user gave it and ``arguments.schedule`` let it in: its durations in epochs, 0 for the rest of the run.
    steps_per_epoch : int
        At least 1.
    epochs : float
        Of the whole run, with those before it was resumed. A run that ends inside an epoch has a fraction.
    alpha : float, default 0.0
        The penalty's, for ``Optimal`` without one of its own.

    Returns
    -------
    schedule
        Of the same class; ``rate`` takes its steps.

    Raises
    ------
    ValueError
        If ``Optimal`` has no alpha.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.in_steps(schedules.Warmup(schedules.Polynomial(0.1), period=2.0), steps_per_epoch=50, epochs=10)
    Warmup(then=Polynomial(initial=0.1, final=0.0, power=1.0, period=400.0), period=100.0, start=0.0)
    """
    return _resolved(schedule, steps_per_epoch, steps_per_epoch * epochs, alpha)


def _resolved(schedule, unit, total, alpha):
    """The schedule of ``total`` steps, ``unit`` of them an epoch."""
    # A run that ends in its warm-up leaves nothing to what follows; one step keeps its rate(1) defined.
    fields = {name: getattr(schedule, name) * unit or max(float(total), 1.0) for name in schedule.durations}
    if hasattr(schedule, "then"):
        fields["then"] = _resolved(schedule.then, unit, total - fields["period"], alpha)
    if schedule.alpha_of_fit:
        fields["alpha"] = known_alpha(schedule.alpha or alpha)
    return schedule._replace(**fields)


def rates(schedule, first, count, factor=1.0):
    """The rates (count,) of the steps ``first + 1`` on, times ``factor``; positive, also where a schedule ends at 0."""
    t = np.arange(first + 1, first + 1 + count, dtype=np.float64)
    with np.errstate(all="ignore"):
        return np.maximum(schedule.rate(t) * factor + 0.0 * t, np.finfo(np.float64).tiny)


def horizon(schedule):
    """Whether the rates depend on the run's length: a duration, as the user gave it, is the rest of the run."""
    return any(getattr(schedule, name) == 0 for name in schedule.durations) or (
        hasattr(schedule, "then") and horizon(schedule.then)
    )


def watched(schedule):
    """The schedule that is told the loss of each epoch: this one, the one after its warm-up, or None."""
    if schedule.after_epoch is not None:
        return schedule
    return watched(schedule.then) if hasattr(schedule, "then") else None


def known_alpha(alpha):
    """The penalty's weight, which must be above 0."""
    if alpha == 0:
        raise ValueError(
            "learning_rate: the schedule Optimal needs an alpha above 0, the fit's or its own: pass "
            "fastgd.schedules.Optimal(alpha=1e-4), for example."
        )
    return alpha


def known_period(period):
    """A period in steps, which must be above 0."""
    if period == 0:
        raise ValueError(
            "period=0.0 is the rest of a run, whose length is not known here: give a period, or take "
            "fastgd.schedules.in_steps(schedule, steps_per_epoch, epochs) first."
        )
    return period
