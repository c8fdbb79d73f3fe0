"""Environment variables a worker must be started with, since its libraries read them once, at load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HUGE = str(1 << 40)


def worker_environment(device: str, threads: int) -> dict[str, str]:
    """Give the variables to add to a worker's environment.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    threads
        CPU threads that the worker's OpenMP pool gets.
    """
    common = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
        # Inductor's compile workers would stay awake beside the measurement.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    if device == "cuda":
        return common
    return common | {
        # A CPU worker must not see a GPU: Triton's row then runs through the interpreter.
        "CUDA_VISIBLE_DEVICES": "",
        # glibc's allocator pinned: freed memory stays in the heap, so outputs are not page-faulted anew in
        # every call. Between launches, A/A then moves by 2 to 7 % instead of 12 to 42 % (docs/method.md).
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": _HUGE,
        "MALLOC_TOP_PAD_": str(64 << 20),
    }


def default_cache(device: str) -> str:
    """Say which cache state is measured unless asked otherwise."""
    return "cold" if device == "cuda" else "warm"


def workers_of(device: str, cores: int) -> int:
    """Say how many processes train beside each other unless asked otherwise: one on a GPU, else one a core."""
    return 1 if device == "cuda" else cores


def model_of(device: str, info: Mapping[str, Any]) -> str:
    """Name the processor or the GPUs that a device of a ``run.json`` is."""
    if device == "cuda":
        return ", ".join(str(gpu.get("name")) for gpu in info.get("gpu") or ())
    return str((info.get("cpu") or {}).get("model") or "")


def timer_of(device: str) -> str:
    """Name the timer a device measures with (a frame's ``timer``)."""
    return "events" if device == "cuda" else "host"


def counters_of(device: str) -> str:
    """Name the tool that counts what a call really moves on a device."""
    return "ncu" if device == "cuda" else "perf"


def most_cold_calls(device: str) -> int:
    """Say how many calls a cold batch has at most.

    On CUDA several, each flushed before and timed by itself: a call is short beside an event's half microsecond.
    """
    return 10 if device == "cuda" else 1
