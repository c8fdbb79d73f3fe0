"""The backward source compiles for every architecture we name, without a GPU."""

import pytest

pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")

from kernels.cuda import backward_build as build
from kernels.cuda.nvrtc import BuildError


# Left out: narrower accesses, which need fewer registers (61 to 94 on sm_90).
@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_100", "sm_120"])
@pytest.mark.parametrize("variant", build.widest(), ids=str)
def test_the_widest_variants_compile_and_spill_nothing(arch, variant):
    resources = build.compile_for(arch, variant).resources
    assert set(resources) == set(build.KERNELS)
    # 65,536 registers for two blocks.
    most = 168 if variant.channels_last else 128
    assert all(0 < kernel.registers <= most and kernel.spill_bytes == 0 for kernel in resources.values())
    # Static; the assembler of sm_90 and later keeps 1 KB of a block's for itself.
    assert {kernel.shared_bytes % 1024 for kernel in resources.values()} == {0}


def test_a_scalar_variant_compiles():
    for dtype in ("float32", "bfloat16"):
        built = build.compile_for("sm_90", build.Variant(dtype=dtype, vector=1, channels_last=False))
        assert built.cubin.read_bytes()[:4] == b"\x7fELF"


def test_an_unknown_architecture_is_told():
    with pytest.raises(BuildError, match=r"sm_12: .*error"):
        build.compile_for("sm_12", build.widest()[0])
