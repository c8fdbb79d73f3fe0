"""Visits on this machine: one zygote, a worker of it for each pass, another wherever one was lost."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from bench.devices.environment import worker_environment
from bench.errors import UsageError
from bench.events import Listener
from bench.measure import messages
from bench.measure.couple import Couple
from bench.measure.link import Answering, WorkerLost, Zygote
from bench.measure.visit import visit
from bench.measure.visited import CellVisit, Visit, Visited
from reports.schema import Status

_LOAD_TIMEOUT_S = 300.0
PASSES_A_ZYGOTE = 3
"""torch's own code is placed once a zygote, so a run of six passes and more has two and more of them."""


class LocalExecutor:
    """Runs visits on this machine.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    threads
        CPU threads of a worker.
    plugins
        Plugin files that every worker loads.
    seed
        Decides the order in which workers load libraries.
    listener
        Is told what a visit does.
    log
        Where workers' own output goes.
    sides
        Other copies of ``kernels`` that every worker holds beside its own; their rows end in ``@label``.
    apart
        Give each of two sides a process of its own.
    """

    def __init__(
        self,
        *,
        device: str,
        threads: int,
        plugins: Sequence[str] = (),
        seed: int = 0,
        listener: Listener | None = None,
        log: IO[bytes] | None = None,
        sides: Sequence[messages.Side] = (),
        apart: bool = False,
    ) -> None:
        self._device = device
        self._sides = list(sides)
        self._apart = apart
        self._threads = threads
        self._plugins = [str(Path(plugin).expanduser().resolve()) for plugin in plugins]
        self._rng = random.Random(seed)
        self._listener = listener or Listener()
        self._log = log
        self._zygote: Zygote | None = None
        self._worker: Answering | None = None
        self._names: list[str] | None = None
        self._dead_at_import: dict[str, messages.RowFacts] = {}
        self._natives_end: set[str] = set()
        """Problems that native dies of where it is the yardstick of the tolerance."""
        self._passes = 0
        self.starting_s = 0.0
        """Wall time that starting zygotes and workers took."""

    def table(self) -> messages.Loaded:
        """Load the whole plugin table in a worker of its own and give its rows."""
        self._names = None
        loaded = self._fresh_worker()
        rows = [row for row in loaded.rows if row.name not in self._dead_at_import]
        return replace(loaded, rows=sorted(rows + list(self._dead_at_import.values()), key=_table_order))

    def begin_pass(self, names: Sequence[str]) -> int:
        """Start a fresh worker; every third pass from a fresh zygote."""
        if self._passes and self._passes % PASSES_A_ZYGOTE == 0:
            self._end_zygote()
        self._passes += 1
        self._names = list(names)
        self._fresh_worker()
        return (self._passes - 1) // PASSES_A_ZYGOTE

    def fresh_worker(self, names: Sequence[str]) -> Answering:
        """Start a fresh worker with these rows, for another use than visits."""
        self._names = list(names)
        self._fresh_worker()
        assert self._worker is not None
        return self._worker

    def visit(self, plan: Visit) -> Visited:
        """Make a visit, again without the culprit for each worker that is lost."""
        lost: dict[str, CellVisit] = {}
        lost_s = 0.0
        plan = replace(plan, yardstick=plan.yardstick and plan.problem.key not in self._natives_end)
        while True:
            assert self._worker is not None
            began = time.perf_counter()
            try:
                visited = visit(plan, self._worker, self._listener)
            except WorkerLost as loss:
                if loss.name == messages.YARDSTICK:
                    if loss.status == Status.CRASHED:  # not of memory, or of a machine that was slow for once
                        self._natives_end.add(plan.problem.key)
                    plan = replace(plan, yardstick=False)
                culprits = _culprits(loss, plan)
                lost |= {name: CellVisit(status=loss.status, reason=loss.reason) for name in culprits}
                plan = replace(plan, names=tuple(name for name in plan.names if name not in lost))
                lost_s += time.perf_counter() - began
                self._fresh_worker()
                if not plan.names:
                    key, pass_, launch = plan.problem.key, plan.pass_, plan.launch
                    return Visited(key=key, pass_=pass_, launch=launch, cells=lost, seconds={"lost": lost_s})
                continue
            visited.cells |= lost
            visited.seconds["lost"] = lost_s
            return visited

    def close(self) -> None:
        """End the worker and the zygote."""
        self._end_zygote()

    def _end_zygote(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
        self._zygote = self._worker = None

    def _fresh_worker(self) -> messages.Loaded:
        began = time.perf_counter()
        may_try_again = True
        try:
            while True:
                try:
                    return self._load()
                except WorkerLost as loss:
                    if loss.name is None and loss.status == Status.CRASHED and may_try_again:
                        # Killed from outside while it started, by the system's own killer perhaps: once is no habit.
                        may_try_again, self._worker = False, None
                        continue
                    self._blame(loss)
        finally:
            self.starting_s += time.perf_counter() - began

    def _load(self) -> messages.Loaded:
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if self._zygote is None or not self._zygote.is_alive:
            self._end_zygote()
            environment = worker_environment(self._device, self._threads)
            self._zygote = Zygote(environment) if self._log is None else Zygote(environment, self._log)
        self._worker = self._new_worker(self._zygote)
        names = self._names
        if self._dead_at_import:
            names = [name for name in names or BUILTIN_ROWS if name not in self._dead_at_import]
        request = messages.Load(
            device=self._device,
            threads=self._threads,
            names=names if names is None else [name for name in names if "@" not in name],
            sides=[self._living(side) for side in self._sides],
            plugins=[plugin for plugin in self._plugins if Path(plugin).stem not in self._dead_at_import],
            order_seed=self._rng.getrandbits(32),
        )
        loaded: messages.Loaded = self._worker.ask(request, _LOAD_TIMEOUT_S)
        return loaded

    def _new_worker(self, zygote: Zygote) -> Answering:
        if not self._apart:
            return zygote.worker()
        first, second = (side.label for side in self._sides)
        return Couple(zygote.worker(), zygote.worker(), (first, second))

    def _living(self, side: messages.Side) -> messages.Side:
        """Give a side with what is wanted of it, without what a worker died of while importing it."""

        def lives(name: str) -> bool:
            return messages.sided(name, side.label) not in self._dead_at_import

        wanted = BUILTIN_ROWS if self._names is None else [name.partition("@")[0] for name in self._names]
        names = [name for name in BUILTIN_ROWS if name in wanted and lives(name)]
        return replace(side, names=names, plugins=[one for one in side.plugins if lives(Path(one).stem)])

    def _blame(self, loss: WorkerLost) -> None:
        """Leave out what a worker died of while importing it; give up where nothing can be left out."""
        self._worker = None
        if loss.name is None or loss.name in self._dead_at_import:
            raise UsageError("workers", f"cannot start ({loss.reason})", "run 'gnbench doctor'") from loss
        self._dead_at_import[loss.name] = messages.RowFacts(
            name=loss.name,
            place="",
            origin="import",
            devices=[],
            dtypes=[],
            layouts=[],
            activations=[],
            differentiable=False,
            slow_start=False,
            unavailable=f"its import took the process down: {loss.reason}",
        )


BUILTIN_ROWS = ("native", "naive", "compiled", "triton", "cuda", "cpp")
"""The plugin table's own rows: the driver may not ask ``kernels`` for them (a test holds the two together)."""


def _table_order(row: messages.RowFacts) -> tuple[int, str]:
    """Put the table's own rows first, as it lists them: libraries were loaded in a random order."""
    name = row.name.partition("@")[0]
    return (BUILTIN_ROWS.index(name) if name in BUILTIN_ROWS else len(BUILTIN_ROWS), row.name)


def _culprits(loss: WorkerLost, plan: Visit) -> tuple[str, ...]:
    """Say whose cells a loss costs: the one whose turn it was; a copy's or nobody's turn costs them all.

    Where native dies as the yardstick nobody's cell is lost: the next visit does without it.
    """
    if loss.name == messages.YARDSTICK:
        return ()
    if loss.name == messages.TWIN:
        return (plan.reference,)
    return (loss.name,) if loss.name in plan.names else plan.names
