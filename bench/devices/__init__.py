"""The only place where CPU and CUDA differ.

In order: ``environment`` (what must be set before a worker starts; no torch), ``base`` (what a device can do),
``allocations`` (what a call allocates on the CPU), ``cpu``, ``cuda``, ``choice`` (a name to a device).
"""
