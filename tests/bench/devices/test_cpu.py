import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import bench
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
