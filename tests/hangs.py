"""Whether a process hangs: by the processor's time that it takes, as a busy machine can make any wait long."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

LOOK = 30.0  # seconds between looks at a process
IDLE = 4  # looks in a row at which it has taken no time of the processor: it waits for ever
MOST = 600.0  # seconds of the processor: it runs for ever


def processor_seconds(session):
    """What the processes of a session, and those that have ended, have taken; None where nothing says so."""
    used = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session:
            used += sum(map(int, fields[11:15]))
    return used / os.sysconf("SC_CLK_TCK") if Path("/proc/self/stat").exists() else None


def said_by(process):
    """What a process with a session of its own wrote to stdout and stderr; one that hangs is killed, and fails."""
    before, idle = 0.0, 0
    while True:
        try:
            return process.communicate(timeout=LOOK)
        except subprocess.TimeoutExpired:
            used = processor_seconds(process.pid)
        if used is not None:
            idle, before = (idle + 1 if used == before else 0), used
            if idle == IDLE or used > MOST:
                os.killpg(process.pid, signal.SIGKILL)
                said = process.communicate()[1]
                pytest.fail(f"{process.args} hangs, after {used:.0f} s of the processor; it said: {said}")
