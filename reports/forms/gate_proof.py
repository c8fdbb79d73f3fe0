"""What a gate's self-check proves, as a table for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .. import quantities as q
from ..views import records
from .terminal import FittingTable


def table(frame: pd.DataFrame, title: str) -> FittingTable:
    """Show the proof in a terminal; in a narrow one go, in this order: seconds, gates, no verdict."""
    rows = tuple(_cells(row) for row in records(frame))
    return FittingTable(title=title, rows=rows, dropped_first=("seconds", "gates", "no verdict"))


def markdown(frame: pd.DataFrame) -> str:
    """Write the proof as a Markdown table."""
    rows = [_cells(row) for row in records(frame)]
    lines = [tuple(rows[0]), tuple("---" for _ in rows[0]), *(tuple(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "rule": row["rule"],
        "slowed": f"{row['slowed']} {100 * row['slowdown']:g} %" if row["slowdown"] else row["slowed"],
        "gates": q.count(row["gates"]),
        "alarms": _rate(row, "alarms"),
        "found": _rate(row, "found"),
        "no verdict": q.count(row["undecided"]),
        "seconds": q.NULL if q.is_null(row["mean_s"]) else f"{row['mean_s']:.0f}",
    }


def _rate(row: Mapping[str, Any], name: str) -> str:
    if q.is_null(row[name]):
        return q.NULL
    low, high = (f"{100 * row[f'{name}_{end}']:.3g}" for end in ("low", "high"))
    return f"{100 * row[name] / row['gates']:.3g} % [{low}, {high}]"
