"""Calls whose memory is known, by torch's allocator and past it."""

import ctypes
import sys

import pytest
import torch

from bench.devices.cpu import CpuDevice
from bench.devices.resident import resident_peak_bytes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux resets the peak on request")

MIB = 1 << 20
PAGES = 64 << 10


def scratching(size):
    """A kernel that takes scratch memory past torch's allocator and gives it back."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.memset.argtypes, libc.free.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], [ctypes.c_void_p]

    def call():
        scratch = libc.malloc(size)
        libc.memset(scratch, 1, size)
        libc.free(scratch)
        return torch.ones(MIB // 4)

    return call


@pytest.mark.parametrize("size", [4 * MIB, 32 * MIB])
def test_scratch_memory_of_a_kernels_own_is_seen(size):
    assert resident_peak_bytes(scratching(size)) == pytest.approx(size, abs=MIB + PAGES)
    assert CpuDevice().allocated_bytes(scratching(size)) == pytest.approx(size, abs=MIB + PAGES)


def test_what_lives_together_is_added_up():
    def call():
        return torch.ones(MIB), torch.ones(2 * MIB)

    assert resident_peak_bytes(call) == pytest.approx(12 * MIB, abs=PAGES)


def test_where_both_agree_torchs_record_is_kept_to_the_byte():
    assert CpuDevice().allocated_bytes(lambda: torch.ones(MIB + 3)) == 4 * (MIB + 3)


def test_nothing_touched_is_nothing():
    assert resident_peak_bytes(lambda: None) <= PAGES


def test_where_the_system_does_not_tell_there_is_no_figure(monkeypatch):
    monkeypatch.setattr("bench.devices.resident._RESET_PEAK", "no such word")
    assert resident_peak_bytes(lambda: None) is None
