"""Instructions of whole calls, counted by Valgrind's callgrind: the same number each time, whatever else runs.

A process that runs under callgrind tells it when to count by client requests: a pattern of instructions that does
nothing elsewhere, made here by LLVM, so that no C compiler is needed. Kernels are compiled for one kind of CPU, which
Valgrind knows (it hides AVX-512) and on which numbers of different machines can be compared.

The whole call is counted, Python around the kernels included; sizes are such that kernels are most of it.
"""

import ctypes
import functools
import gc
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import processes

START, STOP, ZERO, DUMP = 4, 5, 1, 3  # codes of callgrind.h
BASE = ord("C") << 24 | ord("T") << 16
REQUEST = """
define i64 @request(i64* %arguments) {
  %answer = call i64 asm sideeffect
    "rolq $$3, %rdi; rolq $$13, %rdi; rolq $$61, %rdi; rolq $$51, %rdi; xchgq %rbx, %rbx",
    "={rdx},{rax},0,~{cc},~{memory}"(i64* %arguments, i64 0)
  ret i64 %answer
}
"""
# One thread, one CPU, one order of Python's sets: everything that could change what is executed.
PINNED = {
    "NUMBA_CPU_NAME": "nehalem",
    "NUMBA_CPU_FEATURES": "+sse4.2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
MINUTES = 60  # until a run is given up
REPEATS = 2  # the least counts: now and then Python does some housekeeping


@functools.cache
def requester():
    """The function that sends a client request: (code, address of its argument)."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    module = llvm.parse_assembly(REQUEST)
    engine = llvm.create_mcjit_compiler(module, llvm.Target.from_default_triple().create_target_machine())
    engine.finalize_object()
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(engine.get_function_address("request"))

    def request(code, argument=0, engine=engine):  # the code lives as long as its engine
        arguments = (ctypes.c_uint64 * 6)(BASE + code, argument)  # it has to outlive its address
        return call(ctypes.addressof(arguments))

    return request


def counting(label, run):
    """Call ``run`` while callgrind counts; its file is named by the label."""
    request, name = requester(), ctypes.create_string_buffer(label.encode())
    gc.collect()
    gc.disable()
    request(START)
    request(ZERO)
    run()
    request(DUMP, ctypes.addressof(name))
    request(STOP)
    gc.enable()


def missing():
    """Why nothing can be counted here, or nothing."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"client requests are written for x86-64, this is {platform.machine()}"
    return "" if shutil.which("valgrind") else "valgrind is not installed"


def toolchain():
    """What the numbers depend on, or why there are none."""
    if why := missing():
        return why
    version = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{version} {' '.join(platform.libc_ver())}"


def count(command, environment, folder=None):
    """Run a Python command in a folder that calls `counting`, under callgrind: {name: instructions}, how it ended.

    Of the counts of each name, whose labels are ``name|turn``, the least. It runs once without, so that nothing is
    compiled there.
    """
    options = {"seconds": 60 * MINUTES, "cwd": folder, "env": {**os.environ, **environment, **PINNED}}
    warm = processes.ended([sys.executable, *command], **options)
    if not warm.fine:
        return {}, warm
    with tempfile.TemporaryDirectory() as kept:
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={kept}/counts"]
        done = processes.ended([*tool, sys.executable, *command], **options)
        return least(filter(None, map(read, Path(kept).iterdir()))), done


def read(path):
    """The label of one of callgrind's files and its count, if it has one."""
    text = path.read_text()
    label = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    total = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
    return (label[1], int(total[1])) if label and total else None


def least(counts):
    """The least of the counts of each name."""
    found = {}
    for label, number in counts:
        name = label.rpartition("|")[0]
        found[name] = min(number, found.get(name, number))
    return found
