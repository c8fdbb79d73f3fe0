"""The whole way of a run on one page: a sweep in, a run directory with its frames and its report out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench import host
from bench.devices.environment import default_cache, timer_of
from bench.errors import UsageError
from bench.events import Listener, RunStarted
from bench.executors.base import Executor
from bench.executors.local import LocalExecutor
from bench.executors.selection import select
from bench.measure import messages
from bench.measure.link import CAN_FORK
from bench.measure.tally import Conditions, Tally, unfitting_rows
from bench.measure.visit import Visit, Visited
from bench.plan.block import Block, blocks
from bench.plan.config import Settings
from bench.plan.cost import Cost, estimate
from bench.plan.sweep import Expansion, Sweep, expand, shard
from bench.plan.visits import order
from bench.record import frames, rundir
from bench.record.journal import Journal, read
from bench.record.rundir import RunDirectory
from bench.stats.stopping import Stopping
from reports import render, style

_WARMING = ("warm",)
_CHECKING = ("open", "check", "close")
_SPAWNED_PASSES = 3
_UNKNOWN_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A finished run."""

    directory: RunDirectory
    failed: tuple[tuple[str, str, str], ...] = ()
    """(implementation, problem, status) of the cells whose failure makes the run's answer "no"."""

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @property
    def results(self) -> pd.DataFrame:
        """One row a cell (``reports.schema.ResultRow``)."""
        return frames.read(self.directory.path).results

    @property
    def samples(self) -> pd.DataFrame:
        """One row a timed batch (``reports.schema.SampleRow``)."""
        return frames.read(self.directory.path).samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a sweep comes to before anything is started."""

    expansion: Expansion
    blocks: tuple[Block, ...]
    cost: Cost
    available_bytes: int


def plan(sweep: Sweep, settings: Settings, names: Sequence[str] = ()) -> Plan:
    """Expand a sweep and tell its cost.

    Raises
    ------
    UsageError
        No valid problem is left, or none fits in memory.
    """
    expansion = expand(sweep)
    problems = expansion.problems
    if settings.shard is not None:
        problems = shard(problems, *settings.shard)
    if not problems:
        reasons = "; ".join(f"{left.reason} ({left.count}, as {left.example})" for left in expansion.left_out)
        raise UsageError("sweep", f"no valid problem is left: {reasons or 'it has no entries'}", "give other -C or -G")
    available = host.available_memory_bytes() or _UNKNOWN_MEMORY_BYTES
    planned = blocks(problems, names)
    cost = estimate(planned, settings, available)
    if not cost.fits_any:
        least = min(need.needed_bytes for need in cost.needs)
        found = f"no problem fits in memory: the smallest needs {least:,} bytes, {available:,} are available"
        raise UsageError("sweep", found, "give smaller -N, -C, -H or -W")
    return Plan(expansion=expansion, blocks=planned, cost=cost, available_bytes=available)


def run(
    sweep: Sweep,
    settings: Settings | None = None,
    *,
    out: Path | None = None,
    listener: Listener | None = None,
    command: Sequence[str] = (),
) -> Run:
    """Measure a sweep into a new run directory.

    Parameters
    ----------
    sweep, settings
        What to measure and how (``bench.plan.config`` reads both from presets and TOML).
    out
        The run directory to make; by default one below ``runs`` named by the time.
    listener
        Is told what happens.
    command
        The words that reproduce the run, for the report.

    Raises
    ------
    UsageError
        Nothing valid was asked for, or nothing can be measured or written as asked.

    Examples
    --------
    >>> from bench.plan.config import load_preset
    >>> run(load_preset("quick").sweep).results  # doctest: +SKIP
    """
    settings = settings or Settings()
    planned = plan(sweep, settings)
    now = datetime.now(UTC)
    path = out or rundir.default_path(now)
    was_there = path.exists()
    directory = rundir.create(path, _info(sweep, settings, planned, command, now))
    try:
        return _measure(directory, sweep, settings, planned, listener or Listener())
    except UsageError:
        # Nothing was measured: a folder made for a question that was wrong is only in the way.
        if not was_there and not directory.journal_path.exists():
            shutil.rmtree(path, ignore_errors=True)
        raise


def resume(path: Path, listener: Listener | None = None) -> Run:
    """Go on with a run that was ended early; what its journal holds is not measured again.

    A finished run is left as it is.
    """
    directory = rundir.open_run(path, "--resume")
    info = directory.info()
    if info.get("finished"):
        return Run(directory=directory)
    sweep, settings = Sweep.from_dict(info["sweep"]), Settings.from_dict(info["settings"])
    return _measure(directory, sweep, settings, plan(sweep, settings), listener or Listener())


def _measure(directory: RunDirectory, sweep: Sweep, settings: Settings, planned: Plan, listener: Listener) -> Run:
    began = time.perf_counter()
    settings = replace(settings, threads=settings.threads or host.available_cores())
    with directory.lock(), _executor(directory, sweep, settings, listener) as executor:
        table = executor.table()
        if table.device_problem is not None:
            raise UsageError("--device", f"{sweep.device} cannot be used ({table.device_problem})", "use --device cpu")
        names = select(table.rows, settings)
        measuring = _Measuring(
            directory=directory,
            settings=settings,
            conditions=Conditions(
                run_id=directory.info()["run_id"],
                reference=settings.reference,
                timer=timer_of(sweep.device),
                cache=settings.cache or default_cache(sweep.device),
                threads=table.threads,
            ),
            table=table,
            blocks=tuple(replace(block, names=names) for block in planned.blocks),
            planned=planned,
            listener=listener,
        )
        directory.update(**measuring.facts())
        tallies = measuring.passes(executor)
    rows = measuring.write(tallies)
    reported = time.perf_counter()
    starting_s = getattr(executor, "starting_s", 0.0)
    _finish(directory, measuring, began=began, starting_s=starting_s, reporting_s=0.0)
    _report(directory)
    _finish(directory, measuring, began=began, starting_s=starting_s, reporting_s=time.perf_counter() - reported)
    listener.run_ended(directory.path)
    asked = set(settings.impl) - {"all"}
    return Run(directory=directory, failed=tuple(row for row in rows if row[0] in asked and row[2] in _ANSWER_IS_NO))


_ANSWER_IS_NO = frozenset({"failed", "incorrect", "inconsistent", "implausible", "out_of_memory", "timeout", "crashed"})


@contextmanager
def _executor(directory: RunDirectory, sweep: Sweep, settings: Settings, listener: Listener) -> Iterator[LocalExecutor]:
    assert settings.threads is not None
    with (directory.path / "worker.log").open("ab") as log:
        executor = LocalExecutor(
            device=sweep.device,
            threads=settings.threads,
            plugins=settings.plugins,
            seed=settings.seed,
            listener=listener,
            log=log,
        )
        try:
            yield executor
        finally:
            executor.close()


@dataclass(kw_only=True)
class _Measuring:
    """The passes of one run and what they are made with."""

    directory: RunDirectory
    settings: Settings
    conditions: Conditions
    table: messages.Loaded
    blocks: tuple[Block, ...]
    planned: Plan
    listener: Listener
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds of visits by phase."""

    def facts(self) -> dict[str, Any]:
        """Give what a worker told, for run.json."""
        own = [row.name for row in self.table.rows]
        return {
            "threads": self.table.threads,
            "clock": {"resolution_s": self.table.resolution_s, "empty_call_s": self.table.empty_call_s},
            "implementations": [
                {
                    "name": row.name,
                    "place": row.place,
                    "origin": row.origin,
                    "devices": row.devices,
                    "refusal": row.unavailable,
                }
                for row in self.table.rows
            ],
            "colours": style.assign(own),
        }

    def passes(self, executor: Executor) -> list[Tally]:
        """Make pass after pass until every block is done."""
        tallies = self._tallies()
        for visited in self._journaled():
            tallies[visited.key].feed(visited)
            self._count(visited)
        self.listener.run_started(
            RunStarted(
                path=self.directory.path,
                problems=len(tallies),
                implementations=self.blocks[0].names,
                visits=len(tallies) * self.settings.passes,
                budget_s=self.settings.budget_s,
            )
        )
        with Journal(self.directory.journal_path, self.listener.warned) as journal:
            for pass_ in range(self.settings.passes):
                self._make_pass(pass_, tallies, executor, journal)
        return list(tallies.values())

    def _tallies(self) -> dict[str, Tally]:
        least = 6 if CAN_FORK else _SPAWNED_PASSES
        stopping = Stopping(
            precision=self.settings.precision_percent / 100,
            least_passes=min(least, self.settings.passes),
            most_passes=self.settings.passes,
        )
        slow = [row.name for row in self.table.rows if row.slow_start]
        fits = {need.key for need in self.planned.cost.needs if need.fits}
        return {block.key: Tally(block, slow, stopping) for block in self.blocks if block.key in fits}

    def _journaled(self) -> list[Visited]:
        if not self.directory.journal_path.exists():
            return []
        return [Visited.from_dict(record) for record in read(self.directory.journal_path, self.listener.warned)]

    def _make_pass(self, pass_: int, tallies: dict[str, Tally], executor: Executor, journal: Journal) -> None:
        open_ = [
            key
            for key, tally in tallies.items()
            if tally.passes <= pass_ and not self._is_done(tally, tallies.values())
        ]
        names = {name for key in open_ for name in tallies[key].names_for(pass_)}
        if not open_ or not names:
            return
        self.listener.pass_started(pass_, len(open_))
        launch = executor.begin_pass(sorted(names | {self.settings.reference}))
        for key in order(open_, pass_, self.settings.seed):
            visited = executor.visit(self._visit(tallies[key], pass_, launch, len(tallies)))
            journal.append(visited.to_dict())
            tallies[key].feed(visited)
            self._count(visited)
            self._tell(visited, tallies[key])

    def _is_done(self, tally: Tally, all_: Sequence[Tally] | Any) -> bool:
        used = sum(self.spent.values())
        a_pass = used / max(1, max(one.passes for one in all_))
        return tally.is_done(self.settings.reference, budget_is_spent=used + a_pass > self.settings.budget_s)

    def _visit(self, tally: Tally, pass_: int, launch: int, open_blocks: int) -> Visit:
        return Visit(
            problem=tally.block.problem,
            names=tally.names_for(pass_),
            reference=self.settings.reference,
            pass_=pass_,
            launch=launch,
            seed=self.settings.seed,
            cold=self.conditions.cache == "cold",
            share_s=self.settings.budget_s / (self.settings.passes * open_blocks),
            clock_s=2 * self.table.resolution_s,
            timeout_s=self.settings.cell_timeout_s,
            weighs=tally.passes == 0,
        )

    def _count(self, visited: Visited) -> None:
        for phase, seconds in visited.seconds.items():
            self.spent[phase] = self.spent.get(phase, 0.0) + seconds

    def _tell(self, visited: Visited, tally: Tally) -> None:
        for name, cell in visited.cells.items():
            if cell.status != "ok":
                self.listener.cell_left(visited.key, name, cell.status, cell.reason or "")
        self.listener.visit_ended(visited.pass_, visited.key)
        if tally.passes >= self.settings.passes:
            self.listener.block_closed(visited.key, tally.passes)

    def write(self, tallies: Sequence[Tally]) -> list[tuple[str, str, str]]:
        """Write the frames; give every cell's (implementation, problem, status)."""
        by_key = {tally.block.key: tally for tally in tallies}
        needs = {need.key: need.needed_bytes for need in self.planned.cost.needs}
        rows = []
        for block in self.blocks:
            tally = by_key.get(block.key)
            rows += (
                tally.results(self.conditions)
                if tally is not None
                else unfitting_rows(block, needs[block.key], self.planned.available_bytes, self.conditions)
            )
        samples = (sample for tally in tallies for sample in tally.samples(self.conditions.run_id))
        frames.write(self.directory.path, rows, samples)
        return [(row.implementation, f"N{row.N}-C{row.C}-H{row.H}-W{row.W}-G{row.G}", row.status) for row in rows]


