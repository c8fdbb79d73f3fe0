"""The device as the worker sees it, on a GPU with exact numbers."""

import pytest
from fake_cuda import FakeCuda, FakeNvml

from bench.devices.base import Turns
from bench.devices.cuda import CudaDevice


def device_of(cuda, **nvml):
    device = CudaDevice(cuda, FakeNvml(cuda, **nvml))
    device.prepare(2)
    cuda.ran.clear()
    return device


def test_no_device_is_an_error_that_says_so():
    with pytest.raises(RuntimeError, match="no CUDA device is visible"):
        CudaDevice(FakeCuda(available=False))


def test_preparing_makes_the_context():
    cuda = FakeCuda()
    CudaDevice(cuda, FakeNvml(cuda)).prepare(2)
    assert cuda.ran == ["init 2"]


def test_a_batch_tells_clock_throttling_power_and_heat():
    cuda = FakeCuda()
    device = device_of(cuda, mhz=lambda at_s: 1980 if at_s < 1 else 1410, reasons=lambda at_s: 0 if at_s < 1 else 0x24)

    def norm():
        cuda.launch("norm", 2.0)

    batch, _ = device.time(norm, 10, cold=False)
    assert (batch.sm_clock_hz, batch.throttled, batch.power_w, batch.temperature_c) == (1.98e9, False, 350.0, 61.0)
    cuda.host_s = 2.0
    batch, _ = device.time(norm, 10, cold=False)
    assert (batch.sm_clock_hz, batch.throttled) == (1.41e9, True)


def test_a_batch_of_several_chunks_was_throttled_if_ever_it_was():
    cuda = FakeCuda()
    device = device_of(cuda, mhz=lambda at_s: 1000 + int(at_s * 1000), reasons=lambda at_s: 0x4 if at_s < 5e-3 else 0)

    def norm():
        cuda.launch("norm", 100.0)

    batch, _ = device.time(norm, 300, cold=False)  # three chunks of 10 ms
    assert batch.throttled
    assert batch.sm_clock_hz == pytest.approx(1.011e9, rel=2e-3)
    assert device.time(norm, 1, cold=False)[0].throttled is False


def test_a_throttled_kernel_takes_longer_and_says_so():
    cuda = FakeCuda(slowness=lambda at_s: 1.0 if at_s < 1 else 1.4)
    device = device_of(cuda, reasons=lambda at_s: 0 if at_s < 1 else 0x8)

    def norm():
        cuda.launch("norm", 10.0)

    fast, _ = device.time(norm, 10, cold=False)
    cuda.host_s = cuda.device_s = 2.0
    slow, _ = device.time(norm, 10, cold=False)
    assert slow.seconds / fast.seconds == pytest.approx(1.4)
    assert (fast.throttled, slow.throttled) == (False, True)


def test_cooling_down_waits_for_the_throttling_to_end_and_no_longer():
    cuda = FakeCuda()
    device = device_of(cuda, reasons=lambda at_s: 0x40 if at_s < 3 else 0)
    device.cool_down(10.0)
    assert cuda.host_s == pytest.approx(3.0, abs=0.2)
    device.cool_down(10.0)
    assert cuda.host_s == pytest.approx(3.0, abs=0.2)


def test_cooling_down_ends_in_time():
    cuda = FakeCuda()
    device_of(cuda, reasons=lambda at_s: 0x4).cool_down(2.0)
    assert cuda.host_s == pytest.approx(2.0, abs=0.2)


def test_without_nvml_nothing_is_claimed_and_nobody_waits():
    cuda = FakeCuda()
    device = device_of(cuda, known=())
    device._monitor._device = None
    batch, _ = device.time(lambda: cuda.launch("norm", 2.0), 1, cold=False)
    assert (batch.sm_clock_hz, batch.throttled) == (None, None)
    device.cool_down(5.0)
    assert cuda.host_s < 1


def test_an_end_to_end_time_is_the_launch_and_the_kernel():
    cuda = FakeCuda(latency_us=5.0)
    assert device_of(cuda).host_seconds(lambda: cuda.launch("norm", 2.0)) == pytest.approx(7e-6)


def test_a_clock_without_a_kernel_between_its_events():
    assert device_of(FakeCuda()).clock().empty_call_s == 0


