"""A sweep in, a run directory with its frames and its report out; ``measuring`` tells the way between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench import about, host
from bench.errors import UsageError
from bench.events import Listener
from bench.executors.selection import ALL
from bench.identity import changes, identity
from bench.measuring import Measuring
from bench.plan.config import Settings
from bench.plan.sweep import Sweep
from bench.planning import Plan, plan, threads_for
from bench.record import frames, rundir
from bench.record.rundir import RunDirectory
from reports.schema import ResultRow

__all__ = ["Plan", "Run", "plan", "resume", "run"]

_SHOWN = 3
"""Changes of the environment that a refusal spells out."""


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
    bench.ending.Interrupted
        Ctrl-C, SIGTERM or SIGHUP came: what was measured is on disk, with a report of it.

    Examples
    --------
    >>> from bench.plan.config import load_preset
    >>> run(load_preset("quick").sweep).results  # doctest: +SKIP
    """
    settings = settings or Settings()
    # Whole paths: the run may be gone on with from another folder.
    plugins = tuple(str(Path(plugin).expanduser().resolve()) for plugin in settings.plugins)
    settings = replace(settings, threads=threads_for(settings.threads), plugins=plugins)
    planned = plan(sweep, settings)
    now = datetime.now(UTC)
    path = out or rundir.default_path(now, settings.shard)
    was_there = path.exists()
    info = about.asked(
        sweep, settings, blocks=planned.blocks, left_out=planned.expansion.left_out, command=command, now=now
    )
    kept = {"available_bytes": planned.available_bytes, "environment": _environment(info, settings)}
    directory = rundir.create(path, info | kept)
    measuring = Measuring(
        directory=directory,
        sweep=sweep,
        settings=settings,
        planned=planned,
        listener=listener or Listener(),
        argument="--out",
    )
    try:
        return _ended(directory, settings, measuring.made())
    except UsageError:
        # Nothing was measured: what was made for a question that was wrong is only in the way.
        if not directory.journal_path.exists():
            directory.forget() if was_there else shutil.rmtree(path, ignore_errors=True)
        raise


def resume(path: Path, listener: Listener | None = None, *, accept_changes: bool = False) -> Run:
    """Go on with a run that was ended early; what its journal holds is not measured again.

    A finished run is left as it is.

    Parameters
    ----------
    path
        The run directory.
    listener
        Is told what happens.
    accept_changes
        Go on although the environment is another one; ``run.json`` keeps what had changed, and when.

    Raises
    ------
    UsageError
        It is no run, its sweep was changed, or its environment was and ``accept_changes`` is not set.
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
    planned = plan(sweep, settings, available_bytes=info.get("available_bytes"))
    if [one["key"] for one in info.get("problems", ())] != [block.key for block in planned.blocks]:
        found = f"the sweep in {path}/run.json is not the one of its problems"
        raise UsageError("--resume", found, "restore it, or start a new run")
    now = _environment(host.facts(), settings)
    changed = changes(info.get("environment") or {}, now)
    if changed and not accept_changes:
        shown = "; ".join(changed[:_SHOWN]) + (f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
        mend = "restore it, or go on all the same with --accept-changes"
        raise UsageError("--resume", f"the environment of {path} was changed: {shown}", mend)
    again = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "changed": changed}
    measuring = Measuring(
        directory=directory,
        sweep=sweep,
        settings=settings,
        planned=planned,
        listener=listener or Listener(),
        argument="--resume",
    )
    noted = {"environment": now, "resumed": [*info.get("resumed", ()), again], "interrupted": None}
    return _ended(directory, settings, measuring.made(noted))


def _environment(facts: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    return identity(facts, plugins=settings.plugins, threads=settings.threads, environ=os.environ)


def _ended(directory: RunDirectory, settings: Settings, wrong: Sequence[ResultRow]) -> Run:
    asked = {name for name in settings.impl if name != ALL}
    return Run(directory=directory, failed=tuple(row for row in wrong if row.implementation in asked))
