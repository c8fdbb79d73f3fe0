"""The CUDA source compiles for every architecture we name, without a GPU."""

import json

import pytest

pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")

from kernels import cuda
from kernels.cuda import build


@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_100", "sm_120"])
def test_every_variant_compiles_and_spills_nothing(arch):
    told = cuda.inspect(arch)
    resources = {name: each for name, each in told.items() if not name.startswith("backward/")}
    assert len(told) == len(resources) + 24  # test_backward_build.py judges those
    assert len(resources) == 15
    # 65,536 registers for a block of 1,024 threads.
    assert all(0 < variant.registers <= 64 and variant.spill_bytes == 0 for variant in resources.values())
    # 32 sums of warps; the assembler of sm_90 and later keeps 1 KB of a block's for itself.
    assert {variant.shared_bytes % 1024 for variant in resources.values()} == {128}


def test_the_second_compilation_is_none(monkeypatch):
    def compile_one():
        return build.compile_for("sm_90", dtype="float32", weight_dtype="float32", activation="none")

    first = compile_one()
    monkeypatch.setattr(build, "_nvrtc", pytest.fail)
    assert compile_one() == first
    assert first.cubin.read_bytes()[:4] == b"\x7fELF"
    assert json.loads((first.cubin.parent / "resources.json").read_text())["registers"] == first.resources.registers


def test_an_unknown_architecture_is_told():
    with pytest.raises(build.BuildError, match=r"sm_12: .*error"):
        build.compile_for("sm_12", dtype="float32", weight_dtype="float32", activation="none")


def test_resources_are_read_from_the_assembler():
    log = (
        "ptxas info : 0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads\nUsed 32 registers, 96 bytes smem"
    )
    assert build.read_resources(log) == build.Resources(registers=32, spill_bytes=8, shared_bytes=96)
    assert build.read_resources("") == build.Resources(registers=None, spill_bytes=None, shared_bytes=None)
