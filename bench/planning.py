"""A sweep to the blocks of a run, what does not fit in memory, and what it all will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import host
from bench.devices.room import available_memory_bytes
from bench.devices.timers import refuse_what_cannot_time
from bench.errors import UsageError
from bench.plan.block import Block, blocks
from bench.plan.config import Settings
from bench.plan.cost import Cost, estimate
from bench.plan.sweep import Expansion, Sweep, expand, shard


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a sweep comes to before anything is started."""

    expansion: Expansion
    blocks: tuple[Block, ...]
    cost: Cost
    available_bytes: int


def plan(sweep: Sweep, settings: Settings, names: Sequence[str] = (), *, available_bytes: int | None = None) -> Plan:
    """Expand a sweep and tell its cost.

    Parameters
    ----------
    sweep, settings
        What to measure and how.
    names
        The implementations, where they are known.
    available_bytes
        Memory that problems must fit in; asked of the system when None.

    Raises
    ------
    UsageError
        No valid problem is left, none fits in memory, or the timer cannot measure them.
    """
    refuse_what_cannot_time(sweep.device, settings.timer, sustained=settings.sustained)
    expansion = expand(sweep)
    problems = expansion.problems
    if settings.shard is not None:
        problems = shard(problems, *settings.shard)
    if not problems:
        mend = "give other -C or -G" if expansion.left_out else "give -N -C -H -W -G, or [[problem]] in the file"
        raise UsageError("sweep", why_none(expansion), mend)
    available = available_bytes or available_memory_bytes(sweep.device)
    planned = blocks(problems, names)
    cost = estimate(planned, settings, available)
    if not cost.fits_any:
        least = min(need.needed_bytes for need in cost.needs)
        found = f"no problem fits in memory: the smallest needs {least:,} bytes, {available:,} are available"
        raise UsageError("sweep", found, "give smaller -N, -C, -H or -W")
    return Plan(expansion=expansion, blocks=planned, cost=cost, available_bytes=available)


def threads_for(asked: int | None) -> int:
    """Give the CPU threads of a worker: those asked for, or one for every core at hand.

    Raises
    ------
    UsageError
        More are asked for than there are cores.
    """
    cores = host.available_cores()
    if asked is not None and asked > cores:
        raise UsageError(
            "--threads", f"{asked} is more than the {cores} cores at hand", f"give at most {cores}, or all"
        )
    return asked or cores


def why_none(expansion: Expansion) -> str:
    """Say why a sweep has no problem."""
    reasons = "; ".join(f"{left.reason} ({left.count}, as {left.example})" for left in expansion.left_out)
    return f"no valid problem is left: {reasons}" if reasons else "has no problem"
