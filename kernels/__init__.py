"""The GroupNorm implementations that groupnorm-bench sets against each other, and their table.

``table`` holds the rows and ``discovery`` fills it; ``layout`` reads how x lies in memory and ``cache`` keeps what
was built; then one implementation a file or folder, from the plainest to the most particular: ``native``,
``naive``, ``compiled``, ``triton``, ``cuda``, ``cpp``. Each row's module imports ``table`` and never another row,
save ``compiled``, which compiles ``naive``. Importing this package imports no torch: a row does, when
``discovery.load`` asks for it.

All imports in here are relative and all state is the table, so that two revisions of this package
can be held in one process under two names.
"""

from .table import register

__all__ = ["register"]
