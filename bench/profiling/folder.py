"""The layout of a profile's folder.

::

    DIR/profile.json           what was asked, on which machine, and which tools could not be used
    DIR/profile.html           the page to read
    DIR/cells.parquet          one row a cell
    DIR/kernels.parquet        one row an operator or kernel of a cell
    DIR/device_kernels.parquet one row a kernel that ncu counted
    DIR/traces/                a gzipped trace a cell, for ui.perfetto.dev
    DIR/requests/              a file a cell, for nsys and ncu by hand
    DIR/worker.log             what kernels wrote on their standard output and error
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.plan.block import Cell
from bench.record.durable import replace_file
from bench.record.folders import cannot_write, make_empty, unused, write_object
from reports.schema import FORMAT_VERSION

INFO, PAGE, CELLS, KERNELS, DEVICE_KERNELS = (
    "profile.json",
    "profile.html",
    "cells.parquet",
    "kernels.parquet",
    "device_kernels.parquet",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileFolder:
    """One profile on disk; made by ``create``."""

    path: Path

    def trace(self, cell: Cell) -> Path:
        """Where a cell's trace goes."""
        return self.path / "traces" / f"{_name(cell)}.json.gz"

    def request(self, cell: Cell) -> Path:
        """Where a cell's request goes."""
        return self.path / "requests" / f"{_name(cell)}.json"

    def drop_trace(self, cell: Cell) -> None:
        """Remove a cell's trace, and what a worker that died over it left unfinished."""
        self.trace(cell).unlink(missing_ok=True)
        for left in self.trace(cell).parent.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)

    @property
    def page(self) -> Path:
        """The page to read."""
        return self.path / PAGE

    def write_info(self, info: dict[str, Any]) -> None:
        """Write ``profile.json``, whole or not at all."""
        write_object(self.path / INFO, {"format_version": FORMAT_VERSION} | info)

    def write_page(self, text: str) -> None:
        """Write the page, whole or not at all."""
        replace_file(self.page, lambda file: file.write(text.encode()))


def create(path: Path, info: dict[str, Any]) -> ProfileFolder:
    """Make the folder, parents included, with its ``profile.json``.

    Raises
    ------
    UsageError
        The folder holds something, or cannot be made or written.
    """
    try:
        make_empty(path)
        for name in ("traces", "requests"):
            (path / name).mkdir()
        folder = ProfileFolder(path=path)
        folder.write_info(info)
    except OSError as error:
        raise cannot_write("--out", path, error) from None
    return folder


def default_path(now: datetime) -> Path:
    """Name a profile after the time it starts, below ``runs``; the second within one second gets ``-2``."""
    return unused(f"profile-{now:%Y-%m-%dT%H%M%S}")


def _name(cell: Cell) -> str:
    return f"{cell.implementation}-{cell.problem.key}"
