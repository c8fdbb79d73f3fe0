import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.devices import cpu
from bench.devices.cpu import CpuDevice, last_level_cache_bytes
from bench.devices.environment import worker_environment


@pytest.mark.parametrize("cold", [True, False])
def test_a_batch_calls_as_often_as_asked_and_gives_the_last_output(cold):
    calls = []

    def call():
        calls.append(1)
        return len(calls)

    batch, output = CpuDevice().time(call, 5, cold=cold)
    assert (len(calls), output) == (5, 5)
    assert batch.seconds > 0


class Clock:
    """A clock in nanoseconds that only calls move."""

    def __init__(self, monkeypatch):
        self.now_ns = 0
        monkeypatch.setattr(cpu.time, "perf_counter_ns", lambda: self.now_ns)

    def call(self, costs_ns):
        costs = iter(costs_ns)

        def call():
            self.now_ns += next(costs)

        return call


@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize(("calls", "slow"), [(1, 0), (5, 1), (25, 7), (52, 9), (1000, 11)])
def test_a_calls_time_is_the_median_over_parts_and_what_strikes_fewer_than_half_of_them_is_in_the_whole_alone(
    monkeypatch, calls, slow, cold
):
    clock = Clock(monkeypatch)
    each = max(1, calls // 25)
    costs = [10_000 if place % each == 0 and place // each < slow else 100 for place in range(calls)]
    device = CpuDevice()
    monkeypatch.setattr(device, "_evict", lambda: None)
    batch, _ = device.time(clock.call(costs), calls, cold=cold)
    assert batch.seconds == pytest.approx(sum(costs) / 1e9)
    if not cold:
        assert batch.call_s == pytest.approx(1e-7)


@given(st.integers(1, 10_000))
def test_parts_are_as_equal_as_they_can_be_and_lose_no_call(calls):
    parts = cpu._part_calls(calls)
    assert sum(parts) == calls
    assert len(parts) == min(calls, 25)
    assert max(parts) - min(parts) <= 1


def test_a_clock_has_a_step_and_an_empty_call_a_time():
    clock = CpuDevice().clock()
    assert 0 < clock.resolution_s < 1e-3
    assert 0 < clock.empty_call_s < 1e-3


def test_page_faults_of_memory_never_touched_are_counted():
    fresh = []
    batch, _ = CpuDevice().time(lambda: fresh.append(torch.empty(64 << 20, dtype=torch.uint8).fill_(1)), 1, cold=False)
    assert batch.page_faults > 0


def test_the_last_level_cache_has_a_size():
    assert last_level_cache_bytes() >= 1 << 18


PINNED = """
import torch
from bench.devices.cpu import CpuDevice
device = CpuDevice()
device.prepare(1)
assert torch.get_num_threads() == 1
call = lambda: torch.empty(100 << 20, dtype=torch.uint8).fill_(1)
for _ in range(12):  # until the heap has grown to what the call needs
    call()
batch, _ = device.time(call, 3, cold=False)
print(batch.page_faults)
"""


def test_a_workers_allocator_keeps_a_freed_output_mapped():
    """100 MB written three times is 77,000 faults where each output is mapped anew."""
    environment = os.environ | worker_environment("cpu", 1) | {"PYTHONPATH": str(Path(bench.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-P", "-c", PINNED], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1000
