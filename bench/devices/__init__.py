"""The only place where CPU and CUDA differ.

In order: ``environment`` (what must be set before a worker starts), ``timers`` (who times what), ``room`` (which GPU,
and the memory that problems must fit in), all without torch; ``base`` (what a device can do), ``allocations`` and
``resident`` (what a call allocates and what it touches on the CPU), ``waiting`` (did another program take a core),
``tracing`` (what a profiler records), ``cpu``, ``cuda``, ``choice`` (a name to a device).
"""
