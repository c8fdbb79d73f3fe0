"""What the launcher must know of a GPU."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A GPU's limits; a made-up small one sends small shapes down every way."""

    multiprocessors: int
    shared_bytes_per_block: int
    """The most that a block may ask for."""
    shared_bytes_per_multiprocessor: int
    largest_cluster: int
    """Blocks of a cluster, a power of two; 1 where there are no clusters."""
    cooperative: bool = True
    """A grid's blocks may be launched to be alive together."""


H100 = Device(
    multiprocessors=132,
    shared_bytes_per_block=232448,
    shared_bytes_per_multiprocessor=233472,
    largest_cluster=16,
)
A100 = Device(
    multiprocessors=108, shared_bytes_per_block=166912, shared_bytes_per_multiprocessor=167936, largest_cluster=1
)
B200 = Device(
    multiprocessors=148, shared_bytes_per_block=232448, shared_bytes_per_multiprocessor=233472, largest_cluster=16
)
RTX5090 = Device(
    multiprocessors=170, shared_bytes_per_block=101376, shared_bytes_per_multiprocessor=102400, largest_cluster=8
)
TYPICAL = {"sm_80": A100, "sm_90": H100, "sm_100": B200, "sm_120": RTX5090}
"""A GPU of each architecture that the kernels are compiled for."""


def largest_cluster(major: int) -> int:
    """Give the most blocks of a cluster by compute capability: 16, if asked for, on data-center GPUs since Hopper.

    >>> [largest_cluster(major) for major in (8, 9, 10, 12)]
    [1, 16, 16, 8]
    """
    return {9: 16, 10: 16}.get(major, 8) if major >= 9 else 1


@functools.cache
def device_of(index: int) -> Device:
    """Describe one of this machine's GPUs."""
    import torch  # noqa: PLC0415 (the launcher is pure; only this asks a machine)

    properties: Any = torch.cuda.get_device_properties(index)  # its stub lags behind
    return Device(
        multiprocessors=properties.multi_processor_count,
        shared_bytes_per_block=properties.shared_memory_per_block_optin,
        shared_bytes_per_multiprocessor=properties.shared_memory_per_multiprocessor,
        largest_cluster=largest_cluster(properties.major),
    )