def _info(sweep: Sweep, settings: Settings, planned: Plan, command: Sequence[str], now: datetime) -> dict[str, Any]:
    facts = host.facts()
    return {
        "run_id": f"{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}",
        "command": list(command),
        "started": now.isoformat(timespec="seconds"),
        "finished": None,
        "seed": settings.seed,
        "sweep": sweep.to_dict(),
        "settings": settings.to_dict(),
        "left_out": [
            {"reason": left.reason, "count": left.count, "example": left.example} for left in planned.expansion.left_out
        ],
        "problems": [{"key": block.key, "count": block.count, "source": block.source} for block in planned.blocks],
        "warnings": host.warnings(facts),
        **facts,
    }


def _finish(
    directory: RunDirectory, measuring: _Measuring, *, began: float, starting_s: float, reporting_s: float
) -> None:
    wall_s = time.perf_counter() - began
    spent = measuring.spent
    cost = {
        "wall_s": wall_s,
        "measuring_s": spent.get("measure", 0.0),
        "warming_s": sum(spent.get(phase, 0.0) for phase in _WARMING),
        "checking_s": sum(spent.get(phase, 0.0) for phase in _CHECKING),
        "first_calls_s": spent.get("first call", 0.0),
        "memory_s": spent.get("memory", 0.0),
        "starting_s": starting_s,
        "reporting_s": reporting_s,
    }
    useful = sum(cost[name] for name in ("measuring_s", "warming_s", "first_calls_s", "memory_s"))
    info = directory.info()
    directory.update(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        load={**info.get("load", {}), "after": host.load()},
        cost={**cost, "harness_fraction": max(0.0, 1 - useful / wall_s) if wall_s else None},
    )


def _report(directory: RunDirectory) -> None:
    read_back = frames.read(directory.path)
    render.render(read_back.results, read_back.samples, directory.info(), formats=("html", "md"), out=directory.path)
