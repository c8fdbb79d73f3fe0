"""The GroupNorm implementations that groupnorm-bench sets against each other, and their table.

``table`` holds the rows and ``discovery`` fills it; ``layout`` reads how x lies in memory, ``cache`` keeps what
was built, and ``operators`` takes our rows into torch's dispatcher; then one implementation a file or folder, from
the plainest to the most particular: ``native``, ``naive``, ``compiled``, ``triton``, ``cuda``, ``cpp``; ``modules``
takes them into models. Each row's module imports ``table`` and never another row, save ``compiled``, which compiles
``naive``. Importing this package imports no torch: a row does, when ``discovery.load`` asks for it.

All imports in here are relative and all state is the table, so that two revisions of this package
can be held in one process under two names.
"""

from typing import TYPE_CHECKING, Any

from .table import register

if TYPE_CHECKING:
    from .modules import GroupNorm, Replacement, replace_group_norm

__all__ = ["GroupNorm", "Replacement", "register", "replace_group_norm"]


def __getattr__(name: str) -> Any:
    """Bring in the modules for models, and torch with them, when somebody asks for one."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import modules  # noqa: PLC0415 (imports torch)

    return getattr(modules, name)
