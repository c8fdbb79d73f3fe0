"""Where a cell's time goes, and which bytes it moves: what disturbs a measurement and is therefore no part of a run.

In the data's way: ``cells`` (which cells, refused where they are too many), ``profile`` (the whole way on one page),
``visit`` (one cell in a worker of its own: check, warm, count, trace), ``perf`` (the CPU's counters around a worker),
``ncu`` (the GPU's, around ``cell``), ``request``
and ``cell`` (one cell in one process, for profilers that start their program),
``rows`` (what was found to rows), ``folder`` (where they go).
The driver's side imports neither torch nor ``kernels``; ``cell`` alone does, and is only ever started.
"""
