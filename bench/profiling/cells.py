"""Which cells are profiled: those of the axes and names asked for, refused where they are too many to be looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.devices.room import available_memory_bytes
from bench.errors import UsageError
from bench.plan.block import Block, blocks
from bench.plan.config import Settings
from bench.plan.cost import memory_bytes
from bench.plan.problem import Problem
from bench.plan.sweep import Sweep, expand, shard
from bench.planning import why_none
from reports.quantities import plural

MOST_CELLS = 50
"""A cell takes some seconds and is looked at one by one."""
FEW_PROBLEMS = 3
"""Of the quick preset, where nothing was chosen."""


def problems(sweep: Sweep, settings: Settings, *, most: int | None = None) -> tuple[Block, ...]:
    """Expand a sweep to blocks without names, ``most`` of them at most.

    Raises
    ------
    UsageError
        No valid problem is left.
    """
    expansion = expand(sweep)
    found = expansion.problems
    if settings.shard is not None:
        found = shard(found, *settings.shard)
    if not found:
        raise UsageError("sweep", why_none(expansion), "give -N -C -H -W -G, such as -N 2 -C 320 -H 32 -W 32 -G 32")
    return blocks(found[:most], ())


def unfitting(problem: Problem) -> str | None:
    """Say why a problem's tensors and oracle do not fit in memory; None where they do."""
    available = available_memory_bytes(problem.device)
    needed = memory_bytes(problem)
    return f"needs {needed:,} bytes of memory, {available:,} are available" if needed > available else None


def refuse_too_many(planned: Sequence[Block], names: Collection[str]) -> None:
    """Refuse more cells than anybody looks at, and say how to choose fewer."""
    count = len(planned) * len(names)
    if count > MOST_CELLS:
        words = f"{plural(len(planned), 'problem')} x {plural(len(names), 'implementation')}"
        found = f"{words}: {count} cells are more than {MOST_CELLS}"
        raise UsageError("cells", found, "name implementations with --impl, or fewer values for -N -C -H -W -G")


def chosen(rows: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Leave the reference out where only others were asked for: nothing is divided by it here."""
    asked = set(settings.impl)
    if not asked or "all" in asked:
        return tuple(rows)
    return tuple(name for name in rows if name in asked)
