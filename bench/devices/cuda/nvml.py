"""Clock, power, heat and throttling as NVML tells them; only read, never set. Needs the extra ``nvml``."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.devices.cuda.runtime import Identity

T = TypeVar("T")

# Bits of nvmlClocksEventReasons (NVIDIA, NVML API reference). Left out, for they are no disturbance: idle (0x1), clocks
# that somebody set (0x2), sync boost (0x10), display (0x100).
THROTTLING = (
    0x4  # software power cap
    | 0x8  # hardware slowdown
    | 0x20  # software thermal slowdown
    | 0x40  # hardware thermal slowdown
    | 0x80  # power brake
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look at the device; None is what it does not tell."""

    sm_clock_hz: float | None = None
    throttled: bool | None = None
    power_w: float | None = None
    temperature_c: float | None = None


def over(readings: Sequence[Reading]) -> Reading:
    """Sum up several looks at one batch: the clock's median, throttled if ever, the most power and heat."""
    clocks = [one.sm_clock_hz for one in readings if one.sm_clock_hz is not None]
    throttled = [one.throttled for one in readings if one.throttled is not None]
    return Reading(
        sm_clock_hz=statistics.median(clocks) if clocks else None,
        throttled=any(throttled) if throttled else None,
        power_w=max((one.power_w for one in readings if one.power_w is not None), default=None),
        temperature_c=max((one.temperature_c for one in readings if one.temperature_c is not None), default=None),
    )


class Monitor:
    """Reads one device.

    Parameters
    ----------
    identity
        Which one: NVML counts all GPUs, a process only those that ``CUDA_VISIBLE_DEVICES`` leaves it.
    nvml
        ``pynvml``; None to import it.
    """

    def __init__(self, identity: Identity, nvml: Any = None) -> None:
        self._nvml = nvml or _imported()
        self._device: Any = None
        if self._nvml is not None and self._ask(self._nvml.nvmlInit, default=False) is None:
            self._device = self._found(identity)

    def _found(self, identity: Identity) -> Any:
        nvml = self._nvml
        ways = ((nvml.nvmlDeviceGetHandleByUUID, identity.uuid), (nvml.nvmlDeviceGetHandleByPciBusId, identity.pci))
        for find, name in ways:
            device = self._ask(find, name) if name is not None else None
            if device is not None:
                return device
        return None

    def _ask(self, ask: Callable[..., T], *arguments: Any, default: Any = None) -> T | Any:
        try:
            return ask(*arguments)
        except Exception:  # not supported, no permission, no driver: each says its own, and none is ours to mend
            return default

    def read(self) -> Reading:
        """Look once."""
        nvml, device = self._nvml, self._device
        if device is None:
            return Reading()
        reasons = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
        reasons = reasons or nvml.nvmlDeviceGetCurrentClocksThrottleReasons  # its name before driver 535
        mhz = self._ask(nvml.nvmlDeviceGetClockInfo, device, nvml.NVML_CLOCK_SM)
        bits = self._ask(reasons, device)
        milliwatts = self._ask(nvml.nvmlDeviceGetPowerUsage, device)
        celsius = self._ask(nvml.nvmlDeviceGetTemperature, device, nvml.NVML_TEMPERATURE_GPU)
        return Reading(
            sm_clock_hz=None if mhz is None else mhz * 1e6,
            throttled=None if bits is None else bool(bits & THROTTLING),
            power_w=None if milliwatts is None else milliwatts / 1e3,
            temperature_c=None if celsius is None else float(celsius),
        )


def _imported() -> Any:
    try:
        import pynvml  # noqa: PLC0415 - an extra's package
    except ImportError:
        return None
    return pynvml
