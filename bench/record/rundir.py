"""The layout of a run directory, its ``run.json``, and the lock that keeps two runs out of one.

::

    RUN/run.json          what was asked, on which machine; there before the first worker starts
    RUN/journal.jsonl     what was measured, visit by visit; for resuming only
    RUN/results.parquet   one row a cell
    RUN/samples.parquet   one row a timed batch
    RUN/report.html       the page to read
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.record.folders import LOCK, cannot_write, locked, read_object, unused, write_object
from reports.schema import FORMAT_VERSION

INFO, JOURNAL, RESULTS, SAMPLES, REPORT = (
    "run.json",
    "journal.jsonl",
    "results.parquet",
    "samples.parquet",
    "report.html",
)
WORKER_LOG = "worker.log"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDirectory:
    """One run on disk. Made by ``create`` or ``open_run``, which check it."""

    path: Path

    @property
    def journal_path(self) -> Path:
        """Where the journal is."""
        return self.path / JOURNAL

    @property
    def report_path(self) -> Path:
        """Where the report is."""
        return self.path / REPORT

    def info(self) -> dict[str, Any]:
        """Read ``run.json``.

        Raises
        ------
        DamagedRun
            It is no JSON object.
        """
        return read_object(self.path / INFO, "restore it, or start a new run")

    def update(self, **fields: Any) -> None:
        """Set fields of ``run.json``, all of them or none.

        Raises
        ------
        ValueError
            A float is not finite.
        """
        write_object(self.path / INFO, self.info() | fields)

    def forget(self) -> None:
        """Remove what a run writes before its first visit."""
        for name in (INFO, WORKER_LOG, LOCK):
            (self.path / name).unlink(missing_ok=True)

    def lock(self, argument: str = "--out") -> AbstractContextManager[None]:
        """Hold it while it is in progress; UsageError where another process does, or it cannot be written."""
        return locked(self.path, argument, unfinished=(INFO, RESULTS, SAMPLES, REPORT, "report.md"))


def create(path: Path, info: dict[str, Any]) -> RunDirectory:
    """Make a run directory, parents included, with its ``run.json``: the format version, then ``info``.

    Raises
    ------
    UsageError
        The folder holds another run, or cannot be made or written.
    ValueError
        A float in ``info`` is not finite.
    """
    run = RunDirectory(path=path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with run.lock():
            _refuse_other_run(path)
            write_object(path / INFO, {"format_version": FORMAT_VERSION} | info)
    except OSError as error:
        raise cannot_write("--out", path, error) from None
    return run


def open_run(path: Path, argument: str) -> RunDirectory:
    """Open a run that is there; ``argument`` is what the user named it with, for the message.

    Raises
    ------
    UsageError
        It is no run, its ``run.json`` is damaged, or its format version is not one that this version reads.
    """
    if not (path / INFO).is_file():
        found = f"{path} holds no {INFO}" if path.is_dir() else f"there is no folder {path}"
        raise UsageError(argument, found, "name a folder that 'gnbench run' wrote")
    run = RunDirectory(path=path)
    version = run.info().get("format_version")
    if version == FORMAT_VERSION:
        return run
    if isinstance(version, int) and version > FORMAT_VERSION:
        found, mend = f"{path} was written by a newer groupnorm-bench (format {version})", "upgrade groupnorm-bench"
    else:
        found, mend = f"{path} has the unknown format version {version!r}", f"this version reads {FORMAT_VERSION}"
    raise UsageError(argument, found, mend)


def default_path(now: datetime, shard: tuple[int, int] | None = None) -> Path:
    """Name a new run after the time it starts, below ``runs``; the second within one second gets ``-2``.

    A part of a sweep has its part in the name: the tasks of an array start in the same second on several machines.

    >>> default_path(datetime(2026, 11, 24, 20, 13, 28)).as_posix()
    'runs/2026-11-24T201328'
    """
    return unused(f"{now:%Y-%m-%dT%H%M%S}" + (f"-part-{shard[0]}-of-{shard[1]}" if shard else ""))


def _refuse_other_run(path: Path) -> None:
    held = [name for name in (INFO, JOURNAL, RESULTS, SAMPLES) if (path / name).exists()]
    if INFO in held:
        mend = f"continue it with 'gnbench run --resume {path}', or name another folder"
        raise UsageError("--out", f"{path} already holds a run", mend)
    if held:
        raise UsageError("--out", f"{path} holds {held[0]} of another run", "name another folder")
