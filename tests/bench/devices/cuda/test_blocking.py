"""The blocking kernel compiles for every architecture we name, without a GPU."""

import pytest

pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")

from bench.devices.cuda import blocking


@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_100", "sm_120"])
def test_it_compiles(arch):
    code = blocking.compile_kernel(arch)
    assert code[:4] == b"\x7fELF"
    assert blocking.KERNEL.encode() in code


def test_what_cannot_be_compiled_is_no_blocker():
    """Without a device there is nothing to compile for; the caller goes on with a head start."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a device")
    assert blocking.compiled_blocker(0.1) is None
