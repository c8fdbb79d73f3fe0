"""From words to the visits of a run; pure: no torch, pandas, process or clock.

In the order of the way: ``axes`` (text to values), ``problem`` (one GroupNorm), ``sweep`` (axes to problems),
``config`` (TOML and presets to a sweep and its settings), ``block`` (a problem and the implementations set against
each other), ``cost`` (what it will take), ``stretches`` (which blocks together, in a big sweep), ``visits`` (which
block next) and ``remaining`` (what is left); ``slurm`` reads which part of a sweep a job array's task has. Each imports
only those before it.
"""
