"""The suite that asv runs, in this process at the smallest sizes: its environments are not built here."""

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .asv_suite import suite

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
CONF = json.loads((ROOT / "asv.conf.json").read_text())
KINDS = ("time_", "timeraw_", "peakmem_", "track_")
BENCHMARKS = [
    (group, name)
    for group in vars(suite).values()
    if inspect.isclass(group) and group.__module__ == suite.__name__
    for name in vars(group)
    if name.startswith(KINDS)
]


def test_conf():
    assert (ROOT / CONF["benchmark_dir"]).resolve() == Path(suite.__file__).parent
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert all(Path(CONF[folder]).parts[0] + "/" in ignored for folder in ("env_dir", "results_dir", "html_dir"))
    assert {kind for kind in KINDS for _, name in BENCHMARKS if name.startswith(kind)} == set(KINDS)


@pytest.mark.parametrize(("group", "name"), BENCHMARKS, ids=[name for _, name in BENCHMARKS])
def test_benchmark(group, name, monkeypatch):
    """Each benchmark runs on the smallest data, and raises in no part of it."""
    monkeypatch.setattr(suite, "CHOSEN", {key: (case, case.small) for key, (case, _) in suite.CHOSEN.items()})
    suite.warmed.cache_clear()
    monkeypatch.setattr(suite.Ratios, "repeats", 1)
    benchmark, chosen = group(), getattr(group, "params", [])[:1]
    shared = [{chosen[0]: 1}] if hasattr(group, "setup_cache") else []
    for part in ("setup", name, "teardown"):
        found = getattr(benchmark, part, lambda *_: None)(*shared, *chosen)
        if part == name:
            checked(name, found)
    suite.warmed.cache_clear()


def checked(name, found):
    if name.startswith("track_"):
        assert float(found) > 0
    if name.startswith("timeraw_"):
        compile(found, name, "exec")


def test_nothing_was_counted():
    with pytest.raises(NotImplementedError):
        suite.Instructions().setup({}, suite.Instructions.params[0])


@pytest.mark.skipif(shutil.which("git") is None, reason="asv needs git")
def test_asv_finds_it(tmp_path):
    pytest.importorskip("asv")
    if not (ROOT / ".git").exists():
        pytest.skip("asv needs the repository")
    conf = {**CONF, "repo": str(ROOT), "benchmark_dir": str(ROOT / CONF["benchmark_dir"])}
    (tmp_path / "asv.conf.json").write_text(json.dumps(conf))
    done = subprocess.run(
        [sys.executable, "-m", "asv", "check", f"-Eexisting:{sys.executable}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
