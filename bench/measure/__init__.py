"""One visit of a block, on both sides of the wall to the worker.

The driver's side, without torch: ``messages`` (what crosses the wall), ``link`` (starts workers, asks them, says who
died), ``watch`` (their deaths, memory and output, from outside), ``rounds`` (which batch next; no clock, no process),
``visited`` (what a visit is to do, and its record), ``visit`` (check, warm, rounds, challenge, memory of one block),
``tally`` (what the visits of a block add up to).

The worker's side: ``zygote`` (imports torch once and forks), ``worker`` (answers messages; the only place that runs
a kernel), ``bench`` it works on: ``opened`` (one block's tensors, calls and truth), ``variant``, ``inputs``, ``call``,
``oracle``, ``error``, ``form`` (what an output is), ``warming`` (when a call is warm; pure), ``replay`` (does a graph
read its inputs anew), ``honesty`` (contents never seen), ``compiles``, ``trace`` (torch's profiler), ``ranges`` (nvtx).
Around each act of a row: ``conduct``, of ``state``, ``patches`` and ``tasks``; ``limits`` (memory).
"""
