"""The Triton row on a machine without a GPU: interpreted and said so, and compiled for one all the same."""

import os
import subprocess
import sys

import pytest
import torch

pytest.importorskip("triton", reason="triton is not installed: pip install 'groupnorm-bench[triton]'")

COMPILE = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from kernels.triton.kernel import group_norm_kernel as kernel

numbers = ("groups", "channels", "positions", "stride_n", "stride_c", "stride_p")
types = dict.fromkeys(numbers, "i32") | {"eps": "fp32", "x_pointer": "*bf16", "y_pointer": "*bf16"}
types |= {"weight_pointer": "*fp32", "bias_pointer": "*fp32"}
for flag in (False, True):
    constants = dict(HAS_WEIGHT=True, HAS_BIAS=True, ACTIVATION="silu", ROUND=False, BLOCK=1024)
    constants |= dict(CHANNELS_LAST=flag, WIDE=flag)
    names = kernel.arg_names
    source = ASTSource(
        kernel,
        {name: types.get(name, "constexpr") for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    compiled = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4, "enable_fp_fusion": True})
    print(len(compiled.asm["cubin"]))
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device: it is timed")
def test_interpreted_it_is_checked_but_not_timed(rows):
    assert rows["triton"].untimed(None) == "run through Triton's interpreter: checked, not timed"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Triton's compiler is there for Linux alone")
def test_it_compiles_for_a_gpu_without_one(tmp_path):
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(int(size) > 0 for size in done.stdout.split())
    assert len(done.stdout.split()) == 2


def test_it_is_interpreted_even_where_triton_was_imported_before():
    code = """
import triton, torch, kernels.triton as row
x = torch.randn(1, 4, 3, 3)
torch.testing.assert_close(row.group_norm(x, 2, None, None, 1e-5), torch.nn.functional.group_norm(x, 2))
"""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
