"""The sums over whole models that ``run.json`` holds, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import quantities as q
from .machine import Info
from .tables import Table, of_pairs


def of_runs(infos: Sequence[Info]) -> tuple[Table, ...]:
    """Make a table of each model and variant: what its norms take in one forward pass, by implementation."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for info in infos:
        for one in info.get("totals") or ():
            run = f" · {info.get('run_id')}" if len(infos) > 1 else ""
            found.setdefault(_caption(one) + run, []).append(one)
    return tuple(_table(caption, totals) for caption, totals in found.items())


def _caption(one: Mapping[str, Any]) -> str:
    calls = f"{one['calls']} of its {one['of_calls']}" if one["calls"] < one["of_calls"] else f"its {one['of_calls']}"
    variant = f" ({one['variant']})" if one["variant"] else ""
    return f"{one['model']}{variant}: {calls} GroupNorm calls together"


def _table(caption: str, totals: Sequence[Mapping[str, Any]]) -> Table:
    columns = ("implementation", "together", "95 % interval", "speed-up", "its interval", "passes", "remark")
    order = sorted(totals, key=lambda one: (q.is_null(one["latency_s"]), one["latency_s"] or 0.0))
    return of_pairs(caption, columns, [_row(one) for one in order])


def _row(one: Mapping[str, Any]) -> list[str]:
    ends = (one["latency_low_s"], one["latency_high_s"])
    between = q.NULL if q.is_null(ends[0]) else f"{q.seconds(ends[0])} to {q.seconds(ends[1])}"
    return [
        str(one["implementation"]),
        q.seconds(one["latency_s"]),
        between,
        q.ratio(one["speedup"]),
        q.interval(one["speedup_low"], one["speedup_high"]),
        q.count(one["passes"]),
        "" if one["covered"] == 1 else f"has a figure for {q.percent(one['covered'])} of the reference's time",
    ]
