"""The only place where CPU and CUDA differ.

In order: ``environment`` (what must be set before a worker starts) and ``timers`` (who times what), both without torch,
``base`` (what a device can do), ``allocations`` and ``resident`` (what a call allocates and what it touches on the
CPU), ``waiting`` (did another program take a core), ``tracing`` (what a profiler records), ``cpu``, ``cuda``,
``choice`` (a name to a device).
"""
