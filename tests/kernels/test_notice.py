"""Who waits for the compiler is told once a call, on a terminal or in a notebook."""

import io
import os
import subprocess
import sys
import threading

import hangs
import pytest
from numba.core import event

from fastgd.kernels import notice

SCRIPT = """
import numpy as np
import fastgd
X = np.arange(12.0).reshape(6, 2) / 10
fastgd.fit(X, X @ [1.0, 2.0] + 1, learning_rate=0.1, epochs=3, verbose={verbose})
fastgd.fit(X, X @ [1.0, 2.0] + 1, verbose={verbose})
"""


class Screen(io.StringIO):
    """A stderr that tells when a line was written."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.written = terminal, threading.Event()

    def isatty(self):
        return self.terminal

    def write(self, words):
        if "\n" in words:
            self.written.set()
        return super().write(words)


class Cell(Screen):
    """That of a notebook, which is no terminal."""

    __module__ = "ipykernel.iostream"

    def __init__(self):
        super().__init__(False)


def told(monkeypatch, screen=None, wanted=True, folder="/kept/here", calls=1, times=1):
    """What is told of kernels that take long to compile, some in each call."""
    screen, one = screen or Screen(True), notice.Notice()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(notice, "AFTER", 0.0)
    for _ in range(calls):
        one.begin(wanted)
        screen.written.clear()
        for k in range(times):
            with one.while_compiling(f"kernel{k}", folder), event.trigger_event("numba:compile"):
                if notice.seen() and wanted:
                    screen.written.wait()
    return screen.getvalue()


def test_the_line_names_the_kernel_and_where_it_is_kept_once(monkeypatch):
    words = told(monkeypatch, times=3)
    assert words.count("\n") == 1
    assert "(kernel0 and others)" in words
    assert "kept in /kept/here" in words
    assert "NUMBA_CACHE_DIR" in told(monkeypatch, folder=None)


def test_a_further_call_is_told_in_fewer_words(monkeypatch):
    first, second = told(monkeypatch, calls=2, times=2).splitlines()
    assert "compiles what this kind of call needs" in first
    assert "compiles what this kind of call needs (kernel0 and others). It takes seconds, once." in second
    assert len(second) < len(first) / 2


def test_who_sits_in_a_notebook_is_told(monkeypatch):
    assert told(monkeypatch, Cell()) == told(monkeypatch) != ""


def test_a_line_stands_above_the_bars(monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    with tqdm.tqdm(total=9, file=(screen := Screen(True)), disable=False) as bar:
        words = told(monkeypatch, screen)
        bar.refresh()
    assert "0/9" not in next(line for line in words.splitlines() if "compiles" in line).rpartition("\r")[2]


@pytest.mark.parametrize("terminal, wanted", [(False, True), (True, False)])
def test_it_is_silent_elsewhere(monkeypatch, terminal, wanted):
    assert told(monkeypatch, Screen(terminal), wanted) == ""


def test_code_that_is_found_is_not_compiled(monkeypatch):
    screen, one = Screen(True), notice.Notice()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(notice, "AFTER", 0.0)
    with one.while_compiling("kernel", None):
        pass
    assert (screen.getvalue(), one.spent) == ("", 0.0)


def test_no_stderr_at_all_is_fine(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with notice.Notice().while_compiling("kernel", None):
        pass


def on_terminal(folder, verbose):
    """What a process prints on a terminal that is its stderr, with a cache in a folder."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(verbose=verbose)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    hangs.said_by(process)  # the terminal keeps the few lines
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # as Linux says that the other end was closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_first_call_tells_on_a_terminal_and_a_second_process_has_nothing_to_tell(tmp_path):
    first = on_terminal(tmp_path / "a", 0)
    assert first.count("fastgd.warmup()") == 1
    assert 1 <= first.count("fastgd compiles") <= 2, "in each of the calls, where it takes half a second"
    assert str(tmp_path / "a") in first.replace("\r\n", "")
    assert on_terminal(tmp_path / "a", 0) == ""
    assert on_terminal(tmp_path / "b", -1) == ""
