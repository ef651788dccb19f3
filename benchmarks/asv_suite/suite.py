"""What is tracked: times, memory, what is compiled, and numbers that no clock has a part in.

Every parameter and round is a process of its own, so there is one size of a case: the gate's, or else its first
where the data are no larger than `NUMBERS`. Only public functions of fastgd's are called: old commits have them too.
"""

import contextlib
import time
from functools import lru_cache

import numpy as np

import fastgd
from benchmarks import cases, instructions, measure, race
from benchmarks.processes import FIRST_FIT, compiled_anew, process  # asv takes a module's `processes` for a setting

from . import HERE

NUMBERS = 20_000_000


def chosen():
    """{name: (case, data)} of what is tracked."""
    pairs = [(case, case.gate or case.sizes[0]) for case in cases.CASES]
    return {f"{case.name}, {data}": (case, data) for case, data in pairs if data.n * (data.drawn or data.d) <= NUMBERS}


CHOSEN = chosen()
GATED = [name for name, (case, _) in CHOSEN.items() if case.gate]


def work_of(name):
    return race.Work.of(*CHOSEN[name])


@lru_cache(maxsize=1)
def warmed(name):
    """A run of a case that was called twice: nothing is left to be compiled."""
    run = race.ours(work_of(name), fastgd)
    run(), run()
    return run


class Fits:
    params, param_names = list(CHOSEN), ["case"]
    warmup_time, repeat = 0, (3, 10, 3.0)  # warm by setup; 3 to 10 samples in about 3 s, in each of two rounds

    def setup(self, name):
        self.run, self.watched = warmed(name), contextlib.ExitStack()
        self.watched.enter_context(measure.no_compiling())

    def teardown(self, name):
        self.watched.close()

    def time_fit(self, name):
        self.run()


class Outcomes:
    """What a fit comes to, beside which its time is to be read, and how many kernels it needs."""

    params, param_names = list(CHOSEN), ["case"]

    def track_objective(self, name):
        work = work_of(name)
        return float(np.min(race.finished(work, race.ours(work, fastgd))()()))

    def track_signatures(self, name):
        warmed(name)
        return len(measure.signatures())


class Memory:
    params = [name for name, (_, data) in CHOSEN.items() if data == cases.DENSE]
    param_names = ["case"]

    def peakmem_fit(self, name):
        race.ours(work_of(name), fastgd)()


class Ratios:
    """How many times faster than the NumPy reference; for many models at once that would take minutes."""

    params, param_names = [name for name in GATED if CHOSEN[name][0].lanes == 1], ["case"]
    timeout, unit, repeats = 300, "x", 3

    def track_ratio(self, name):
        runs = {who: race.ours(work_of(name), library) for who, library in race.OURS.items()}
        seconds = measure.interleave(runs, self.repeats)
        return min(seconds["NumPy reference"]) / min(seconds["fastgd"])


AGAIN = f"import sys; sys.path.insert(0, {str(HERE.parent)!r}); from asv_suite import suite"  # in another process
FIRST = f"{AGAIN}; suite.first(sys.argv[1])"


def first(name):
    """Print how much longer the first run of a case takes than the second, in CPU seconds."""
    run, clock = race.ours(work_of(name), fastgd), [time.process_time()]
    for _ in range(2):
        run()
        clock.append(time.process_time())
    print(2 * clock[1] - clock[0] - clock[2])


class Compiling:
    params, param_names = [name for name in GATED if CHOSEN[name][0].kernels], ["case"]
    timeout, unit = 300, "CPU s"

    def track_compile_seconds(self, name):
        return compiled_anew(FIRST, name)


class Starts:
    def setup(self):
        process(FIRST_FIT)  # what it compiles is on the disk then

    def timeraw_import(self):
        return "import fastgd"

    def timeraw_first_fit(self):
        return FIRST_FIT


COUNTED = f"{AGAIN}; from benchmarks import gated; gated.main('counted', *sys.argv[1:])"


class Instructions:
    """Counts under valgrind, all in one go, where it is installed."""

    params, param_names = [CHOSEN[name][0].name for name in GATED], ["case"]
    unit = "instructions"

    def setup_cache(self):
        if instructions.missing():
            return {}
        return instructions.count(["-c", COUNTED, *self.params], {})[0]

    setup_cache.timeout = 900

    def setup(self, counts, name):
        if name not in counts:
            raise NotImplementedError("not counted here")  # asv says n/a

    def track_instructions(self, counts, name):
        return counts[name]
