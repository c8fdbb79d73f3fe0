"""Passes of equal code on both sides, every round kept: what gates are replayed from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.gate.judge import CONTROL
from bench.measure.messages import TWIN
from bench.measure.visited import Visited
from bench.record.journal import records
from bench.stats.paired import log_ratio_of_pass

LEAST_PASSES = 40


@dataclass(frozen=True, kw_only=True)  # no slots: figures are kept once they were asked for
class Recorded:
    """One pass: seconds per call, round by round, of both sides of each cell."""

    seconds: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    wall_s: Mapping[str, float]
    """Wall time of each problem's visit; under the control's key that of the control and of starting the worker."""

    @cached_property
    def figures(self) -> Mapping[str, float]:
        """log(head) - log(base) of each cell that has rounds, as a gate's pass has it: thousands of gates ask."""
        ratios = {cell: log_ratio_of_pass(head, base) for cell, (base, head) in self.seconds.items()}
        return {cell: ratio for cell, ratio in ratios.items() if ratio is not None}


def line(visits: Iterable[Visited], reference: str, whole_s: float) -> dict[str, Any]:
    """Give one pass's visits as a line of the recording."""
    seconds: dict[str, list[list[float]]] = {}
    wall_s: dict[str, float] = {}
    for visited in visits:
        taken = sum(visited.seconds.values())
        if TWIN in visited.series:
            names = {CONTROL: (reference, TWIN)}
        else:
            rows = {name.partition("@")[0] for name in visited.series}
            names = {f"{row} {visited.key}": (f"{row}@base", f"{row}@head") for row in sorted(rows)}
            wall_s[visited.key] = taken
        for cell, (base, head) in names.items():
            if base in visited.series and head in visited.series:
                seconds[cell] = [visited.series[base].call_seconds(), visited.series[head].call_seconds()]
    wall_s[CONTROL] = whole_s - sum(wall_s.values())
    return {"seconds": seconds, "wall_s": wall_s}


def read(path: Path) -> list[Recorded]:
    """Read a recording.

    Raises
    ------
    UsageError
        It cannot be read, or holds too few passes to assemble gates from.
    """
    try:
        made = [
            Recorded(
                seconds={cell: (base, head) for cell, (base, head) in one["seconds"].items()}, wall_s=one["wall_s"]
            )
            for one in records(path)
        ]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise UsageError("--replay", f"{path} is no recording ({error})", "record one with --self-check") from error
    if len(made) < LEAST_PASSES:
        found = f"{path} holds {len(made)} passes"
        raise UsageError("--replay", found, f"record at least {LEAST_PASSES}: --self-check --passes 400")
    return made


def cells_of(passes: Sequence[Recorded]) -> tuple[str, ...]:
    """Give the cells that every pass has a figure of, but for a few that were disturbed; the control is none."""
    counted: dict[str, int] = {}
    for one in passes:
        for cell in one.seconds:
            counted[cell] = counted.get(cell, 0) + 1
    return tuple(cell for cell, count in counted.items() if cell != CONTROL and count > 0.9 * len(passes))
