"""From words to the visits of a run; pure: no torch, pandas, process or clock.

In the order of the way: ``axes`` (text to values), ``problem`` (one GroupNorm), ``sweep`` (axes to problems),
``config`` (TOML and presets to a sweep and its settings), ``block`` (a problem and the implementations set against
each other), ``cost`` (what it will take) and ``visits`` (which block next). Each imports only those before it.
"""
