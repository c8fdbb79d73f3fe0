"""Rows that take more memory than they may."""

import ctypes
import mmap
import os
import time

import torch

from kernels import register

_CHUNK = 64 << 20
_kept = []


def _hoard():
    while True:
        _kept.append(torch.ones(_CHUNK // 4))


@register("greedy", devices=("cpu",))
def greedy(x, num_groups, weight, bias, eps):
    """Asks torch for a petabyte."""
    torch.empty(1 << 50)


@register("hoards", devices=("cpu",))
def hoards(x, num_groups, weight, bias, eps):
    """Fills tensor after tensor and keeps them."""
    try:
        _hoard()
    finally:
        _kept.clear()


@register("hoards-bytes", devices=("cpu",))
def hoards_bytes(x, num_groups, weight, bias, eps):
    """Fills Python's own memory."""
    kept = []
    while True:
        kept.append(b"x" * _CHUNK)


@register("hoards-and-aborts", devices=("cpu",))
def hoards_and_aborts(x, num_groups, weight, bias, eps):
    """Takes all it may, and ends as C++ does with std::bad_alloc in a thread."""
    try:
        _hoard()
    except RuntimeError:
        os.abort()


@register("mallocs", devices=("cpu",))
def mallocs(x, num_groups, weight, bias, eps):
    """Asks malloc for 64 GiB and touches what it was given."""
    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    if (given := malloc(64 << 30)) is None:
        raise MemoryError("malloc gave nothing")
    ctypes.memset(given, 1, 64 << 30)


@register("shares", devices=("cpu",))
def shares(x, num_groups, weight, bias, eps):
    """Fills shared memory, which no limit of a process counts."""
    while len(_kept) < 64:
        _kept.append(mmap.mmap(-1, _CHUNK))
        _kept[-1].write(b"x" * _CHUNK)
    time.sleep(600)
