"""A kernel that holds the device until the host has queued a whole batch behind it, so that no launch shows.

One thread spins on a word in pinned host memory, which the host writes when everything is queued (as nvbench's
``blocking_kernel.cu`` does). It gives up by itself after a while: a call that waits for the device, loads a module or
compiles would otherwise wait for ever, since the device waits for the host. Needs the extra ``cuda``.
"""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from typing import Any

import torch

from bench.devices.cuda.runtime import Blocker

KERNEL = "hold_until_released"
SOURCE = f"""
extern "C" __global__ void {KERNEL}(volatile int *released, volatile int *gave_up, long long timeout_ns)
{{
    long long start, now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
    while (!*released) {{
        asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
        if (now - start > timeout_ns) {{
            *gave_up = 1;
            __threadfence_system();
            return;
        }}
    }}
}}
"""
_RELEASED, _GAVE_UP = 0, 1


def compile_kernel(arch: str) -> bytes:
    """Compile the kernel to machine code for an architecture, as ``sm_90``; needs no GPU.

    Raises
    ------
    Exception
        Whatever cuda-core raises where NVRTC is missing or refuses.
    """
    from cuda.core import Program, ProgramOptions  # noqa: PLC0415 - an extra's package

    return bytes(Program(SOURCE, "c++", ProgramOptions(name=KERNEL, arch=arch, std="c++17")).compile("cubin").code)


def compiled_blocker(timeout_s: float) -> Blocker | None:
    """Make a blocker for the current device, or None where cuda-core or NVRTC is missing or fails."""
    if find_spec("cuda") is None or find_spec("cuda.core") is None:
        return None
    try:
        return PinnedBlocker(timeout_s)
    except Exception:
        return None  # the caller has a head start instead, and says so


class PinnedBlocker:
    """The kernel and its two words of pinned memory."""

    def __init__(self, timeout_s: float) -> None:
        from cuda.core import Device, ObjectCode  # noqa: PLC0415 - an extra's package

        device = torch.cuda.current_device()
        # cuda-core keeps a current device of its own; the primary context behind it is torch's.
        Device(device).set_current()
        major, minor = torch.cuda.get_device_capability(device)
        self._kernel: Any = ObjectCode.from_cubin(compile_kernel(f"sm_{major}{minor}"), name=KERNEL).get_kernel(KERNEL)
        self._timeout_ns = int(timeout_s * 1e9)
        self._words = torch.zeros(2, dtype=torch.int32, pin_memory=True)
        # Written through ctypes: a plain store, no torch operator between the queue and the release.
        self._host = (ctypes.c_int32 * 2).from_address(self._words.data_ptr())

    def block(self) -> None:
        """Queue the kernel on torch's current stream; the device must be done with the last one."""
        from cuda.core import LaunchConfig, launch  # noqa: PLC0415 - an extra's package

        self._host[_RELEASED] = self._host[_GAVE_UP] = 0
        address = self._words.data_ptr()  # pinned memory has one address on both sides
        launch(
            torch.cuda.current_stream(),
            LaunchConfig(grid=1, block=1),
            self._kernel,
            address,
            address + 4,
            ctypes.c_int64(self._timeout_ns),
        )

    def release(self) -> None:
        """Let the device go on."""
        self._host[_RELEASED] = 1

    def timed_out(self) -> bool:
        """Say whether the kernel gave up."""
        return bool(self._host[_GAVE_UP])
