"""What ``run.json`` says of a run: what was asked, by whom it was answered, and where its time went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bench import host
from bench.measure import messages
from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.sweep import LeftOut, Sweep
from reports import style


def new_run_id(now: datetime) -> str:
    """Name a run by the moment it is made, to the microsecond."""
    return f"{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}"


def asked(
    sweep: Sweep,
    settings: Settings,
    *,
    blocks: Iterable[Block],
    left_out: Iterable[LeftOut],
    command: Sequence[str],
    now: datetime,
) -> dict[str, Any]:
    """Tell what is known before the first worker starts."""
    facts = host.facts()
    return {
        "run_id": new_run_id(now),
        "command": list(command),
        "started": now.isoformat(timespec="seconds"),
        "finished": None,
        "seed": settings.seed,
        "sweep": sweep.to_dict(),
        "settings": settings.to_dict(),
        "left_out": [{"reason": left.reason, "count": left.count, "example": left.example} for left in left_out],
        "problems": [{"key": block.key, "count": block.count, "source": block.source} for block in blocks],
        "warnings": host.warnings(facts),
        **facts,
    }


def answered(table: messages.Loaded) -> dict[str, Any]:
    """Tell what a worker knows: the plugin table, threads, and what timing itself costs."""
    return {
        "threads": table.threads,
        "clock": {"resolution_s": table.resolution_s, "empty_call_s": table.empty_call_s},
        "implementations": [
            {
                "name": row.name,
                "place": row.place,
                "origin": row.origin,
                "devices": row.devices,
                "refusal": row.unavailable,
            }
            for row in table.rows
        ],
        "colours": style.assign(row.name for row in table.rows),
    }


def cost(spent: Mapping[str, float], *, wall_s: float, starting_s: float, reporting_s: float) -> dict[str, float]:
    """Tell where the wall time went, s, and the harness's share of it.

    Not the harness's: batches, warm-up, first calls (a compilation is the implementation's) and memory.
    """
    measuring = {
        "measuring_s": spent.get("measure", 0.0),
        "warming_s": spent.get("warm", 0.0),
        "first_calls_s": spent.get("first call", 0.0),
        "memory_s": spent.get("memory", 0.0),
    }
    return {
        "wall_s": wall_s,
        **measuring,
        "lost_s": spent.get("lost", 0.0),
        "checking_s": sum(spent.get(phase, 0.0) for phase in ("open", "check", "challenge", "close")),
        "starting_s": starting_s,
        "reporting_s": reporting_s,
        "harness_fraction": max(0.0, 1 - sum(measuring.values()) / wall_s),
    }
