"""A run of now against a stored baseline: measures what the baseline holds, and gives the gate's verdicts."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.events import Listener
from bench.gate import folder, verdicts
from bench.gate.asked import Asked, facts
from bench.gate.baseline import against
from bench.gate.baseline.taken import taken
from bench.gate.folder import GateFolder
from bench.passes import LEAST_PASSES
from bench.record.frames import frame_of
from bench.run import run
from reports.gate_schema import Outcome, VerdictRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Against:
    """A stored baseline and how it is taken."""

    baseline: Path
    """A run, a stored baseline or pytest-benchmark's JSON."""
    strict: bool = False
    """Latency is a verdict, too."""
    allowed: Collection[str] = ()
    """Conditions that may differ."""
    takes_own_axes: bool = False
    """``asked`` names the problems; else the baseline's own are measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What came out, under the names that a gate's own result has."""

    folder: GateFolder
    outcome: Outcome
    frame: pd.DataFrame
    info: dict[str, Any]


def hold(
    asked: Asked,
    held: Against,
    *,
    out: Path | None = None,
    listener: Listener | None = None,
    command: Sequence[str] = (),
) -> Found:
    """Measure a run and hold it against a baseline.

    Raises
    ------
    UsageError
        The baseline cannot be read or was taken under other conditions, or the run cannot be made.
    """
    for name in held.allowed:
        if name not in against.CONDITIONS:
            raise UsageError("--allow", f"{name!r} is no condition", f"known are {', '.join(against.CONDITIONS)}")
    base, policy, now = taken(held.baseline, "--baseline"), asked.policy, datetime.now(UTC)
    # As many passes as it has, where they can be: each draws inputs of its own, and the error is the worst of them.
    passes = max(LEAST_PASSES, *(cell.passes for cell in base.cells.values()))
    settings = replace(asked.settings, passes=passes, impl=asked.settings.impl or against.names_of(base))
    sweep = asked.sweep if held.takes_own_axes else against.sweep_of(base)
    made = folder.create(out or folder.default_path(now), {"started": now.isoformat(timespec="seconds")})
    began = time.perf_counter()
    measured = run(sweep, settings, out=made.path / "run", listener=listener, command=command)
    head = taken(measured.path, "--baseline")
    different = against.refuse_other_conditions(base, head, held.allowed)
    rows = against.rows(base, head, verdicts.Rules(policy=policy, today=now.date(), places={}), strict=held.strict)
    outcome = verdicts.outcome(rows, None)
    info = facts(
        made,
        outcome,
        policy.lines,
        base=f"{held.baseline} (taken {base.taken})",
        head=str(measured.path),
        passes=max((cell.passes for cell in head.cells.values()), default=0),
        seconds=time.perf_counter() - began,
        warnings=[f"other conditions: {one}" for one in different],
    )
    made.update(**info)
    return Found(folder=made, outcome=outcome, frame=frame_of(VerdictRow, rows), info=info)
