"""The GPUs as the driver's library (NVML) tells of them, without torch; what is unknown is None or empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def facts() -> list[dict[str, Any]]:
    """Give what is known of each GPU."""
    return _asked(lambda nvml: [_facts(nvml, handle) for handle in _handles(nvml)]) or []


def uuids() -> list[str]:
    """Give the GPUs' UUIDs in the driver's order."""
    return _asked(lambda nvml: [str(nvml.nvmlDeviceGetUUID(handle)) for handle in _handles(nvml)]) or []


def free_bytes(name: str) -> int | None:
    """Give the memory of a GPU, by its UUID, that nobody holds."""
    return _asked(lambda nvml: int(nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByUUID(name)).free))


def computing_on(name: str) -> list[int]:
    """List the processes that hold a compute context on a GPU, by its UUID."""

    def ask(nvml: Any) -> list[int]:
        handle = nvml.nvmlDeviceGetHandleByUUID(name)
        return [int(process.pid) for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)]

    return _asked(ask) or []


def gpu_of(visible: str | None, uuids: Sequence[str]) -> str:
    """Name the GPU that a worker uses: the first that CUDA_VISIBLE_DEVICES leaves, by its UUID where that is known.

    >>> gpu_of("1,0", ["GPU-a", "GPU-b"])
    'GPU-b'
    """
    first = (visible or "0").split(",")[0].strip()
    if not first.isdigit():
        return first
    return uuids[int(first)] if int(first) < len(uuids) else f"gpu-{int(first)}"


def _asked(ask: Callable[[Any], T]) -> T | None:
    """Ask the library, which may be missing, without a driver, or without the permission."""
    try:
        with _opened() as nvml:
            return ask(nvml)
    except Exception:
        return None


@contextmanager
def _opened() -> Iterator[Any]:
    import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - an extra's package

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _handles(nvml: Any) -> list[Any]:
    return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]


def _facts(nvml: Any, handle: Any) -> dict[str, Any]:
    def known(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception:
            return None

    return {
        "name": known(lambda: nvml.nvmlDeviceGetName(handle)),
        "driver": known(lambda: nvml.nvmlSystemGetDriverVersion()),  # noqa: PLW0108 - looked up where it may be missing
        "total_bytes": known(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total),
        "sm_clock_hz": known(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1_000_000),
        "most_sm_clock_hz": known(lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM) * 1_000_000),
        "power_limit_w": known(lambda: nvml.nvmlDeviceGetPowerManagementLimit(handle) / 1000),
        "mig": known(lambda: nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE),
    }
