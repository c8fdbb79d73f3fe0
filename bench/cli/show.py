"""Tables, documents and progress: what commands show with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.cli.progress import interruptible, listening

if TYPE_CHECKING:
    import pandas as pd

    from bench.doctor import Examination
    from bench.measure.messages import RowFacts
    from bench.run import Plan
    from bench.selftest.run import SelfTest

__all__ = ["interruptible", "listening"]

_MOST_ROWS = 200
"""Of a plan shown as a table; --json lists all."""


class _Piped(Console):
    def on_broken_pipe(self) -> None:
        """Stay silent: ``| head`` has read enough, and the answer stands (rich would exit with 1)."""
        _close_output()


def _close_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Give the console for results: standard output, NO_COLOR obeyed."""
    return _Piped(highlight=False)


def to_error(line: str) -> None:
    """Say one line on standard error."""
    sys.stderr.write(f"gnbench: {line}\n")


def document(content: dict[str, Any]) -> None:
    """Write one JSON document on standard output and nothing else."""
    try:
        sys.stdout.write(json.dumps(content, allow_nan=False, indent=2, default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _close_output()


def frame_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give a frame's rows as plain data, null as None."""
    records: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return records


def plan_table(planned: Plan) -> Table:
    """Show the problems of a sweep, what was left out, and the cost."""
    seconds, most = planned.cost.seconds, planned.cost.most_bytes
    caption = [f"about {seconds:,.0f} s; at most {most / 1e6:,.0f} MB of {planned.available_bytes / 1e6:,.0f} MB"]
    caption += [f"left out: {left.count} x {left.reason}, as {left.example}" for left in planned.expansion.left_out]
    table = Table(title=f"{len(planned.blocks)} problems", caption="\n".join(caption), caption_justify="left")
    for column in ("N", "C", "H", "W", "G"):
        table.add_column(column, justify="right")
    for column in ("dtype", "layout", "direction", "activation", "count", "MB needed"):
        table.add_column(column)
    table.add_column("source", no_wrap=True)
    hidden = len(planned.blocks) - _MOST_ROWS
    if hidden > 0:
        table.title = f"the first {_MOST_ROWS} of {len(planned.blocks):,} problems; --json lists all"
    for block, need in list(zip(planned.blocks, planned.cost.needs, strict=True))[:_MOST_ROWS]:
        problem = block.problem
        table.add_row(
            *(str(size) for size in (problem.N, problem.C, problem.H, problem.W, problem.G)),
            problem.dtype,
            problem.layout,
            problem.direction,
            problem.activation,
            str(block.count),
            f"{need.needed_bytes / 1e6:,.0f}" + ("" if need.fits else " (does not fit)"),
            escape(block.source),
        )
    return table


def rows_table(rows: Sequence[RowFacts]) -> Table:
    """Show the plugin table."""
    table = Table(title="implementations")
    for column in ("name", "devices", "dtypes", "layouts", "activations", "backward", "here"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            escape(row.name),
            "\n".join(row.devices),
            "\n".join(row.dtypes),
            "\n".join(row.layouts),
            "\n".join(row.activations),
            "yes" if row.differentiable else "no",
            escape(row.unavailable or "available"),
        )
    return table


def examination_table(found: Examination) -> Table:
    """Show what a benchmark sees of the machine, and what to do about it."""
    cpu = found.facts.get("cpu") or {}
    table = Table(title=f"{cpu.get('model')}, {cpu.get('available_cores')} cores")
    for column in ("", "what", "why it matters", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in found.findings:
        table.add_row(*(escape(str(text)) for text in (finding.level, finding.what, finding.why, finding.mend)))
    table.caption = f"[bold]verdict: {escape(found.verdict.sentence)}[/bold]"
    table.caption_justify = "left"
    return table


def selftest_table(found: SelfTest) -> Table:
    """Show each known answer beside what was measured, and whether the goal was met."""
    from reports.quantities import with_prefix

    def said(value: float | str | None, unit: str) -> str:
        if value is None or isinstance(value, str):
            return value or "–"
        if unit == "s":
            return with_prefix(value, unit, 4)
        return f"{value:.4f}" if unit == "1" else f"{value:,.{0 if unit == 'B' else 1}f} {unit}"

    words = {True: "met", False: "[bold]missed[/bold]", None: "not judged"}
    table = Table(title=f"self-test, {found.form}: {found.passes} passes", caption_justify="left")
    for column in ("check", "expected", "measured", "bias", "goal", "verdict"):
        table.add_column(column, overflow="fold")
    for one in found.checks:
        ends = "" if one.low is None else f"\n{said(one.low, one.unit)} to {said(one.high, one.unit)}"
        bias = "" if one.bias is None else f"{one.bias:+.2%}"
        texts = (one.check, said(one.expected, one.unit), said(one.measured, one.unit) + ends, bias, one.goal)
        table.add_row(*map(escape, texts), words[one.met])
    said_below = [f"{one.check}: {one.remark}" for one in found.checks if one.remark and (one.unit or not one.met)]
    verdict = "the figures are true here" if found.is_true else "a goal was missed: the figures are not true here, now"
    table.caption = escape("\n".join(["Second lines are 95 % intervals.", *said_below, f"verdict: {verdict}"]))
    return table
