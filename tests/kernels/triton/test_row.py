"""The row on a machine without a GPU: interpreted, and said so."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device: it is timed")


@dataclass
class Problem:
    N: int = 2
    C: int = 64
    H: int = 8
    W: int = 8
    G: int = 32
    dtype: str = "float32"
    weight_dtype: str = "float32"
    affine: bool = True
    eps: float = 1e-5
    layout: str = "contiguous"
    direction: str = "backward"
    activation: str = "silu"
    device: str = "cpu"


@without_gpu
def test_interpreted_it_is_checked_but_not_timed(rows):
    assert rows["triton"].untimed(None) == "run through Triton's interpreter: checked, not timed"


@without_gpu
def test_what_would_take_minutes_is_refused_with_its_reason(rows):
    assert rows["triton"].refusal(Problem()) is None
    assert rows["triton"].refusal(Problem(N=16, C=512, H=256, W=256)).reason == (
        "interpreted here, and 8,192 programs one after the other would take too long to check"
    )


def test_weights_of_a_third_type_are_refused(rows):
    refusal = rows["triton"].refusal(Problem(dtype="bfloat16", weight_dtype="float16"))
    assert refusal.reason == "weights of float16 beside bfloat16: only its own type or float32"


def test_it_is_interpreted_even_where_triton_was_imported_before():
    code = """
import triton, torch, kernels.triton as row
x = torch.randn(1, 4, 3, 3)
torch.testing.assert_close(row.group_norm(x, 2, None, None, 1e-5), torch.nn.functional.group_norm(x, 2))
"""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
