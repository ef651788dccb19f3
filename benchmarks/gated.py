"""What the gate asks of a process of its own, ``python -m benchmarks.gated``: a JSON line before and after each case.

``compiled`` is asked about first calls (`first_calls`), the other questions about cases.

Cases are run at the size of their field ``gate``, on one thread. A process that is killed has said what it was at. The
NumPy reference, which takes a hundred times as long, is given a twentieth of it: it is the yardstick.
"""

import json
import re
import sys
import time
from collections import Counter
from unittest import mock

import numpy as np

import fastgd
from fastgd.kernels import environment

from . import first_calls, instructions, measure, race
from .cases import CASES

GATED = {case.name: case for case in CASES if case.gate}
SECONDS, LEAST_PAIRS = 0.5, 5  # of runs in turn, a case
SHARE = 20
TURNS_TO_SETTLE = 16  # of Python, which specialises what it has run some times: 5 % of a tiny call's instructions
FUSED = re.compile(r"\bvfn?m(?:add|sub)\w*p[sd]\b")  # x86's packed fused multiply-adds


def whole(case):
    """fastgd's call at the gate's size."""
    return race.ours(race.Work.of(case._replace(threads=1), case.gate), fastgd)


def share(case, library):
    """A library's call on a twentieth of the rows, or of the iterations; and what measures its result."""
    options = dict(case.options)
    if "max_iter" in options:
        options["max_iter"] //= SHARE
    small = case.gate._replace(n=max(case.gate.n // SHARE, min(case.gate.n, 100)))
    work = race.Work.of(case._replace(threads=1, options=options), small)
    return race.ours(work, library), work


def checked(case):
    """How far fastgd's objective is from the reference's, relatively. All that is compiled for a case is used once.

    Rows that lie otherwise, or may not be written to, compile nothing more: input checks make them alike.
    """
    whole(case)()
    ours, theirs = (work.objective(race.settled(run())) for run, work in (share(case, x) for x in race.OURS.values()))
    _, work = share(case, fastgd)
    if isinstance(work.X, np.ndarray) and case.call != "minimize":
        for X in (np.asfortranarray(work.X), np.repeat(work.X, 2, axis=0)[::2], work.X.astype(">f8")):
            X.flags.writeable = False
            race.ours(work._replace(X=X), fastgd)()
    return {"apart": float(np.max(np.abs(np.subtract(ours, theirs)) / np.abs(theirs)))}


def timed(case):
    """The least CPU seconds of fastgd's call and of the reference's share, in turn, of all threads of the process.

    On the wall's clock, a busy machine halved or doubled the ratio: one side is short enough to be left alone, one is
    not. On the thread's own, what is handed to another thread would be free.
    """
    runs = [whole(case), share(case, fastgd.reference)[0]]
    for run in (*runs, runs[0]):  # what is compiled is compiled now
        run()
    least, turn = [np.inf, np.inf], 0
    with measure.no_compiling():
        until = time.perf_counter() + SECONDS
        while turn < LEAST_PAIRS or time.perf_counter() < until:
            for side in (0, 1) if turn % 2 else (1, 0):
                began = time.process_time()
                runs[side]()
                least[side] = min(least[side], time.process_time() - began)
            turn += 1
    return {"ours": least[0], "reference": least[1]}


def counted(case):
    """Instructions of some calls, which callgrind reports. The clock stands: the slices of ``minimize`` go by it."""
    run, small = whole(case), share(case, fastgd)[0]
    with mock.patch("time.perf_counter", lambda: 0.0):
        for once in (*[small] * TURNS_TO_SETTLE, run):
            once()
        for k in range(instructions.REPEATS):
            instructions.counting(f"{case.name}|{k}", run)
    return {}


def fused(case):
    """How many packed fused multiply-adds the case's kernels have; what is loaded from a cache can't be looked into."""
    whole(case)()
    code = {
        short(measure.name_of(kernel)): "".join(kernel.inspect_asm().values()) for kernel in environment.dispatchers()
    }
    if gone := set(case.kernels) - code.keys():
        raise LookupError(f"the case names kernels that are not there: {sorted(gone)}; there are {sorted(code)}")
    return {"fused": {name: len(FUSED.findall(code[name])) for name in case.kernels}}


def signatures():
    """{kernel: how many combinations of types this process has of it}."""
    return Counter(short(name) for name, _ in measure.signatures())


def short(name):
    """A kernel's module and name."""
    return ".".join(name.split(".")[-2:])


QUESTIONS = {"checked": checked, "timed": timed, "counted": counted, "fused": fused}


def main(question, *names):
    """Answer for each of the named cases."""
    for name in names:
        print(json.dumps({"at": name}), flush=True)
        answer = first_calls.compiled(name) if question == "compiled" else QUESTIONS[question](GATED[name])
        print(json.dumps({"case": name, **answer}), flush=True)
    print(json.dumps({"signatures": signatures()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
