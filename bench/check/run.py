"""The driver of the conformance suite: each row's cases in a worker, a fresh one after each that was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import host
from bench.check.case import Case
from bench.check.cases import cases
from bench.check.tally import Answer, Row, rows_of
from bench.executors.local import LocalExecutor
from bench.executors.selection import refuse_unusable, select
from bench.measure import messages
from bench.measure.link import Answering, WorkerLost
from bench.measure.visit import SPARE_BYTES
from bench.plan.config import Settings
from reports.schema import Status

_FUNCTION = "bench.check.conform:answer"
SLOW = "torch.compile of one case takes seconds: --big runs it"

Told = Callable[[str, int, int], None]
"""Is told a row's name, how many of its cases are done, and of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be checked."""

    settings: Settings
    """Names, plugins, threads, seed and the seconds that a case may take."""
    device: str = "cpu"
    big: bool = False
    """Also what takes gigabytes, or seconds of compiling."""


def check(asked: Asked, told: Told = lambda *_: None) -> tuple[Row, ...]:
    """Hold every row that was asked for against every case that applies to it.

    Raises
    ------
    UsageError
        A name is unknown, none of those asked for can run here, or the device cannot be used.
    """
    settings = asked.settings
    executor = LocalExecutor(
        device=asked.device,
        threads=settings.threads or host.available_cores(),
        plugins=settings.plugins,
        seed=settings.seed,
    )
    try:
        table = executor.table()
        refuse_unusable(asked.device, table)
        known = {row.name: row for row in table.rows}
        names = _names(table.rows, settings)
        answers = {
            name: list(_Sitting(asked, executor, name, told).answers()) if not known[name].unavailable else []
            for name in names
        }
        return rows_of(answers, {name: known[name].unavailable for name in names})
    finally:
        executor.close()


def _names(rows: Sequence[messages.RowFacts], settings: Settings) -> tuple[str, ...]:
    """Give the names asked for: nobody is divided by a reference here."""
    chosen = select(rows, settings)
    wanted = set(settings.impl)
    return tuple(name for name in chosen if not wanted or "all" in wanted or name in wanted)


class _Sitting:
    """One row's cases, in their order."""

    def __init__(self, asked: Asked, executor: LocalExecutor, name: str, told: Told) -> None:
        self._asked, self._executor, self._name, self._told = asked, executor, name, told
        self._worker: Answering | None = None

    def answers(self) -> Iterator[tuple[Case, Answer]]:
        """Ask case by case."""
        of = cases()
        for place, case in enumerate(of):
            self._told(self._name, place, len(of))
            yield case, self._answer(case)

    def _answer(self, case: Case) -> Answer:
        if (why := self._left_out(case)) is not None:
            return Answer(not_run=why)
        try:
            return self._ask(case, yardstick=True)
        except WorkerLost as lost:
            if lost.name != messages.YARDSTICK:
                return self._lost(lost)
        try:  # native died of it, not the row: its own error is no yardstick here
            return self._ask(case, yardstick=False)
        except WorkerLost as lost:
            return self._lost(lost)

    def _left_out(self, case: Case) -> str | None:
        if not self._asked.big and case.act == "compile":
            return SLOW
        if case.size != "big":
            return None
        need = f"{case.needed_bytes / 1e9:.1f} GB of memory"
        if not self._asked.big:
            return f"needs {need}: --big runs it"
        available = host.available_memory_bytes()
        if available is None or case.needed_bytes <= available:
            return None
        return f"needs {need}, of which {available / 1e9:.1f} are there"

    def _ask(self, case: Case, *, yardstick: bool) -> Answer:
        if self._worker is None:
            self._worker = self._executor.fresh_worker([self._name])
        question: dict[str, Any] = {
            "case": case.to_dict(),
            "device": self._asked.device,
            "seed": self._asked.settings.seed,
            "yardstick": yardstick,
            "every": self._asked.big,
        }
        allowed = case.needed_bytes + SPARE_BYTES if self._asked.device == "cpu" else None
        request = messages.Consult(name=self._name, function=_FUNCTION, question=question, memory_bytes=allowed)
        try:
            found = self._worker.ask(request, self._asked.settings.cell_timeout_s)
        except WorkerLost:
            self._worker = None
            raise
        if found.answer is None:
            return Answer(failure=f"{found.status}: {found.reason}" if found.status != Status.FAILED else found.reason)
        return Answer.from_dict(found.answer)

    def _lost(self, lost: WorkerLost) -> Answer:
        return Answer(failure=f"{lost.status}: {lost.reason}")
