"""A run's progress on standard error, and how it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import progress
from rich.console import Console
from rich.markup import escape

from bench.ending import GOES_ON, Interrupted, status_of
from bench.errors import Stopped
from bench.events import Listener, Progress, RunStarted

_REFRESH_S = 0.2
_LINE_S = 5.0
"""Between two plain lines of progress: a log of hours stays readable."""
_MOST_FAILURES_TOLD = 20
_EXPECTED = frozenset({"unsupported", "unavailable"})
"""Statuses that the report alone tells: nothing went wrong."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the end by a signal into the line and the status that tell of it: typer would make 130 of any."""
    try:
        yield
    except KeyboardInterrupt as cause:
        line = str(cause) if isinstance(cause, Interrupted) else GOES_ON
        raise Stopped(line, status_of(cause)) from None


@contextmanager
def listening() -> Iterator[Listener]:
    """Show a run's progress on standard error: a bar on a terminal, plain lines elsewhere."""
    shown = Console(stderr=True, highlight=False)
    if not shown.is_terminal:
        yield _Lines(shown)
        return
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[counted]}"),
        console=shown,
        auto_refresh=False,  # a refreshing thread would be awake beside the measurement
        transient=True,
    )
    with bar:
        yield _Bar(bar)


class _Bar(Listener):
    def __init__(self, bar: progress.Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None, counted="")
        self._failures = _Failures()
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

    def progressed(self, made: Progress) -> None:
        self._bar.update(
            self._task,
            completed=made.done,
            total=made.done + made.left,
            counted=_counted(made),
        )
        self._bar.refresh()

    def cell_left(self, problem: str, implementation: str, status: str, reason: str) -> None:
        if (line := self._failures.line(problem, implementation, status, reason)) is not None:
            self._bar.console.print(escape(line))

    def warned(self, text: str) -> None:
        self._bar.console.print(escape(f"warning: {text}"))


class _Lines(Listener):
    def __init__(self, shown: Console) -> None:
        self._shown = shown
        self._began = time.monotonic()
        self._told = 0.0
        self._failures = _Failures()

    def _say(self, text: str) -> None:
        self._shown.print(escape(f"[{time.monotonic() - self._began:5.1f} s] {text}"), soft_wrap=True)

    def run_started(self, started: RunStarted) -> None:
        names = ", ".join(started.implementations)
        problems = f"{started.problems} problem{'' if started.problems == 1 else 's'}"
        self._say(f"{problems} x {names}; about {started.budget_s:g} s of measuring; {started.path}")

    def progressed(self, made: Progress) -> None:
        if time.monotonic() - self._told > _LINE_S:
            self._told = time.monotonic()
            self._say(_counted(made))

    def cell_left(self, problem: str, implementation: str, status: str, reason: str) -> None:
        if (line := self._failures.line(problem, implementation, status, reason)) is not None:
            self._say(line)

    def warned(self, text: str) -> None:
        self._say(f"warning: {text}")

    def run_ended(self, path: Path) -> None:
        self._say(f"frames and report are in {path}")


class _Failures:
    """The first failures of a run in words; the rest are counted with the progress."""

    def __init__(self) -> None:
        self._told = 0

    def line(self, problem: str, implementation: str, status: str, reason: str) -> str | None:
        if status in _EXPECTED or self._told > _MOST_FAILURES_TOLD:
            return None
        self._told += 1
        if self._told > _MOST_FAILURES_TOLD:
            return "further cells that fail are counted only; the report lists them"
        return f"{implementation} on {_short(problem)}: {status}: {reason}"


def _counted(made: Progress) -> str:
    """Say how far a run is.

    >>> _counted(Progress(done=34, left=56, failing={"crashed": 2}, left_s=95.0))
    'visits: 34 done, 56 left; failing: 2 crashed; about 2 min left'
    """
    failing = ", ".join(f"{count:,} {status}" for status, count in sorted(made.failing.items())) or "none"
    left = "" if made.left_s is None else f"; about {_duration(made.left_s)} left"
    return f"visits: {made.done:,} done, {made.left:,} left; failing: {failing}{left}"


def _duration(seconds: float) -> str:
    """Say a duration to the unit that matters.

    >>> [_duration(seconds) for seconds in (7, 95, 7300)]
    ['7 s', '2 min', '2 h 2 min']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _short(key: str) -> str:
    """Cut a problem's key to its shape: the rest does not fit beside a bar."""
    return "-".join(key.split("-")[:6])
