"""CUDA: four timers on the device's own clock, behind one device.

In order: ``runtime`` (all that is asked of torch, so that a fake with exact numbers can stand in its place),
``blocking`` (holds the device until a batch is queued), ``events``, ``graph``, ``cupti``, ``nvbench`` (the timers),
``nvml`` (clock, power, heat), ``busy`` (sustained load), ``device`` (all of them together).
"""

from __future__ import annotations

from bench.devices.cuda.device import CudaDevice

__all__ = ["CudaDevice"]
