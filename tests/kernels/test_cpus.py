"""One code for all CPUs: what is vector code here is so on ARM, and right without AVX-512."""

import json
import os
import re
import subprocess
import sys
import tempfile

import pytest

# Fits of each kind of loop, how far they are from NumPy's, and the vectors in the code of loops: for this CPU and ARM.
SCRIPT = """
import json, re
import llvmlite.binding as llvm
import numpy as np
import fastgd
from fastgd.kernels import environment

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 21)).astype(np.float32)
y = X @ np.linspace(-1, 1, 21) + RNG.standard_normal(400) > 0
FITS = [
    {"learning_rate": 0.1, "epochs": 2},
    {"learning_rate": 0.1, "epochs": 2, "batch_size": 32},
    {"learning_rate": 0.01, "epochs": 2, "batch_size": 1},
    {"epochs": 2},
]
apart = []
for options in FITS:
    ours, theirs = (one.fit(X, y, loss="log_loss", random_state=0, **options) for one in (fastgd, fastgd.reference))
    apart.append(float(np.abs(ours.coef - theirs.coef).max() / np.abs(theirs.coef).max()))
fastgd.sweep(X, y, loss="log_loss", learning_rate=[0.01, 0.1], epochs=2)
fastgd.sweep(X, y, loss="log_loss", learning_rate=[0.01, 0.1], epochs=2, batch_size=32)

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
arm = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="neoverse-n1", opt=3)


def for_arm(library):
    text = re.sub(r"target (triple|datalayout) = .*", "", library.get_llvm_str())
    module = llvm.parse_assembly(re.sub(r'"target-(cpu|features)"="[^"]*"', "", text))
    module.triple, module.data_layout = arm.triple, str(arm.target_data)
    return arm.emit_assembly(module)


code = {}
for kernel in environment.dispatchers():
    for found in kernel.overloads.values():
        name = kernel.py_func.__qualname__.partition("__")[0]
        if name not in {vectors}:
            continue
        arms = re.findall(r"fmla\\s+v\\d+\\.", for_arm(found.library))
        here = found.library.get_asm_str()
        code[name] = {"arm": len(arms), **{kind: len(re.findall(kind, here)) for kind in ("zmm", "ymm")}}
print(json.dumps({"apart": apart, "code": code}))
"""
# Loops, and functions of losses and optimizers, whose sums and products are to be vectors.
VECTORS = (
    "_dense_gradients",
    "_dense_batches",
    "_dense_second_derivatives",
    "_plain_steps",
    "_multi_sums",
    "batch_steps",
    "loss_block_LogLoss",
    "lane_slopes_LogLoss",
    "move_weights_Sgd_Free",
)
pytestmark = [pytest.mark.slow, pytest.mark.jit]


X86 = bool(re.match("x86_64|AMD64", os.uname().machine))
FEATURES = "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+movbe,+cmov,+cx16"
WITHOUT_AVX_512 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": FEATURES}


@pytest.fixture(scope="module")
def found():
    """What the script finds without AVX-512, compiled anew: a cache keeps no code that can be looked into."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", SCRIPT.replace("{vectors}", repr(VECTORS))]
        environment = os.environ | {"NUMBA_CACHE_DIR": cache} | (WITHOUT_AVX_512 if X86 else {})
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_arm_gets_vector_code(found):
    scalar = [name for name in VECTORS if not found["code"][name]["arm"]]
    assert not scalar, f"no packed multiply-add on ARM: {scalar}"


def test_results_are_those_of_numpy(found):
    assert max(found["apart"]) < 1e-4


@pytest.mark.skipif(not X86, reason="AVX is x86's")
def test_a_cpu_without_avx_512_gets_narrower_vectors(found):
    assert sum(code["zmm"] for code in found["code"].values()) == 0
    scalar = [name for name in VECTORS if not found["code"][name]["ymm"]]
    assert not scalar, f"no vectors of 32 bytes: {scalar}"
