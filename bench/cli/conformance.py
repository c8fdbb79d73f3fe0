"""The table of the conformance suite."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from bench.check.laws import LAWS, REQUIRED
from bench.check.tally import Kept, Row, State


def conformance(rows: Sequence[Row]) -> RenderableType:
    """Show law by implementation, then each broken law with its worst case."""
    here = [row for row in rows if not row.unavailable]
    table = Table(title="what holds, and for how many cases")
    for column in ("law", "level", *(row.implementation for row in here)):
        table.add_column(escape(column), overflow="fold")
    for place, law in enumerate(LAWS.values()):
        table.add_row(law.name, law.level, *(_cell(row.laws[place]) for row in here))
    return Group(table, *(escape(line) for row in rows for line in _told(row)))


def _cell(kept: Kept) -> str:
    if kept.state == State.BROKEN:
        return f"[bold]BROKEN[/bold] in {kept.broken} of {kept.cases}"
    if kept.state == State.HOLDS:
        used = f", {kept.figure / kept.bar:.0%}" if kept.figure is not None and kept.bar else ""
        return f"holds ({kept.cases}{used})"
    return "not run" if kept.state == State.NOT_RUN else "–"


def _told(row: Row) -> list[str]:
    if row.unavailable:
        return [f"{row.implementation}: unavailable: {row.unavailable}"]
    broken = [one for one in row.laws if one.state == State.BROKEN]
    verdict = "keeps every required law" if row.is_right else "breaks what is required"
    ordered = sorted(broken, key=lambda kept: kept.level != REQUIRED)
    worst = [f"  {one.law} ({one.level}), worst in {one.case}: {one.reason}" for one in ordered]
    return [f"{row.implementation}: {verdict}", *worst]
