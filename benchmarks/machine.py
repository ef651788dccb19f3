"""What a measurement is to name: the machine, the versions, what limits threads."""

import datetime
import os
import platform
from importlib import metadata

from fastgd.kernels.threads import thread_limits

from .peers import PEERS
from .solvers import SOLVERS

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
HINTS = (*THREAD_VARIABLES, "NUMBA_NUM_THREADS", "NUMBA_CPU_NAME", "OPENBLAS_CORETYPE", "XLA_FLAGS")


def facts():
    """The machine in words."""
    limits = ", ".join(f"{count} ({name})" for name, count in thread_limits().items())
    told = " ".join(f"{name}={os.environ[name]}" for name in HINTS if name in os.environ)
    return {
        "processor": processor(),
        "CPUs": str(os.cpu_count()),
        "threads, at most": limits,
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "environment": told or "nothing about threads or processors",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load before": load(),
    }


def processor():
    """The processor's name, family and model, as Linux has them."""
    try:
        with open("/proc/cpuinfo") as file:
            known = dict(line.split(":", 1) for line in file.read().replace("\t", "").split("\n\n")[0].splitlines())
    except (OSError, ValueError):
        return platform.processor() or platform.machine()
    name = " ".join(known.get("model name", platform.machine()).split())
    return f"{name}, family {known.get('cpu family', '?').strip()}, model {known.get('model', '?').strip()}"


def load():
    """How many processes wanted to run, in the last minute and the last quarter of an hour."""
    minute, _, quarter = os.getloadavg()
    return f"{minute:.1f} in the last minute, {quarter:.1f} in 15"


def versions():
    """Of Python, and of every package that takes part."""
    packages = {"numpy", "numba", "llvmlite", "scipy"} | {peer.package for peer in (PEERS | SOLVERS).values()}
    names = metadata.packages_distributions()
    parts = sorted({name for package in packages for name in names.get(package, ())}, key=str.lower)
    import fastgd

    return {
        "fastgd": fastgd.__version__,
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in parts},
    }
