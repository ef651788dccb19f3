"""``minimize`` and its sweep over data: the runs of a user's functions on batches, on all cores."""

import functools

from ..kernels.threads import available_threads, may_share_threads, run_tasks
from ..results.progress import Bar
from .batch_result import result_of
from .batch_run import BatchRun
from .batch_start import resumed_state
from .batch_task import task_of


def minimize_batches(fun, x0, grad, data, given, points, limits, resume=None, kind=BatchRun):
    """The results of runs over batches, one for each of ``points``, dicts of what differs between them.

    ``given`` are the options of runs over data by name, those of ``fun`` and ``grad`` among them; ``kind`` is the class
    of the runs.
    """
    task, settings = task_of(fun, x0, grad, data, given, points, limits, resumed_state(resume))
    runs = [kind(task, setting, k) for k, setting in enumerate(settings)]
    drive(runs, limits)
    return finished(runs)


def drive(runs, limits):
    """Take all runs to their ends, a slice of each in turn, on all cores; Ctrl-C is one."""
    n_threads = 1 if limits.callback is not None else threads_of(runs)
    bar, seen = Bar(limits.verbose > 0, runs[0].options.epochs, "epoch"), [run.state.epoch for run in runs]
    try:
        while live := [run for run in runs if not run.ended]:
            for here in {id(run.order): run.order for run in live}.values():
                states = [run.state for run in live if run.order is here]
                if all(map(here.waits, states)):
                    here.read_for(states)
            # A callback is asked after each epoch.
            run_tasks(functools.partial(_advance, live, limits.callback is not None), len(live), n_threads)
            for run in live:
                if limits.callback is not None and run.state.epoch > seen[run.number]:
                    run.ask(limits.callback)
                seen[run.number] = run.state.epoch
            if len(runs[0].state.records):
                bar.update(runs[0].state.epoch, runs[0].state.records[-1][0])
    except KeyboardInterrupt:
        for run in runs:
            run.interrupt()
    finally:
        bar.close()
        runs[0].task.close()


def _advance(runs, within_epoch, k):
    """Take one of some runs on."""
    runs[k].advance(within_epoch)


def threads_of(runs):
    """How many threads runs go on: functions in Python take turns anyway."""
    return 1 if any(run.function is None for run in runs) or not may_share_threads() else available_threads()


def finished(runs):
    """The results of runs that have ended; Ctrl-C spares the passes that tell what they are worth."""
    found = [None] * len(runs)

    def work(k):
        found[k] = result_of(runs[k])

    try:
        run_tasks(work, len(runs), threads_of(runs))
    except KeyboardInterrupt:
        for k in (k for k, result in enumerate(found) if result is None):
            runs[k].end("interrupted", f"Ctrl-C after step {runs[k].state.steps}, as fun was taken over all rows.")
            work(k)
    return found
