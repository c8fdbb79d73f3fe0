"""Is this instrument true, on this machine? It measures kernels whose answers are known.

In the data's way: ``truths`` (the known answers), ``known`` and ``liars`` (the plugin files that have them; workers
load these, the driver never does), ``run`` (measures them the ordinary way), ``passes`` (frames to one log ratio a
pass), ``assess`` (bias, coverage, resolution; pure), ``checks`` (what was found against what is true).

Only ``run`` is meant for others: ``from bench.selftest.run import selftest``.
"""
