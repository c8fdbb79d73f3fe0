"""All that the timers ask of torch, in one place: a fake with exact numbers stands in for it in the tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch

_CUDA: Any = torch.cuda  # half of it is not typed


class Event(Protocol):
    """A point on the device's own clock."""

    def record(self) -> None:
        """Queue the point."""

    def elapsed_time(self, end: Any) -> float:
        """Give the milliseconds to a later point; both must have passed."""


class Blocker(Protocol):
    """Holds the device until it is released (see ``blocking``)."""

    def block(self) -> None:
        """Queue the wait."""

    def release(self) -> None:
        """End it."""

    def timed_out(self) -> bool:
        """Say whether the last wait ended by itself; asked when the device is done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Calls captured as a graph."""

    replay: Callable[[], None]
    output: Any
    """The last call's output; each replay writes it anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Which GPU this is, whatever number the process knows it by."""

    uuid: str | None
    """As ``GPU-...``."""
    pci: str | None
    """As ``00000000:65:00.0``."""


class Runtime(Protocol):
    """What the timers need."""

    def is_available(self) -> bool: ...  # noqa: D102
    def init(self, threads: int) -> None: ...  # noqa: D102
    def synchronize(self) -> None: ...  # noqa: D102
    def event(self) -> Event: ...  # noqa: D102

    def spin(self, cycles: int) -> None:
        """Queue a kernel that takes so many clock cycles."""

    def blocker(self, timeout_s: float) -> Blocker | None:
        """Make a blocker, or None where none can be compiled."""

    def flush(self) -> None:
        """Queue a write through twice the L2 cache."""

    def l2_bytes(self) -> int: ...  # noqa: D102
    def free_bytes(self) -> int: ...  # noqa: D102
    def allocated_bytes(self) -> int: ...  # noqa: D102

    def peak_bytes(self) -> int:
        """Give the most bytes allocated at once since ``reset_peak``."""

    def reset_peak(self) -> None: ...  # noqa: D102

    def release_memory(self) -> None:
        """Give cached memory back to the system."""

    def capture(self, call: Callable[[], Any], times: int) -> Recording:
        """Record calls as a graph."""

    def activities(self, act: Callable[[], Any]) -> list[str]:
        """Name the kernels, copies and fills that ran on the device for ``act``, in the profiler's order."""

    def on_stream(self, handle: int) -> AbstractContextManager[Any]:
        """Make another library's stream the current one."""

    def identity(self) -> Identity: ...  # noqa: D102

    def seconds(self) -> float:
        """Read the host's clock."""

    def sleep(self, seconds: float) -> None: ...  # noqa: D102


class TorchRuntime:
    """torch's CUDA, its current device and current stream."""

    def __init__(self) -> None:
        self._flushing = torch.empty(0)

    def is_available(self) -> bool:
        """Ask for a device; called in a worker only, for a process that has asked cannot be forked safely."""
        return torch.cuda.is_available()

    def init(self, threads: int) -> None:
        """Fix the host's threads, make the context and the buffer that flushes L2.

        Here and not at the first flush, which is queued while the device is held: an allocation may wait for it.
        """
        torch.set_num_threads(threads)
        _CUDA.init()
        self._flushing = torch.empty(2 * self.l2_bytes(), dtype=torch.uint8, device="cuda")

    def synchronize(self) -> None:
        """Wait for the device."""
        torch.cuda.synchronize()

    def event(self) -> Event:
        """Make an event that keeps time."""
        made: Event = _CUDA.Event(enable_timing=True)
        return made

    def spin(self, cycles: int) -> None:
        """Use torch's own spinning kernel."""
        _CUDA._sleep(cycles)  # noqa: SLF001 - its only one

    def blocker(self, timeout_s: float) -> Blocker | None:
        """Compile the blocking kernel, where the extra ``cuda`` is installed."""
        from bench.devices.cuda.blocking import compiled_blocker  # noqa: PLC0415 - an extra's libraries

        return compiled_blocker(timeout_s)

    def flush(self) -> None:
        """Fill a buffer of twice the cache."""
        self._flushing.zero_()

    def l2_bytes(self) -> int:
        """Read the size of the L2 cache."""
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size)

    def free_bytes(self) -> int:
        """Count what the driver has left and what the caching allocator holds unused."""
        return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()

    def allocated_bytes(self) -> int:
        """Ask the caching allocator."""
        return torch.cuda.memory_allocated()

    def peak_bytes(self) -> int:
        """Ask the caching allocator."""
        return torch.cuda.max_memory_allocated()

    def reset_peak(self) -> None:
        """Begin a new peak."""
        torch.cuda.reset_peak_memory_stats()

    def release_memory(self) -> None:
        """Empty the caching allocator."""
        torch.cuda.empty_cache()

    def capture(self, call: Callable[[], Any], times: int) -> Recording:
        """Capture on a stream of torch's own; only the last output is kept, so the others share memory as eagerly."""
        graph = torch.cuda.CUDAGraph()
        output = None
        with torch.cuda.graph(graph):
            for _ in range(times):
                output = None
                output = call()
        return Recording(replay=graph.replay, output=output)

    def activities(self, act: Callable[[], Any]) -> list[str]:
        """Ask torch's profiler."""
        from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415 - the graph timer's need alone

        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA]) as trace:
            act()
            torch.cuda.synchronize()
        return [event.name for event in trace.events() or [] if event.device_type.name == "CUDA"]

    def on_stream(self, handle: int) -> AbstractContextManager[Any]:
        """Wrap a stream that torch did not make."""
        stream: AbstractContextManager[Any] = _CUDA.stream(_CUDA.ExternalStream(handle))
        return stream

    def identity(self) -> Identity:
        """Read what CUDA says of the current device."""
        properties: Any = torch.cuda.get_device_properties(torch.cuda.current_device())
        uuid = getattr(properties, "uuid", None)
        pci = None
        if hasattr(properties, "pci_bus_id"):
            pci = f"{properties.pci_domain_id:08x}:{properties.pci_bus_id:02x}:{properties.pci_device_id:02x}.0"
        return Identity(uuid=f"GPU-{uuid}" if uuid is not None else None, pci=pci)

    def seconds(self) -> float:
        """Read the monotonic clock."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Give the core away."""
        time.sleep(seconds)
