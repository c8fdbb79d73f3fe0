"""Tables, documents and progress: what commands show with."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bench.events import Listener, RunStarted

if TYPE_CHECKING:
    import pandas as pd

    from bench.doctor import Examination
    from bench.measure.messages import RowFacts
    from bench.run import Plan
    from bench.selftest.run import SelfTest

_REFRESH_S = 0.2
_EXPECTED = frozenset({"unsupported", "unavailable"})
"""Statuses that the report alone tells: nothing went wrong."""


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


@contextmanager
def listening() -> Iterator[Listener]:
    """Show a run's progress on standard error: a bar on a terminal, plain lines elsewhere."""
    shown = Console(stderr=True, highlight=False)
    if not shown.is_terminal:
        yield _Lines(shown)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=shown,
        auto_refresh=False,  # a refreshing thread would be awake beside the measurement
        transient=True,
    )
    with bar:
        yield _Bar(bar)


class _Bar(Listener):
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)
        self._refreshed = 0.0

    def run_started(self, started: RunStarted) -> None:
        self._bar.update(self._task, total=started.visits)

    def phase_started(self, pass_: int, problem: str, phase: str) -> None:
        if phase == "measure":
            return  # a redraw between two rounds is a redraw beside a measurement
        self._bar.update(self._task, description=escape(f"pass {pass_ + 1}: {_short(problem)} {phase}"))
        if time.monotonic() - self._refreshed > _REFRESH_S:
            self._refreshed = time.monotonic()
            self._bar.refresh()

    def visit_ended(self, pass_: int, problem: str) -> None:
        self._bar.advance(self._task)
        self._bar.refresh()

    def cell_left(self, problem: str, implementation: str, status: str, reason: str) -> None:
        if status not in _EXPECTED:
            self._bar.console.print(escape(f"{implementation} on {_short(problem)}: {status}: {reason}"))

    def warned(self, text: str) -> None:
        self._bar.console.print(escape(f"warning: {text}"))


class _Lines(Listener):
    def __init__(self, shown: Console) -> None:
        self._shown = shown
        self._began = time.monotonic()

    def _say(self, text: str) -> None:
        self._shown.print(escape(f"[{time.monotonic() - self._began:5.1f} s] {text}"), soft_wrap=True)

    def run_started(self, started: RunStarted) -> None:
        names = ", ".join(started.implementations)
        self._say(f"{started.problems} problems x {names}; about {started.budget_s:g} s of measuring; {started.path}")

    def pass_started(self, pass_: int, open_blocks: int) -> None:
        self._say(f"pass {pass_ + 1}: {open_blocks} problems")

    def cell_left(self, problem: str, implementation: str, status: str, reason: str) -> None:
        if status not in _EXPECTED:
            self._say(f"{implementation} on {_short(problem)}: {status}: {reason}")

    def warned(self, text: str) -> None:
        self._say(f"warning: {text}")

    def run_ended(self, path: Path) -> None:
        self._say(f"frames and report are in {path}")


def _short(key: str) -> str:
    """Cut a problem's key to its shape: the rest does not fit beside a bar."""
    return "-".join(key.split("-")[:6])


def plan_table(planned: Plan) -> Table:
    """Show the problems of a sweep, what was left out, and the cost."""
    seconds, most = planned.cost.seconds, planned.cost.most_bytes
    caption = [f"about {seconds:,.0f} s; at most {most / 1e6:,.0f} MB of {planned.available_bytes / 1e6:,.0f} MB"]
    caption += [f"left out: {left.count} x {left.reason}, as {left.example}" for left in planned.expansion.left_out]
    table = Table(title=f"{len(planned.blocks)} problems", caption="\n".join(caption), caption_justify="left")
    for column in ("N", "C", "H", "W", "G"):
        table.add_column(column, justify="right")
    for column in ("dtype", "layout", "direction", "activation", "count", "MB needed", "source"):
        table.add_column(column)
    for block, need in zip(planned.blocks, planned.cost.needs, strict=True):
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
