"""What torch's profiler is to record on each device."""

from __future__ import annotations

from torch.profiler import ProfilerActivity


def activities(device: str) -> list[ProfilerActivity]:
    """List the profiler's activities: the host's operators, and on CUDA the device's kernels."""
    if device == "cuda":
        return [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    return [ProfilerActivity.CPU]
