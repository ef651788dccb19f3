"""The cases of the registry over the commits, on one thread: the suite of ``asv.conf.json``.

asv imports this folder by itself, with the folder above it on the path. The registry beside it is loaded from its
file: with the root of the repository on the path, ``import fastgd`` would find the working tree, not the commit.
"""

import importlib.util
import os
import sys
from pathlib import Path

import fastgd

HERE = Path(__file__).resolve().parent
OWN_ENVIRONMENT = os.environ.get("ASV_ENV_TYPE", "existing") != "existing"

if OWN_ENVIRONMENT and Path(fastgd.__file__).resolve().parent == HERE.parents[1] / "fastgd":
    raise ImportError("fastgd is the working tree's, not the commit's that asv has built")

if "benchmarks" not in sys.modules:
    spec = importlib.util.spec_from_file_location("benchmarks", HERE.parent / "__init__.py")
    sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["benchmarks"])
