"""Latency through the ``benchmark`` fixture, with bytes, memory and error in ``extra_info``.

pytest-benchmark times one row after the other in one process: good for a look, not for a verdict (docs/method.md).
"""

from __future__ import annotations

import pytest

from kernels import discovery


@pytest.mark.parametrize("name", discovery.BUILTIN)
def test_group_norm(benchmark, open_block, problem, device, name):
    block = open_block(name)
    for one in dict.fromkeys(("native", name)):
        checked = block.check(one)
    assert checked.status == "ok", checked.reason
    weighed = block.weigh(name)
    benchmark.group = problem.key
    benchmark.extra_info.update(
        implementation=name,
        minimum_bytes=problem.minimum_bytes,
        peak_bytes=weighed.peak_bytes,
        extra_bytes=weighed.extra_bytes,
        error_max_abs=checked.error_max_abs,
        error_ulp=checked.error_ulp,
    )
    call = block.call(name)

    def synchronized() -> None:
        call()
        device.synchronize()

    benchmark(synchronized)
