"""CUDA's timing against a device with exact numbers."""

import types

import pytest
import torch

from bench.devices import cuda
from bench.devices.cuda import CudaDevice


class FakeCuda:
    """A stream with a clock of its own, ms: what is launched takes the time it says."""

    def __init__(self, available=True):
        self.now_ms = 0.0
        self.log = []
        self.allocated = 1000
        self.peak = 1000
        self.available = available

    def is_available(self):
        return self.available

    def init(self):
        self.log.append("init")

    def synchronize(self):
        self.log.append("synchronize")

    def _sleep(self, cycles):
        self.launch("sleep", cycles / 2e6)

    def launch(self, what, ms):
        self.log.append(what)
        self.now_ms += ms

    def Event(self, *, enable_timing):  # noqa: N802
        assert enable_timing
        api = self

        class Event:
            def record(self):
                self.at_ms = api.now_ms
                api.log.append("record")

            def elapsed_time(self, end):
                assert api.log[-1] == "synchronize", "an event is read before the device is done"
                return end.at_ms - self.at_ms

        return Event()

    def get_device_properties(self, index):
        assert index == 0
        return types.SimpleNamespace(L2_cache_size=1 << 20)

    def reset_peak_memory_stats(self):
        self.peak = self.allocated

    def memory_allocated(self):
        return self.allocated

    def max_memory_allocated(self):
        return self.peak


@pytest.fixture
def api():
    return FakeCuda()


@pytest.fixture
def device(api, monkeypatch):
    class Flushed:
        def zero_(self):
            api.launch("flush", 10.0)

    def empty(size, *, dtype, device):
        assert (size, dtype, device) == (2 << 20, torch.uint8, "cuda"), "twice the L2 cache is written"
        return Flushed()

    monkeypatch.setattr(cuda, "torch", types.SimpleNamespace(empty=empty, uint8=torch.uint8, set_num_threads=int))
    return CudaDevice(api)


def test_warm_calls_lie_between_one_pair_of_events_behind_a_head_start(api, device):
    batch, output = device.time(lambda: api.launch("kernel", 2.0), 3, cold=False)
    assert batch.seconds == pytest.approx(6e-3)
    assert api.log == ["synchronize", "sleep", "record", "kernel", "kernel", "kernel", "record", "synchronize"]
    assert output is None


def test_each_cold_call_is_flushed_before_and_the_flush_is_not_timed(api, device):
    batch, _ = device.time(lambda: api.launch("kernel", 2.0), 2, cold=True)
    assert batch.seconds == pytest.approx(4e-3)
    once = ["flush", "record", "kernel", "record"]
    assert api.log == ["synchronize", *once, *once, "synchronize"]


def test_memory_is_the_peak_over_what_was_held(api, device):
    def call():
        api.peak = api.allocated + 300

    assert device.allocated_bytes(call) == 300


def test_an_end_to_end_time_waits_for_the_device(api, device):
    assert device.host_seconds(lambda: api.launch("kernel", 1.0)) > 0
    assert api.log == ["synchronize", "kernel", "synchronize"]


def test_preparing_makes_the_context(api, device):
    device.prepare(2)
    assert api.log == ["init"]


def test_what_a_cpu_alone_has_is_not_measured(device):
    assert device.fresh_output_seconds(lambda: None) is None


def test_a_clock_without_a_kernel_between_its_events(device):
    assert device.clock().empty_call_s == 0


def test_no_device_is_an_error_that_says_so():
    with pytest.raises(RuntimeError, match="no CUDA device is visible"):
        CudaDevice(FakeCuda(available=False))
