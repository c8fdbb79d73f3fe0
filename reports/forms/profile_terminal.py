"""A profile on a terminal: the longest operators and kernels of each cell, and what is missing."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from .. import intake, views
from .. import quantities as q
from ..profile_schema import KernelRow, ProfileRow
from ..profile_views import missing, profiled, top_kernels
from .terminal import FittingTable

_MOST_KERNELS = 3
_LONGEST_NAME = 48


def summary(cells: pd.DataFrame, kernels: pd.DataFrame) -> RenderableType:
    """Tell for each cell its longest operators and kernels and its bytes, then what could not be seen and why.

    In a narrow terminal go, in this order: calls, bytes over the least, kind.
    """
    named = views.cells(intake.check(cells, ProfileRow))
    checked = intake.check(kernels, KernelRow)
    rows = [
        _row(cell, one)
        for cell in views.records(profiled(named))
        for one in views.records(top_kernels(checked, cell, _MOST_KERNELS))
    ]
    table = FittingTable(
        title="The longest operators and kernels of each cell, by their own time in one call",
        rows=tuple(rows),
        dropped_first=("calls", "bytes", "kind"),
    )
    told = [
        Text(f"missing: {what} of {names} ({q.plural(int(count), 'cell')}): {why}")
        for what, names, count, why in missing(named)
    ]
    return Group(*([table] if rows else []), *told)


def _row(cell: dict[str, Any], one: dict[str, Any]) -> dict[str, str]:
    name = str(one["kernel"])
    return {
        "problem": str(cell["problem"]),
        "implementation": str(cell["implementation"]),
        "kind": str(one["kind"]),
        "kernel": name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
        "calls": q.count(one["calls"]),
        "own time": q.seconds(one["self_s"]),
        "share": q.percent(one["share"]),
        "bytes": _bytes(cell),
    }


def _bytes(cell: dict[str, Any]) -> str:
    """Write bytes over the least possible, and whether they were counted or only touched."""
    for column, word in (("moved_bytes", "moved"), ("touched_bytes", "touched")):
        if not q.is_null(cell[column]):
            return f"{q.ratio(float(cell[column]) / float(cell['minimum_bytes']))} {word}"
    return q.NULL
