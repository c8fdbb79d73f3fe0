"""Renderables for a terminal: they fit its width by leaving columns out, in a stated order, never by wrapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from .. import intake, machine, tables, totals
from .. import quantities as q
from ..schema import ComparisonRow, ResultRow
from ..sentences import without_agreement
from ..views import cells, records, timed, winners

_LEAST_NAME = 12
_CUT = {"problem", "verdict"}
_RIGHT = {"latency", "together", "speed-up", "clone", "error", "extra memory", "base", "head", "change"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FittingTable:
    """A table that leaves out the first of ``dropped_first`` until it fits the console."""

    title: str
    rows: tuple[Mapping[str, str], ...]
    dropped_first: tuple[str, ...]

    def table(self, without: int = 0, cut: int = 0) -> Table:
        """Make the table without the first ``without`` of ``dropped_first``, its problems ``cut`` letters shorter."""
        gone = set(self.dropped_first[:without])
        names = [name for name in self.rows[0] if name not in gone] if self.rows else []
        made = Table(title=Text(self.title), title_justify="left", box=None, pad_edge=False, header_style="bold")
        for name in names:
            longest = max(len(name), *(len(row[name]) for row in self.rows))
            # In the narrowest terminal the problem's name is cut, never a figure.
            least = None if name in _CUT else longest
            made.add_column(
                Text(name),
                justify="right" if name in _RIGHT else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=least,
                max_width=max(_LEAST_NAME, longest - cut) if name == "problem" else None,
            )
        for row in self.rows:
            # Text, not str: a plugin's name is no markup.
            made.add_row(*(Text(row[name]) for name in names))
        return made

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for without in range(len(self.dropped_first) + 1):
            excess = self._width(console, options, self.table(without)) - options.max_width
            if excess <= 0:
                break
        yield self.table(without, max(0, excess))

    def _width(self, console: Console, options: ConsoleOptions, made: Table) -> int:
        return Measurement.get(console, options.update(max_width=10_000), made).maximum


def summary(results: pd.DataFrame, info: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> RenderableType:
    """Tell for each problem who is fastest, its speed-up to the reference, error and extra memory.

    In a narrow terminal go, in this order: extra memory, the plain copy's speed-up, latency; then names are cut.
    """
    infos = (info,) if isinstance(info, Mapping) else tuple(info)
    reference = machine.reference(infos)
    named = cells(intake.check(results, ResultRow), reference)
    ranked = timed(named).set_index(["problem", "implementation"])
    rows = [_summary_row(row, ranked) for row in records(winners(named))]
    table = FittingTable(
        title=f"Fastest on each problem, against {reference}",
        rows=tuple(rows),
        dropped_first=("extra memory", "clone", "latency"),
    )
    models = (part for one in totals.of_runs(infos) for part in (Text(), _plain(one)))
    failed = without_agreement(named)
    return Group(table, *models, *([Text(f"\n{failed}", style="bold")] if failed else []))


def _plain(one: tables.Table) -> FittingTable:
    """Show a table of words as the terminal's others."""
    rows = [dict(zip(one.columns, (entry.text for entry in row), strict=True)) for row in one.rows]
    return FittingTable(title=one.caption, rows=tuple(rows), dropped_first=("passes", "95 % interval", "remark"))


def _summary_row(row: Mapping[str, Any], ranked: pd.DataFrame) -> dict[str, str]:
    if q.is_null(row["leader"]):
        names = ("speed-up", "interval", "clone", "latency", "error", "extra memory")
        return {"problem": row["problem"], "fastest": "no figure", **dict.fromkeys(names, q.NULL)}
    cell = ranked.loc[(row["problem"], row["leader"])]
    is_clear = not q.is_null(row["winner"])
    return {
        "problem": row["problem"],
        "fastest": row["leader"] if is_clear else f"{row['leader']} (not clear)",
        "speed-up": q.ratio(row["speedup"]),
        "interval": q.interval(row["speedup_low"], row["speedup_high"]),
        "clone": q.ratio(cell["clone_speedup"]),
        "latency": q.seconds(cell["latency_s"]),
        "error": q.ulp(cell["error_ulp"]),
        "extra memory": q.byte_count(cell["extra_bytes"]),
    }


def comparison(cells: pd.DataFrame, totals: pd.DataFrame, differences: Sequence[str]) -> Group:
    """Set two runs side by side: how their machines differ, then models, then cells, the largest change first.

    In a narrow terminal go, in this order: base, head, interval.
    """
    told: list[RenderableType] = [Text("The two runs were not made alike:", style="bold")] if differences else []
    told += [Text(f"  {one}") for one in differences]
    if not totals.empty:
        told += [_changes("The whole model: head's speed-up over base's", totals, "model"), Text()]
    if cells.empty:
        return Group(*told, Text("The two runs have no cell in common."))
    return Group(*told, _changes("Head's speed-up over base's; above 1 is faster", cells, "problem"))


def _changes(title: str, frame: pd.DataFrame, subject: str) -> FittingTable:
    frame = intake.check(frame, ComparisonRow)
    size = (frame["change"] - 1).abs()
    ordered = frame.assign(size=size).sort_values(["size", "problem", "implementation"], ascending=[False, True, True])
    rows = [
        {
            "implementation": row["implementation"],
            subject: row["problem"],
            "base": q.ratio(row["base_speedup"]),
            "head": q.ratio(row["head_speedup"]),
            "change": q.ratio(row["change"]),
            "interval": q.interval(row["change_low"], row["change_high"]),
            "verdict": row["verdict"],
        }
        for row in records(ordered)
    ]
    return FittingTable(title=title, rows=tuple(rows), dropped_first=("base", "head", "interval"))
