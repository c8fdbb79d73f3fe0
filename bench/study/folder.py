"""The layout of a study's folder.

::

    DIR/study.json       what was asked, on which machine, of which data
    DIR/optuna.journal   Optuna's storage: every training that began; for resuming, and for Optuna's own tools
    DIR/data.npz         the images, so that a resume trains on the same
    DIR/trials.parquet   one row a training
    DIR/epochs.parquet   one row an epoch of a training
    DIR/steps.parquet    one row a normalization, implementation and batch size: a step's time and memory
    DIR/report.html      the page to read
    DIR/worker.log       what workers wrote on their standard output and error
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.record.folders import cannot_write, locked, make_empty, read_object, unused, write_object
from reports.schema import FORMAT_VERSION
from reports.study_schema import EPOCHS, INFO, STEPS, TRIALS

REPORT = "report.html"


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFolder:
    """One study on disk; made by ``create`` or ``open_study``."""

    path: Path

    @property
    def journal(self) -> Path:
        """Optuna's storage."""
        return self.path / "optuna.journal"

    @property
    def data(self) -> Path:
        """The images."""
        return self.path / "data.npz"

    @property
    def log(self) -> Path:
        """What workers wrote."""
        return self.path / "worker.log"

    def info(self) -> dict[str, Any]:
        """Read ``study.json``; DamagedRun where it is none."""
        return read_object(self.path / INFO, "restore it, or start a new study")

    def update(self, **fields: Any) -> None:
        """Set fields of ``study.json``, all of them or none."""
        write_object(self.path / INFO, self.info() | fields)

    def lock(self, argument: str) -> AbstractContextManager[None]:
        """Hold it while it is in progress; UsageError where another process does, or it cannot be written."""
        return locked(
            self.path,
            argument,
            doing="at work in",
            unfinished=(INFO, TRIALS, EPOCHS, STEPS, REPORT, "report.md", self.data.name),
        )


def create(path: Path, info: dict[str, Any]) -> StudyFolder:
    """Make the folder, parents included, with its ``study.json``.

    Raises
    ------
    UsageError
        The folder holds something, or cannot be made or written.
    """
    if (path / INFO).is_file():
        mend = f"go on with 'gnbench study --resume {path}', or name another folder"
        raise UsageError("--out", f"{path} already holds a study", mend)
    try:
        make_empty(path)
        write_object(path / INFO, {"format": FORMAT_VERSION} | info)
    except OSError as error:
        raise cannot_write("--out", path, error) from None
    return StudyFolder(path=path)


def open_study(path: Path) -> StudyFolder:
    """Open a study that is there.

    Raises
    ------
    UsageError
        It is none, or of a format that this version does not read.
    """
    if not (path / INFO).is_file():
        found = f"{path} holds no {INFO}" if path.is_dir() else f"there is no folder {path}"
        raise UsageError("--resume", found, "name a folder that 'gnbench study' wrote")
    folder = StudyFolder(path=path)
    version = folder.info().get("format")
    if version != FORMAT_VERSION:
        found = f"{path} has the unknown format version {version!r}"
        raise UsageError("--resume", found, f"this version reads {FORMAT_VERSION}")
    return folder


def default_path(now: datetime) -> Path:
    """Name a study after the time it starts, below ``runs``; the second within one second gets ``-2``."""
    return unused(f"study-{now:%Y-%m-%dT%H%M%S}")
