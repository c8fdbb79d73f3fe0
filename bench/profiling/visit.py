"""One cell in a worker of its own: check, warm, count, weigh, trace. From questions to a worker comes one record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.executors.local import LocalExecutor
from bench.measure import messages
from bench.measure.link import Answering, WorkerLost
from bench.measure.visit import allowed_bytes
from bench.plan.block import Cell
from bench.plan.problem import Problem
from bench.profiling.perf import Counted, counting
from bench.profiling.request import title
from reports.schema import Status

MOST_TRACE_BYTES = 50_000_000
"""Unpacked, so that the packed file and what a browser must hold are both below it."""

_TRACED_S = 0.1
_MOST_TRACED_CALLS = 50
_LEAST_TRACED_CALLS = 3
_BURST_S = 0.2
_MOST_BURST_CALLS = 100_000
_OPEN_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CellVisit:
    """What one cell is to be asked, and where its trace goes."""

    cell: Cell
    seed: int
    timeout_s: float
    trace: Path
    counts: bool
    """Let ``perf`` count a burst of calls."""
    yardstick: bool = True
    """False where native dies of the problem when it is opened."""


@dataclass(kw_only=True, slots=True)
class CellFound:
    """What one cell answered; what it did not come to is None."""

    cell: Cell
    status: str = Status.OK
    reason: str | None = None
    call_s: float | None = None
    weighed: messages.Weighed | None = None
    profiled: messages.Profiled | None = None
    counted: Counted | None = None
    counted_calls: int | None = None


def visit(plan: CellVisit, executor: LocalExecutor) -> CellFound:
    """Profile one cell on a fresh worker; whatever becomes of the worker is the cell's status."""
    found = CellFound(cell=plan.cell)
    worker = executor.fresh_worker([plan.cell.implementation])
    try:
        _Visiting(plan, worker, found).make()
    except WorkerLost as loss:
        if loss.name == messages.YARDSTICK and plan.yardstick:
            return visit(replace(plan, yardstick=False), executor)  # native died of the problem, not this one
        _leave(found, loss.status, loss.reason)
    return found


class _Left(Exception):  # noqa: N818 - the way out of a visit, not an error
    """The cell takes no further part."""


class _Visiting:
    def __init__(self, plan: CellVisit, worker: Answering, found: CellFound) -> None:
        self._plan = plan
        self._worker = worker
        self._found = found
        self._name = plan.cell.implementation
        self._problem = plan.cell.problem

    def make(self) -> None:
        try:
            untimed = self._open()
            self._check()
            if untimed is None:
                self._warm()
            else:
                self._found.reason = untimed
            if self._plan.counts:
                self._count()
            self._weigh()
            self._trace(is_interpreted=untimed is not None)
            self._close()
        except _Left:
            return

    def _ask(self, request: messages.Request, timeout_s: float | None = None) -> Any:
        reply = self._worker.ask(request, timeout_s or self._plan.timeout_s)
        status = getattr(reply, "status", None)
        if status not in {None, Status.OK}:
            _leave(self._found, status, reply.reason)
            raise _Left
        return reply

    def _open(self) -> str | None:
        opened = self._ask(
            messages.Open(
                problem=self._problem.to_dict(),
                names=[self._name],
                reference=self._name,
                seed=self._problem.seed(self._plan.seed),
                placement_seed=self._plan.seed,
                cold=False,
                memory_bytes=allowed_bytes(self._problem),
                yardstick=self._plan.yardstick,
            ),
            _OPEN_TIMEOUT_S,
        )
        if (refused := opened.refused.get(self._name)) is not None:
            _leave(self._found, refused.status, refused.reason)
            raise _Left
        untimed: str | None = opened.untimed.get(self._name)
        return untimed

    def _check(self) -> None:
        self._ask(messages.Check(name=self._name))

    def _warm(self) -> None:
        self._found.call_s = self._ask(messages.Warm(name=self._name)).call_s

    def _count(self) -> None:
        calls = calls_in(self._found.call_s, _BURST_S, most=_MOST_BURST_CALLS)
        request = messages.Repeat(name=self._name, calls=calls)
        _, self._found.counted = counting(self._worker.pid, lambda: self._ask(request))
        self._found.counted_calls = calls if self._found.counted.counts else None

    def _weigh(self) -> None:
        self._found.weighed = self._ask(messages.Weigh(name=self._name))

    def _trace(self, *, is_interpreted: bool) -> None:
        calls = calls_in(self._found.call_s, _TRACED_S, least=_LEAST_TRACED_CALLS, most=_MOST_TRACED_CALLS)
        profiled = self._ask(
            messages.Profile(
                name=self._name,
                title=title(self._name, self._problem),
                calls=calls,
                path=str(self._plan.trace.resolve()),
                most_bytes=MOST_TRACE_BYTES,
                least_bytes=least_touched_bytes(self._problem),
            )
        )
        if is_interpreted:
            reason = "interpreted here: the operators seen are the interpreter's"
            profiled = replace(profiled, touched_bytes=None, touched_reason=reason)
        self._found.profiled = profiled

    def _close(self) -> None:
        closed = self._worker.ask(messages.Close(), self._plan.timeout_s)
        if self._name in closed.inconsistent:
            _leave(self._found, Status.INCONSISTENT, closed.inconsistent[self._name])


def _leave(found: CellFound, status: str, reason: str | None) -> None:
    found.status, found.reason = status, reason


def calls_in(call_s: float | None, seconds: float, *, most: int, least: int = 1) -> int:
    """Say how many calls fill a time; one where a call has no time, since an interpreted one may take long.

    >>> calls_in(0.01, 0.1, most=50), calls_in(1e-6, 0.1, most=50), calls_in(None, 0.1, most=50)
    (10, 50, 1)
    """
    if call_s is None:
        return 1
    return max(least, min(most, round(seconds / max(call_s, 1e-9))))


def least_touched_bytes(problem: Problem) -> int:
    """Give what every call's operators touch: x read and y written; backward, x and dy read and dx written.

    Statistics and parameters are left out: they may be kept in a smaller type than ``minimum_bytes`` assumes.
    """
    return problem.input_bytes * (3 if problem.direction == "backward" else 2)
