"""The only place where CPU and CUDA differ.

In order: ``environment`` (what must be set before a worker starts; no torch), ``base`` (what a device can do),
``allocations`` and ``resident`` (what a call allocates and what it touches on the CPU), ``waiting`` (how long threads
waited for a core), ``tracing`` (what a profiler records), ``cpu``, ``cuda``, ``choice`` (a name to a device).
"""
