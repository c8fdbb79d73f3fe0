"""A gate's verdicts as a comment on a pull request: GitHub takes 65,536 characters, GitLab and others about as many."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .. import gate
from ..views import records
from .markdown import escape

MOST_CHARACTERS = 60_000
_COLUMNS = ("verdict", "implementation", "problem", "metric", "base", "head", "change", "why")
_FEW = ("verdict", "implementation", "problem", "metric", "change")
_MARK = {"regression": "❌", "cells gone": "❌", "no regression": "✅"}


def comment(frame: pd.DataFrame, info: gate.Info) -> str:
    """Write the comment; the outcome and what failed are never dropped, all else is where there is no room."""
    mark = _MARK.get(info["outcome"], "❔")
    head = [f"## {mark} GroupNorm: {escape(gate.headline(frame, info))}", escape(gate.conditions(info))]
    head += [f"> **Warning:** {escape(one)}" for one in info["warnings"][:5]]
    rows = [gate.cells(row) for row in records(gate.told(frame))]
    failed = [gate.cells(row) for row in gate.failing(frame)]
    for told, columns in ((rows, _COLUMNS), (failed, _COLUMNS), (failed, _FEW)):
        text = "\n\n".join([*head, *_table(told, columns), *_left_out(len(rows) - len(told))]) + "\n"
        if len(text) <= MOST_CHARACTERS:
            return text
    return "\n\n".join([*head, *_counted(failed), *_left_out(len(rows) - len(failed))]) + "\n"


def _table(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> list[str]:
    if not rows:
        return []
    lines = [columns, ["---"] * len(columns), *([escape(row[name]) for name in columns] for row in rows)]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines)]


def _left_out(count: int) -> list[str]:
    return [f"{count} rows that did not fail the gate are left out here."] if count else []


def _counted(failed: Sequence[dict[str, str]]) -> list[str]:
    """Name every failed cell as short as can be: thousands of them, by implementation and metric."""
    gathered: dict[tuple[str, str, str], list[str]] = {}
    for row in failed:
        gathered.setdefault((row["verdict"], row["implementation"], row["metric"]), []).append(row["problem"])
    room = (MOST_CHARACTERS - 5_000) // max(1, len(gathered))
    lines = []
    for (verdict, implementation, metric), problems in gathered.items():
        said = f"- **{escape(verdict)}**: {escape(implementation)}, {escape(metric)}, {len(problems)} cells: "
        said += "; ".join(escape(one) for one in problems)
        lines.append(said if len(said) <= room else f"{said[: room - 60]}… (all are in verdicts.parquet)")
    return ["\n".join(lines)]
