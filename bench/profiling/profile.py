"""The whole way of a profile on one page: cells in, a folder with traces, tables and a page out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench import about, host
from bench.claims import claimed
from bench.devices.environment import counters_of, worker_environment
from bench.errors import UsageError
from bench.executors.local import LocalExecutor
from bench.executors.selection import ALL, refuse_unusable, select
from bench.measure.messages import Loaded
from bench.plan.block import Block, Cell
from bench.plan.config import Settings
from bench.plan.sweep import Sweep
from bench.planning import threads_for
from bench.profiling import cells, ncu, request
from bench.profiling import folder as folders
from bench.profiling.folder import ProfileFolder
from bench.profiling.rows import device_kernel_rows, kernel_rows, profile_row
from bench.profiling.visit import CellFound, CellVisit, visit
from bench.record import frames
from bench.record.durable import told_when_unwritable
from reports import profile as page
from reports.profile_schema import DeviceKernelRow, KernelRow, ProfileRow
from reports.schema import NO_FAULT, Status

_NCU_TIMEOUTS = 4
"""ncu starts the program anew and replays its kernels: so many times a cell's own time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellStarted:
    """A cell's turn, as a listener is told."""

    place: int
    """From 1."""
    cells: int
    cell: Cell
    left_s: float | None
    """Expected until the end, from the cells before; None for the first."""


