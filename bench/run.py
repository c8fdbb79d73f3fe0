"""The whole way of a run on one page: a sweep in, a run directory with its frames and its report out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from bench import about, host
from bench.devices.environment import default_cache, timer_of
from bench.errors import UsageError
from bench.events import Listener
from bench.executors.local import LocalExecutor
from bench.executors.selection import ALL, select
from bench.measure.tally import Conditions, Tally, unfitting_rows
from bench.passes import Passes
from bench.plan.block import Block, blocks
from bench.plan.config import Settings
from bench.plan.cost import Cost, estimate
from bench.plan.sweep import Expansion, Sweep, expand, shard
from bench.record import frames, rundir
from bench.record.rundir import RunDirectory
from reports import render
from reports.schema import ResultRow, Status

_UNKNOWN_MEMORY_BYTES = 4 << 30

_ANSWER_IS_NO = frozenset(
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
class Run:
    """A finished run."""

    directory: RunDirectory
    failed: tuple[ResultRow, ...] = ()
    """Cells of implementations that were asked for by name and went wrong: they make the run's answer "no"."""

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

    @property
    def fitting(self) -> tuple[Block, ...]:
        """The blocks that fit in memory."""
        return tuple(block for block, need in zip(self.blocks, self.cost.needs, strict=True) if need.fits)


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
        if not reasons:
            raise UsageError("sweep", "has no problem", "give -N -C -H -W -G, or [[problem]] in the file")
        raise UsageError("sweep", f"no valid problem is left: {reasons}", "give other -C or -G")
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
    settings = replace(settings, threads=_threads(settings.threads))
    planned = plan(sweep, settings)
    now = datetime.now(UTC)
    path = out or rundir.default_path(now)
    was_there = path.exists()
    info = about.asked(
        sweep, settings, blocks=planned.blocks, left_out=planned.expansion.left_out, command=command, now=now
    )
    directory = rundir.create(path, info)
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
    try:
        sweep, settings = Sweep.from_dict(info["sweep"]), Settings.from_dict(info["settings"])
    except (KeyError, TypeError, ValueError) as error:
        found = f"{path}/run.json lacks what was asked ({error!r})"
        raise UsageError("--resume", found, "restore it, or start a new run") from error
    return _measure(directory, sweep, settings, plan(sweep, settings), listener or Listener())


def _threads(asked: int | None) -> int:
    cores = host.available_cores()
    if asked is not None and asked > cores:
        raise UsageError(
            "--threads", f"{asked} is more than the {cores} cores at hand", f"give at most {cores}, or all"
        )
    return asked or cores


def _measure(directory: RunDirectory, sweep: Sweep, settings: Settings, planned: Plan, listener: Listener) -> Run:
    began = time.perf_counter()
    with directory.lock(), _executor(directory, sweep, settings, listener) as executor:
        table = executor.table()
        if table.device_problem is not None:
            raise UsageError("--device", f"{sweep.device} cannot be used ({table.device_problem})", "use --device cpu")
        names = select(table.rows, settings)
        planned = replace(planned, blocks=tuple(replace(block, names=names) for block in planned.blocks))
        conditions = Conditions(
            run_id=directory.info()["run_id"],
            reference=settings.reference,
            timer=timer_of(sweep.device),
            cache=settings.cache or default_cache(sweep.device),
            threads=table.threads,
        )
        directory.update(**about.answered(table))
        for row in table.rows:
            if row.origin != "builtin" and row.unavailable:
                listener.warned(f"{row.name}: {row.unavailable}")
        passes = Passes(
            directory=directory,
            settings=settings,
            conditions=conditions,
            table=table,
            blocks=planned.fitting,
            listener=listener,
        )
        tallies = passes.make(executor)
    rows = _rows(planned, tallies, conditions)
    frames.write(directory.path, rows, (sample for tally in tallies for sample in tally.samples(conditions.run_id)))
    measured_s = time.perf_counter() - began
    _finish(directory, about.cost(passes.spent, wall_s=measured_s, starting_s=executor.starting_s, reporting_s=0.0))
    _report(directory)
    wall_s = time.perf_counter() - began
    cost = about.cost(passes.spent, wall_s=wall_s, starting_s=executor.starting_s, reporting_s=wall_s - measured_s)
    directory.update(cost=cost)
    listener.run_ended(directory.path)
    asked = {name for name in settings.impl if name != ALL}
    failed = (row for row in rows if row.implementation in asked and row.status in _ANSWER_IS_NO)
    return Run(directory=directory, failed=tuple(failed))


@contextmanager
def _executor(directory: RunDirectory, sweep: Sweep, settings: Settings, listener: Listener) -> Iterator[LocalExecutor]:
    with (directory.path / "worker.log").open("ab") as log:
        executor = LocalExecutor(
            device=sweep.device,
            threads=settings.threads or host.available_cores(),
            plugins=settings.plugins,
            seed=settings.seed,
            listener=listener,
            log=log,
        )
        try:
            yield executor
        finally:
            executor.close()


def _rows(planned: Plan, tallies: Sequence[Tally], conditions: Conditions) -> list[ResultRow]:
    """Make every block's rows in the sweep's order: those of its visits, or why there was none."""
    of = {tally.block.key: tally for tally in tallies}
    rows: list[ResultRow] = []
    for block, need in zip(planned.blocks, planned.cost.needs, strict=True):
        if need.fits:
            rows += of[block.key].results(conditions)
        else:
            rows += unfitting_rows(block, need.needed_bytes, planned.available_bytes, conditions)
    return rows


def _finish(directory: RunDirectory, cost: dict[str, float]) -> None:
    load = directory.info().get("load", {})
    directory.update(
        finished=datetime.now(UTC).isoformat(timespec="seconds"), load=load | {"after": host.load()}, cost=cost
    )


def _report(directory: RunDirectory) -> None:
    written = frames.read(directory.path)
    render.render(written.results, written.samples, directory.info(), formats=("html", "md"), out=directory.path)
