"""The GPU's clock as a reading, on a pretended GPU."""

import pytest
from fake_cuda import FakeCuda

from bench.devices.cuda.stopwatch import Stopwatch


def test_two_readings_are_apart_by_what_the_device_did_between_them():
    cuda = FakeCuda()
    stopwatch = Stopwatch(cuda)
    before = stopwatch()
    cuda.launch("kernel", 250_000.0)
    after = stopwatch()
    assert after - before == pytest.approx(0.25, rel=1e-3)
