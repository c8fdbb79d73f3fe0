"""A device's name to the device."""

from __future__ import annotations

from bench.devices.base import Device


def device_named(name: str) -> Device:
    """Make the device, importing only what it needs.

    Raises
    ------
    RuntimeError
        The machine has no such device.
    """
    if name == "cuda":
        from bench.devices.cuda import CudaDevice  # noqa: PLC0415 - a CPU worker needs none of it

        return CudaDevice()
    from bench.devices.cpu import CpuDevice  # noqa: PLC0415

    return CpuDevice()
