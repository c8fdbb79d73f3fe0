"""Which GPU a worker uses, if any, and the memory that its problems must fit in; no torch."""

from __future__ import annotations

import os

from bench import gpus, host

_UNKNOWN_MEMORY_BYTES = 4 << 30
_UNKNOWN_GPU_BYTES = 1 << 50
"""Nobody is refused for what is not known: a problem that is too large then costs its own cells."""


def gpu_used(device: str) -> str | None:
    """Name the GPU that a worker uses, by its UUID where that is known; None on the CPU."""
    return gpus.gpu_of(os.environ.get("CUDA_VISIBLE_DEVICES"), gpus.uuids()) if device == "cuda" else None


def available_memory_bytes(device: str) -> int:
    """Give the memory that a problem's tensors and oracle must fit in: the host's, or the GPU's that a worker uses."""
    gpu = gpu_used(device)
    if gpu is not None:
        return gpus.free_bytes(gpu) or _UNKNOWN_GPU_BYTES
    return host.available_memory_bytes() or _UNKNOWN_MEMORY_BYTES
