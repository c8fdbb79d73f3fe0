"""One figure a file: a view to a matplotlib ``Figure``. No pyplot, no display, no global state.

``canvas`` (an empty figure in the house's look, axes in units) and ``svg`` (a figure as inline SVG) serve all others:
``speedup_map``, ``scaling``, ``bytes_time``, ``memory``, ``error``, ``stability``.
"""