Tell = Callable[[CellStarted], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A finished profile."""

    folder: ProfileFolder
    info: dict[str, Any]
    cells: pd.DataFrame
    """One row a cell (``reports.profile_schema.ProfileRow``)."""
    kernels: pd.DataFrame
    """One row an operator or kernel of a cell (``KernelRow``)."""
    device_kernels: pd.DataFrame
    """One row a kernel that ``ncu`` counted (``DeviceKernelRow``)."""

    asked: frozenset[str] = frozenset()
    """Implementations that were asked for by name."""

    def failed(self) -> list[str]:
        """Say in a line each which cells of names that were asked for went wrong."""
        wrong = self.cells[self.cells["implementation"].isin(self.asked) & ~self.cells["status"].isin(NO_FAULT)]
        return [
            f"{row['implementation']} on N{row['N']}-C{row['C']}-H{row['H']}-W{row['W']}-G{row['G']}:"
            f" {row['status']}: {row['reason']}"
            for row in wrong.to_dict("records")
        ]


@dataclass(kw_only=True, slots=True)
class _Rows:
    cells: list[ProfileRow] = field(default_factory=list)
    kernels: list[KernelRow] = field(default_factory=list)
    device_kernels: list[DeviceKernelRow] = field(default_factory=list)


def profile(
    sweep: Sweep,
    settings: Settings | None = None,
    *,
    out: Path | None = None,
    most_problems: int | None = None,
    tell: Tell | None = None,
    command: Sequence[str] = (),
) -> Profile:
    """Profile the cells of a sweep into a new folder.

    Parameters
    ----------
    sweep, settings
        Which problems and implementations; of the settings those of measuring have no meaning here.
    out
        The folder to make; by default one below ``runs`` named by the time.
    most_problems
        Take the first so many problems only.
    tell
        Is told whose turn it is.
    command
        The words that reproduce the profile, for the page.

    Raises
    ------
    UsageError
        Nothing valid was asked for, more than ``cells.MOST_CELLS`` cells, or nothing can be written as asked.
    """
    settings = settings or Settings()
    settings = replace(settings, threads=threads_for(settings.threads))
    blocks = cells.problems(sweep, settings, most=most_problems)
    cells.refuse_too_many(blocks, set(settings.impl) - {ALL} or {"any"})  # before a worker is started
    now = datetime.now(UTC)
    path = out or folders.default_path(now)
    was_there = path.exists()
    info = about.asked(sweep, settings, blocks=blocks, left_out=(), command=command, now=now)
    folder = folders.create(path, info)
    profiling = _Profiling(folder, info, sweep, settings, tell or _silent)
    try:
        with (
            told_when_unwritable(path, "then profile again"),
            claimed(sweep.device, settings.threads or 1, path, _unheard),
        ):
            return profiling.made(blocks)
    except UsageError:
        # Nothing was profiled: a folder made for a question that was wrong is only in the way.
        if not profiling.has_begun:
            for one in path.iterdir():
                shutil.rmtree(one) if one.is_dir() else one.unlink()
            if not was_there:
                path.rmdir()
        raise


def _silent(_: CellStarted) -> None:
    return None


def _unheard(_: str) -> None:
    """Nobody is told that a claim could not be made: no figure of a profile is compared with another run's."""


class _Profiling:
    """The stages of a profile, in order."""

    def __init__(
        self, folder: ProfileFolder, info: dict[str, Any], sweep: Sweep, settings: Settings, tell: Tell
    ) -> None:
        self._folder = folder
        self._info = info
        self._device = sweep.device
        self._settings = settings
        self._threads = settings.threads or host.available_cores()
        self._plugins = [str(Path(plugin).expanduser().resolve()) for plugin in settings.plugins]
        self._tell = tell
        self._rows = _Rows()
        self._ncu_refusal: str | None = None

    def made(self, blocks: Sequence[Block]) -> Profile:
        with (self._folder.path / "worker.log").open("ab") as log:
            executor = LocalExecutor(
                device=self._device,
                threads=self._threads,
                plugins=self._settings.plugins,
                seed=self._settings.seed,
                log=log,
            )
            try:
                names = self._names(executor.table(), blocks)
                self._visit_all(self._cells(blocks, names), executor)
            except BaseException:
                if self.has_begun:
                    self._written()  # what was profiled until then is kept, with its page
                raise
            finally:
                executor.close()
        return self._written()

    @property
    def has_begun(self) -> bool:
        """Whether a cell was profiled."""
        return bool(self._rows.cells)

    def _names(self, table: Loaded, blocks: Sequence[Block]) -> tuple[str, ...]:
        refuse_unusable(self._device, table)
        names = cells.chosen(select(table.rows, self._settings), self._settings)
        cells.refuse_too_many(blocks, names)
        self._info |= about.answered(table)
        return names

    def _cells(self, blocks: Sequence[Block], names: Sequence[str]) -> list[Cell]:
        return [Cell(problem=block.problem, implementation=name) for block in blocks for name in names]

    def _visit_all(self, asked: Sequence[Cell], executor: LocalExecutor) -> None:
        began = time.monotonic()
        for place, cell in enumerate(asked):
            left_s = (time.monotonic() - began) / place * (len(asked) - place) if place else None
            self._tell(CellStarted(place=place + 1, cells=len(asked), cell=cell, left_s=left_s))
            self._visit(cell, executor)

    def _visit(self, cell: Cell, executor: LocalExecutor) -> None:
        run_id = self._info["run_id"]
        if (unfitting := cells.unfitting(cell.problem)) is not None:
            found = CellFound(cell=cell, status=Status.UNSUPPORTED, reason=unfitting)
            self._rows.cells.append(profile_row(found, run_id=run_id, trace=""))
            return
        trace = self._folder.trace(cell)
        tool = counters_of(self._device)
        plan = CellVisit(
            cell=cell,
            seed=self._settings.seed,
            timeout_s=self._settings.cell_timeout_s,
            trace=trace,
            counts=tool == "perf",
        )
        found = visit(plan, executor)
        counted: list[ncu.KernelCounts] = []
        reason = None
        if found.status == Status.OK:
            request.write(self._folder.request(cell), self._request(cell))
            if tool == "ncu":
                counted, reason = self._count_on_device(cell)
        else:
            # It may have been traced and then been wrong, or have died while it was.
            found.profiled = None
            self._folder.drop_trace(cell)
        self._rows.cells.append(
            profile_row(
                found,
                run_id=run_id,
                trace=trace.relative_to(self._folder.path).as_posix(),
                device_kernels=counted,
                counters_reason=reason,
            )
        )
        self._rows.kernels += kernel_rows(found, run_id)
        self._rows.device_kernels += device_kernel_rows(cell, counted, run_id)

    def _request(self, cell: Cell) -> request.Request:
        return request.Request(
            problem=cell.problem.to_dict(),
            name=cell.implementation,
            plugins=self._plugins,
            threads=self._threads,
            seed=cell.problem.seed(self._settings.seed),
            calls=1,
        )

    def _count_on_device(self, cell: Cell) -> tuple[list[ncu.KernelCounts], str | None]:
        """Let ``ncu`` count one call in a process of its own; what forbids it once is not asked again."""
        if self._ncu_refusal is not None:
            return [], self._ncu_refusal
        try:
            counted = ncu.count(
                self._folder.request(cell),
                worker_environment(self._device, self._threads),
                _NCU_TIMEOUTS * self._settings.cell_timeout_s,
            )
        except ncu.NcuError as error:
            if error.is_lasting:
                self._ncu_refusal = str(error)
            return [], str(error)
        return counted, None

    def _written(self) -> Profile:
        path = self._folder.path
        frames.write_rows(path / folders.CELLS, ProfileRow, self._rows.cells)
        frames.write_rows(path / folders.KERNELS, KernelRow, self._rows.kernels)
        frames.write_rows(path / folders.DEVICE_KERNELS, DeviceKernelRow, self._rows.device_kernels)
        self._info["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        self._folder.write_info(self._info)
        made = Profile(
            folder=self._folder,
            info=self._info,
            cells=frames.read_rows(path / folders.CELLS, ProfileRow),
            kernels=frames.read_rows(path / folders.KERNELS, KernelRow),
            device_kernels=frames.read_rows(path / folders.DEVICE_KERNELS, DeviceKernelRow),
            asked=frozenset(self._settings.impl) - {ALL},
        )
        self._folder.write_page(page.html(made.cells, made.kernels, made.device_kernels, self._info))
        return made
