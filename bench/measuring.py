"""The whole way of a run on one page: from its directory with what was asked to its frames and its report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from bench import about, host
from bench.claims import claimed, cores_of, is_shared
from bench.devices.environment import default_cache, timer_of
from bench.devices.room import gpu_used
from bench.ending import Interrupted, told_by_signals
from bench.errors import UsageError
from bench.events import Listener
from bench.executors.local import LocalExecutor
from bench.executors.selection import refuse_unusable, select
from bench.measure import messages
from bench.measure.tally import Conditions
from bench.neighbours import look, on_gpu, warning
from bench.outcome import Measured
from bench.passes import Passes, Stretches
from bench.past import past_of
from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.cost import visit_s
from bench.plan.stretches import lengths
from bench.plan.sweep import Sweep
from bench.planning import Plan
from bench.record.durable import told_when_unwritable
from bench.record.rundir import WORKER_LOG, RunDirectory
from bench.record.space import refuse_too_little, writing
from reports.schema import ResultRow, Status

ANSWER_IS_NO = frozenset(
    {
        Status.FAILED,
        Status.INCORRECT,
        Status.INCONSISTENT,
        Status.IMPLAUSIBLE,
        Status.OUT_OF_MEMORY,
        Status.TIMEOUT,
        Status.CRASHED,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measuring:
    """One run to be made, or to be gone on with: what its journal holds is not measured again."""

    directory: RunDirectory
    sweep: Sweep
    settings: Settings
    planned: Plan
    listener: Listener
    argument: str
    """The option that named the directory, for messages."""

    def made(self, noted: dict[str, Any] | None = None) -> tuple[ResultRow, ...]:
        """Measure, write, report; give the rows of cells that went wrong.

        Parameters
        ----------
        noted
            Fields of ``run.json`` to set once the directory is ours.

        Raises
        ------
        UsageError
            Something in use, full, missing or misspelt keeps the run from being made.
        Interrupted
            A signal came: frames and report tell what was measured until then.
        """
        began = time.perf_counter()
        path, threads = self.directory.path, self.settings.threads or host.available_cores()
        with (
            told_by_signals(),
            told_when_unwritable(path),
            self.directory.lock(self.argument),
            claimed(self.sweep.device, threads, path, self.listener.warned),
        ):
            self.directory.update(**(noted or {}))
            measured: Measured | None = None
            try:
                with self._executor(threads) as executor:
                    measured = self._prepared(executor.table())
                    passes = self._passes(measured)
                    passes.make(executor)
            except KeyboardInterrupt as cause:
                raise self._interrupted(cause, measured) from cause
            wrong = measured.write_frames(ANSWER_IS_NO)
            self._conclude(measured, passes, starting_s=executor.starting_s, began=began)
        self.listener.run_ended(path)
        return wrong

    @contextmanager
    def _executor(self, threads: int) -> Iterator[LocalExecutor]:
        with (self.directory.path / WORKER_LOG).open("ab") as log:
            executor = LocalExecutor(
                device=self.sweep.device,
                threads=threads,
                plugins=self.settings.plugins,
                seed=self.settings.seed,
                listener=self.listener,
                log=log,
            )
            try:
                yield executor
            finally:
                executor.close()

    def _prepared(self, table: messages.Loaded) -> Measured:
        """Settle, with the plugin table, what is measured; what a resumed run settled before stands."""
        refuse_unusable(self.sweep.device, table)
        names = self._names(table)
        info = self.directory.info()
        blocks = [replace(block, names=names) for block in self.planned.blocks]
        fitting = [block for block, need in zip(blocks, self.planned.cost.needs, strict=True) if need.fits]
        stretches = _cut(fitting, info.get("stretches") or lengths(visit_s(block) for block in fitting))
        conditions = Conditions(
            run_id=info["run_id"],
            reference=self.settings.reference,
            timer=self.settings.timer or timer_of(self.sweep.device),
            cache=self.settings.cache or default_cache(self.sweep.device),
            threads=table.threads,
        )
        self.directory.update(**about.answered(table), names=names, stretches=[len(blocks) for blocks in stretches])
        for row in table.rows:
            if row.origin != "builtin" and row.unavailable:
                self.listener.warned(f"{row.name}: {row.unavailable}")
        return Measured(
            directory=self.directory,
            settings=self.settings,
            conditions=conditions,
            table=table,
            stretches=stretches,
            planned=tuple(zip(blocks, self.planned.cost.needs, strict=True)),
            available_bytes=self.planned.available_bytes,
        )

    def _names(self, table: messages.Loaded) -> tuple[str, ...]:
        settled = tuple(self.directory.info().get("names") or ())
        known = {row.name for row in table.rows}
        for name in settled:
            if name not in known:
                found = f"the run measured {name!r}, which the plugin table does not hold now"
                raise UsageError(self.argument, found, "bring it back, or start a new run")
        return settled or select(table.rows, self.settings)

    def _passes(self, measured: Measured) -> Passes:
        """Look at what is behind, at the disk and at the neighbours, just before the first pass."""
        passes = Passes(
            directory=self.directory,
            settings=self.settings,
            conditions=measured.conditions,
            table=measured.table,
            stretches=measured.stretches,
            past=past_of(self.directory.journal_path, measured.stretches, self.listener),
            listener=self.listener,
        )
        fitting = [block for blocks in measured.stretches for block in blocks]
        needed = writing(blocks=len(fitting), names=len(fitting[0].names), passes=self.settings.passes)
        refuse_too_little(self.directory.path, needed, self.argument, self.listener.warned)
        self._look_around()
        return passes

    def _look_around(self) -> None:
        if is_shared():
            return
        found = look(cores_of(self.settings.threads or host.available_cores()))
        lines = [line for line in (warning(found), on_gpu(gpu_used(self.sweep.device))) if line]
        for line in lines:
            self.listener.warned(line)
        info = self.directory.info()
        self.directory.update(
            load=(info.get("load") or {}) | {"others": [asdict(one) for one in found]},
            warnings=[*info.get("warnings", ()), *lines],
        )

    def _interrupted(self, cause: KeyboardInterrupt, measured: Measured | None) -> Interrupted:
        """Write what the journal holds; the workers are gone already."""
        at, report = _now(), None
        if measured is not None and self.directory.journal_path.exists():
            measured.write_frames(ANSWER_IS_NO)
            self.directory.update(totals=measured.totals(self.sweep))
            measured.write_report(interrupted=at)
            report = self.directory.report_path
        self.directory.update(interrupted=at)
        return Interrupted(cause, self.directory.path, report)

    def _conclude(self, measured: Measured, passes: Passes, *, starting_s: float, began: float) -> None:
        """Write the report, and only then that the run is finished: one killed before that is gone on with."""
        before_s = sum(passes.past.seconds.values())
        wall_s = time.perf_counter() - began + before_s
        cost = about.cost(passes.spent, wall_s=wall_s, starting_s=starting_s, reporting_s=0.0)
        info = self.directory.info()
        ended: dict[str, Any] = {"finished": _now(), "load": (info.get("load") or {}) | {"after": host.load()}}
        if (line := passes.disturbed) is not None:
            self.listener.warned(line)
            ended["warnings"] = [*info.get("warnings", ()), line]
        ended["totals"] = measured.totals(self.sweep)
        measured.write_report(**ended, cost=cost)
        reported_s = time.perf_counter() - began + before_s
        cost = about.cost(passes.spent, wall_s=reported_s, starting_s=starting_s, reporting_s=reported_s - wall_s)
        self.directory.update(**ended, cost=cost)


def _cut(blocks: Sequence[Block], counts: Sequence[int]) -> Stretches:
    if sum(counts) != len(blocks):
        found = f"its stretches hold {sum(counts)} problems where the sweep has {len(blocks)}"
        raise UsageError("run.json", found, "restore it, or start a new run")
    rest = iter(blocks)
    return tuple(tuple(islice(rest, count)) for count in counts)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
