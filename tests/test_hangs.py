"""What hangs is told from what is slow."""

import subprocess
import sys

import hangs
import pytest

pytestmark = pytest.mark.skipif(hangs.processor_seconds(0) is None, reason="nothing says what a process takes")
WAITS = "import os; os.fork() or os.read(os.pipe()[0], 1); os.read(os.pipe()[0], 1)"


def start(script):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", script], start_new_session=True, **pipes)


@pytest.mark.parametrize("script", [WAITS, "while True: pass"], ids=["waits", "runs"])
def test_a_process_that_hangs_fails(script, monkeypatch):
    monkeypatch.setattr(hangs, "LOOK", 0.1)
    monkeypatch.setattr(hangs, "MOST", 0.2)
    with pytest.raises(pytest.fail.Exception, match="hangs"):
        hangs.said_by(start(script))


def test_a_process_that_takes_many_looks_does_not(monkeypatch):
    monkeypatch.setattr(hangs, "LOOK", 0.001)
    monkeypatch.setattr(hangs, "IDLE", 10**9)
    said = hangs.said_by(start("import sys; print(sum(range(10**6))); print('end', file=sys.stderr)"))
    assert said == ("499999500000\n", "end\n")
