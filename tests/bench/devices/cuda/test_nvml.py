"""The device is found by what it is, not by its number; its reasons are told apart."""

import pytest
from fake_cuda import FakeCuda, FakeNvml

from bench.devices.cuda.nvml import Monitor, Reading
from bench.devices.cuda.runtime import Identity

BOTH = Identity(uuid="GPU-b", pci="00000000:65:00.0")


@pytest.mark.parametrize(
    ("reasons", "throttled"),
    [
        (0x0, False),
        (0x1, False),  # idle
        (0x2, False),  # clocks that somebody set
        (0x10, False),  # sync boost
        (0x100, False),  # display
        (0x4, True),  # software power cap
        (0x8, True),  # hardware slowdown
        (0x20, True),  # software thermal
        (0x40, True),  # hardware thermal
        (0x80, True),  # power brake
        (0x1 | 0x2 | 0x40, True),
    ],
)
def test_which_reasons_count(reasons, throttled):
    nvml = FakeNvml(FakeCuda(), reasons=lambda at_s: reasons)
    assert Monitor(BOTH, nvml).read().throttled is throttled


@pytest.mark.parametrize("identity", [BOTH, Identity(uuid=None, pci=BOTH.pci), Identity(uuid="GPU-x", pci=BOTH.pci)])
def test_the_second_gpu_is_found_where_the_process_calls_it_the_first(identity):
    # The fake refuses to be asked for the other one.
    assert Monitor(identity, FakeNvml(FakeCuda())).read().sm_clock_hz == 1.5e9


def test_a_device_that_nvml_does_not_know_has_no_reading():
    assert Monitor(Identity(uuid="GPU-x", pci=None), FakeNvml(FakeCuda())).read() == Reading()


def test_what_one_question_raises_costs_its_own_answer():
    nvml = FakeNvml(FakeCuda(), mhz=lambda at_s: 1 // 0)
    assert Monitor(BOTH, nvml).read() == Reading(throttled=False, power_w=350.0, temperature_c=61.0)


def test_no_driver_is_no_reading():
    nvml = FakeNvml(FakeCuda())
    nvml.nvmlInit = lambda: 1 // 0
    assert Monitor(BOTH, nvml).read() == Reading()


def test_the_reasons_are_those_of_nvidias_own_header():
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: pip install 'groupnorm-bench[nvml]'")
    from bench.devices.cuda.nvml import THROTTLING

    named = ("SwPowerCap", "HwSlowdown", "SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown")
    assert sum(getattr(pynvml, f"nvmlClocksEventReason{name}") for name in named) == THROTTLING
