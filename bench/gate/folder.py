"""The layout of a gate's folder.

::

    DIR/gate.json        what was asked, of which sources, on which machine; and at the end what was found
    DIR/passes.jsonl     each pass's figures, on disk before the next one starts
    DIR/verdicts.parquet one row a cell and metric
    DIR/gate.md          a comment for a pull request
    DIR/junit.xml        a test suite, a case a cell and metric
    DIR/forest.png       every interval, with 0, the tolerance and the threshold
    DIR/recording.jsonl  of a self-check: passes of equal code, every round kept
    DIR/sides/           copies of both sides' kernels, kept while the gate can be continued
    DIR/worker.log       what kernels wrote on their standard output and error
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.record.durable import replace_file
from bench.record.folders import cannot_write, locked, make_empty, read_object, unused, write_object
from reports.schema import FORMAT_VERSION

INFO, PASSES, VERDICTS, COMMENT, JUNIT, FOREST, LOG = (
    "gate.json",
    "passes.jsonl",
    "verdicts.parquet",
    "gate.md",
    "junit.xml",
    "forest.png",
    "worker.log",
)
RECORDING = "recording.jsonl"
_SIDES = "sides"
_MEND = "name a folder that 'gnbench gate' wrote"


@dataclass(frozen=True, kw_only=True, slots=True)
class GateFolder:
    """One gate on disk; made by ``create`` or ``open_gate``."""

    path: Path

    @property
    def sides(self) -> Path:
        """Where the copies of both sides' kernels are."""
        return self.path / _SIDES

    @property
    def passes(self) -> Path:
        """Where the passes' journal is."""
        return self.path / PASSES

    def info(self) -> dict[str, Any]:
        """Read ``gate.json``; DamagedRun where it is no JSON object."""
        return read_object(self.path / INFO, "start a new gate")

    def update(self, **fields: Any) -> None:
        """Set fields of ``gate.json``, all of them or none."""
        self.put(self.info() | fields)

    def put(self, info: dict[str, Any]) -> None:
        """Write ``gate.json``, whole or not at all."""
        write_object(self.path / INFO, info)

    def write(self, name: str, text: str) -> Path:
        """Write one of the folder's files, whole or not at all."""
        path = self.path / name
        replace_file(path, lambda file: file.write(text.encode()))
        return path

    def forget_sides(self) -> None:
        """Remove the copies: nothing is left to be continued."""
        shutil.rmtree(self.sides, ignore_errors=True)

    def lock(self, argument: str) -> AbstractContextManager[None]:
        """Hold it while it is in progress; UsageError where another process does, or it cannot be written."""
        return locked(self.path, argument)


def create(path: Path, info: dict[str, Any]) -> GateFolder:
    """Make the folder, parents included, with its ``gate.json``.

    Raises
    ------
    UsageError
        The folder holds something, or cannot be made or written.
    """
    folder = GateFolder(path=path)
    try:
        make_empty(path)
        folder.put({"format_version": FORMAT_VERSION} | info)
    except OSError as error:
        raise cannot_write("--out", path, error) from None
    return folder


def open_gate(path: Path) -> GateFolder:
    """Open a gate that is there; UsageError where it is none, or of another format."""
    if not (path / INFO).is_file():
        found = f"{path} holds no {INFO}" if path.is_dir() else f"there is no folder {path}"
        raise UsageError("--resume", found, _MEND)
    folder = GateFolder(path=path)
    version = folder.info().get("format_version")
    if version != FORMAT_VERSION:
        raise UsageError("--resume", f"{path} has format {version!r}", f"this version reads {FORMAT_VERSION}")
    return folder


def default_path(now: datetime, kind: str = "gate") -> Path:
    """Name a gate after the time it starts, below ``runs``; the second within one second gets ``-2``."""
    return unused(f"{kind}-{now:%Y-%m-%dT%H%M%S}")
