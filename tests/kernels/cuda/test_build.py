"""The forward source compiles for every architecture we name, without a GPU."""

import json

import pytest

pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")

from kernels import cuda
from kernels.cuda import build, nvrtc
from kernels.cuda.cut import VARIANTS

ONE = build.Variant(dtype="float32", lie="run")


@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_100", "sm_120"])
def test_every_variant_compiles_and_spills_nothing(arch):
    told = cuda.inspect(arch)
    assert len([name for name in told if name.startswith("backward/")]) == 24  # test_backward_build.py judges those
    for variant in build.variants():
        found = {kernel: told[f"{variant}/{kernel}"] for kernel in variant.kernels}
        most = VARIANTS[variant.lie].most_threads
        for kernel, resources in found.items():
            # 65,536 registers for two blocks of the most threads, a group in registers for `small`'s 256.
            threads = 256 if kernel == "small" else most
            assert 0 < resources.registers <= 65536 // (2 * threads), (variant, kernel, resources)
            assert resources.spill_bytes == 0, (variant, kernel, resources)


def test_the_second_compilation_is_none(monkeypatch):
    first = build.compile_for("sm_90", ONE)
    monkeypatch.setattr(nvrtc, "_nvrtc", pytest.fail)
    assert build.compile_for("sm_90", ONE) == first
    assert first.cubin.read_bytes()[:4] == b"\x7fELF"
    written = json.loads((first.cubin.parent / "resources.json").read_text())
    assert {kernel: one["registers"] for kernel, one in written.items()} == {
        kernel: one.registers for kernel, one in first.resources.items()
    }
    assert set(first.resources) == set(ONE.kernels)


def test_an_unknown_architecture_is_told():
    with pytest.raises(nvrtc.BuildError, match=r"sm_12: .*error"):
        build.compile_for("sm_12", ONE)


def test_resources_are_read_from_the_assembler():
    log = (
        "ptxas info : 0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads\nUsed 32 registers, 96 bytes smem"
    )
    assert nvrtc.read_resources(log) == nvrtc.Resources(registers=32, spill_bytes=8, shared_bytes=96)
    assert nvrtc.read_resources("") == nvrtc.Resources(registers=None, spill_bytes=None, shared_bytes=None)
