"""Ctrl-C while a source is read ends the call, whatever its files wait for: here for ever, in a process of its own."""

import os
import signal
import subprocess
import sys
import threading

import hangs
import numpy as np
import pytest
from pieces import Pieces

import fastgd
from fastgd.inputs import opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are POSIX's"),
]
BLOCKED = "waits for its rows"


def say(words):
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


class Waiting:
    """What a shard does as it is read: from the given epoch on, it waits for what never comes."""

    def __init__(self, epoch):
        self.epoch, self.now = epoch, 0

    def __call__(self, shard):
        if self.now >= self.epoch and shard == 2:
            say(BLOCKED)
            threading.Event().wait()

    def callback(self, progress):
        self.now = progress.epoch


def rows(waiting):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 4))
    return Pieces(X, X @ [1.0, 2.0, 3.0, 4.0], sizes=(1000, 1000), step=100, before=waiting)


def fit(epoch, **options):
    opened.LOADED_BYTES = 0
    waiting = Waiting(epoch)
    r = fastgd.fit(rows(waiting), callback=waiting.callback, **options)
    say(f"{r.status} {r.n_epochs} {np.isfinite(r.coef).all()}")


def in_a_run():
    fit(1, loss="huber", tol=None, epochs=100)


def in_steps():
    fit(3, optimizer="momentum", learning_rate=0.1, epochs=100)


def before_a_run():
    fit(0)


def in_predictions():
    r = fastgd.fit(np.eye(4), np.ones(4))
    list(r.predict(rows(Waiting(0))))


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("in_a_run", "interrupted 1 True"),
        ("in_steps", "interrupted 3 True"),
        ("before_a_run", "KeyboardInterrupt"),
        ("in_predictions", "KeyboardInterrupt"),
    ],
)
def test_ctrl_c(scenario, expected):
    process = subprocess.Popen(
        [sys.executable, __file__, scenario],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said = process.stdout.readline()
    assert said == f"{BLOCKED}\n", process.communicate()
    os.kill(process.pid, signal.SIGINT)
    out, err = hangs.said_by(process)
    assert out + err == f"{expected}\n"


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]]()
    except KeyboardInterrupt:
        say("KeyboardInterrupt")