def test_memory_is_the_peak_over_what_was_held():
    cuda = FakeCuda()

    def call():
        cuda.peak = cuda.allocated + 300

    assert device_of(cuda).allocated_bytes(call) == 300


def test_what_a_cpu_alone_has_is_not_measured():
    assert device_of(FakeCuda()).fresh_output_seconds(lambda: None) is None


@pytest.mark.parametrize(
    ("timer", "cold", "free", "copies"),
    [
        ("events", False, 1 << 30, 1),
        ("events", True, 1 << 30, 10),
        ("events", True, 16 * 4 * (1 << 16), 4),  # no more than a sixteenth of what is free
        ("events", True, 0, 2),
        ("graph", True, 1 << 30, 80),  # 5 × L2 of 1 MiB in copies of 64 KiB
        ("graph", False, 1 << 30, 1),
    ],
)
def test_copies_of_inputs(timer, cold, free, copies):
    device = device_of(FakeCuda(free=free))
    device.configure(timer=timer, sustained=False)
    assert device.copies(1 << 16, cold=cold) == copies


def test_a_call_takes_turns_among_its_copies():
    turns = Turns([lambda: 1, lambda: 2, lambda: 3], 10)
    assert [turns() for _ in range(5)] == [1, 2, 3, 1, 2]


def test_each_call_of_a_cold_batch_meets_an_address_of_its_own():
    cuda = FakeCuda()
    copies = [lambda address=address: cuda.launch(f"norm {address}", 2.0) for address in range(10)]
    device_of(cuda).time(Turns(copies, 64), 10, cold=True)
    assert [name for name in cuda.ran if name != "flush"] == [f"norm {address}" for address in range(10)]


def test_a_fault_is_sticky_and_is_told():
    cuda = FakeCuda()
    device = device_of(cuda)
    assert device.recover() is None
    assert cuda.freed == 1
    with pytest.raises(RuntimeError, match="illegal memory access"):
        device.time(lambda: cuda.launch("bad", 2.0, fault="an illegal memory access was encountered"), 1, cold=False)
    assert device.recover() == "its CUDA context is lost (CUDA error: an illegal memory access was encountered)"
    with pytest.raises(RuntimeError):  # every later call fails, whoever makes it
        device.time(lambda: cuda.launch("good", 2.0), 1, cold=False)


def test_running_out_of_memory_empties_the_cache_and_breaks_nothing():
    cuda = FakeCuda()
    assert device_of(cuda).recover() is None
    assert cuda.freed == 1


class TestSustained:
    def calls_before(self, cuda, device):
        cuda.ran.clear()
        device.time(lambda: cuda.launch("norm", 100.0), 1, cold=False)
        return cuda.ran.count("norm") - 1

    def test_a_rested_device_is_heated_for_a_second_and_a_busy_one_for_a_stretch(self):
        cuda = FakeCuda()
        device = device_of(cuda)
        device.configure(timer=None, sustained=True)
        assert self.calls_before(cuda, device) * 100e-6 == pytest.approx(1.0, rel=0.05)
        assert self.calls_before(cuda, device) * 100e-6 == pytest.approx(0.05, rel=0.1)
        cuda.host_s += 1.0
        assert self.calls_before(cuda, device) * 100e-6 == pytest.approx(1.0, rel=0.05)

    def test_heating_goes_on_until_the_clock_has_settled(self):
        cuda = FakeCuda()
        device = device_of(cuda, mhz=lambda at_s: max(1400, 2000 - int(200 * at_s)))
        device.configure(timer=None, sustained=True)
        batch, _ = device.time(lambda: cuda.launch("norm", 100.0), 1, cold=False)
        assert 3.0 < cuda.host_s < 5.0
        assert batch.sm_clock_hz == 1.4e9

    def test_what_never_settles_is_measured_as_it_is(self):
        cuda = FakeCuda()
        device = device_of(cuda, mhz=lambda at_s: 1000 + int(at_s * 7) % 2 * 500)
        device.configure(timer=None, sustained=True)
        device.time(lambda: cuda.launch("norm", 100.0), 1, cold=False)
        assert cuda.host_s == pytest.approx(10.0, rel=0.05)

    def test_a_burst_does_nothing_before(self):
        cuda = FakeCuda()
        assert self.calls_before(cuda, device_of(cuda)) == 0
