"""Where a run over batches begins: at a fresh state, or at that of the run it goes on with."""

import os

import numpy as np

from ..results import npz
from ..results.batch_state import BatchState
from ..results.loading import load
from ..wording import count


def resumed_state(resume):
    """The state of what ``resume`` is given."""
    if resume is None:
        return None
    if isinstance(resume, (str, os.PathLike)):
        resume = load(resume)
    state = getattr(resume, "state", resume)
    if not isinstance(state, BatchState):
        raise TypeError(f"resume={type(resume).__name__} must be a result of minimize with data, or its state.")
    return state


def state_of(run):
    """The state that a run begins with: fresh, or that of the run it goes on with."""
    task, options, dtype = run.task, run.options, run.functions.nest.dtype
    begun = np.append(task.start, dtype.type(0))
    memory = [] if run.watching is None else list(run.watching.memory)
    fresh = BatchState(
        weights=begun.copy(),
        slots=np.zeros((1, run.optimizer.slots, begun.size), dtype),
        carry=np.ones(2),
        averages=np.zeros(0 if options.average is None else begun.size),
        sums=np.zeros(1),
        best=np.zeros(0, dtype),
        start=begun,
        records=np.zeros((0, 4)),
        plateau=[1.0, *memory],
        settings=settings_of(run),
    )
    return fresh if task.resumed is None else continued(run, fresh)


def settings_of(run):
    """What a run that goes on must have the same, in words."""
    options, setting, nest, held = run.options, run.setting, run.functions.nest, run.task.held
    places = [f"{leaf.name} {'number' if leaf.number else leaf.shape}" for leaf in nest.leaves]
    return {
        "x0": f"{', '.join(places)} of {nest.dtype}",
        "validation": "None" if held is None else f"{count(held.n, 'row')}",
        "data": run.order.words,
        "optimizer": repr(setting.optimizer),
        "learning_rate": repr(run.schedule) + (", its durations in steps" if setting.schedule.durations else ""),
        "batch_size": str(run.order.batch),
        "shuffle": str(options.shuffle),
        "random_state": str(setting.seed),
        "alpha": repr(setting.alpha),
        "l1_ratio": repr(options.l1_ratio),
        **setting.penalty.settings,
        "average": str(options.average),
        "clip_norm": str(options.clip_norm),
    }


def continued(run, fresh):
    """The state of the run before, checked against this call's settings and the state ``run`` would begin with."""
    state = run.task.resumed
    for name, value in fresh.settings.items():
        if state.settings.get(name) != value:
            period = " (a schedule that is to go on beyond its run needs a period)" if "period" in value else ""
            raise ValueError(
                f"resume: the run had {name}: {state.settings.get(name)}; this call has {value}. Pass the same{period}."
            )
    # Kernels go by these: what contradicts the rest would have them read and write elsewhere.
    sizes = {"records": (len(state.records), 4), "best": (len(state.best) and run.task.start.size,)}
    for name, array in vars(fresh).items():
        if isinstance(array, np.ndarray):
            there, shape = getattr(state, name), sizes.get(name, array.shape)
            if not isinstance(there, np.ndarray) or (there.dtype, there.shape) != (array.dtype, shape):
                raise ValueError(f"resume: its {name!r} must be {array.dtype} of shape {shape}. {npz.REMEDY}")
    whole = (state.steps, state.epoch, state.position)
    if min(whole) < 0 or state.position >= run.order.positions or len(state.plateau) != len(fresh.plateau):
        raise ValueError(f"resume: its place in the epoch contradicts the data. {npz.REMEDY}")
    return state.copy()
