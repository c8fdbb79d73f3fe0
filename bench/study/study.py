"""The whole way of a study on one page: axes in, a folder with frames and a report out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench.claims import claimed
from bench.record import frames
from bench.record.durable import told_when_unwritable
from bench.study import data as sources
from bench.study import extras, facts, going, plan, rows, timing
from bench.study import folder as folders
from bench.study.asked import TUNED, Asked
from bench.study.crew import Prepared, Worker
from bench.study.data import Data
from bench.study.folder import StudyFolder
from bench.study.going import Going, Progressed, StudyStopped, Tell
from bench.study.pages import write_pages
from bench.study.plan import Point
from bench.study.records import scores
from bench.study.rows import About
from bench.study.usable import usable
from reports import study_schema as schema

_TIMING_VISIT_S = 2.0
"""Of stepping, for each batch size and pass: with starting workers it is a tenth of the default study."""
_START_S = 4.0
"""Until a worker has imported torch and warmed its networks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """How a study is carried out; what it finds does not depend on it, save for times."""

    workers: int
    """Processes that train at once, one thread each."""
    threads: int
    """Of the process that times steps."""
    budget_s: float | None = None
    """No training begins after so many seconds."""
    passes: int = 3
    """Fresh processes that time steps."""
    tell: Tell = lambda _: None
    warn: Callable[[str], object] = lambda _: None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Study:
    """A study that ended, or was stopped by its budget."""

    path: Path
    info: dict[str, Any]
    trials: pd.DataFrame
    epochs: pd.DataFrame
    steps: pd.DataFrame
    left: int
    """Trainings that the budget did not reach."""
    pages: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What a study would do."""

    points: tuple[Point, ...]
    seconds: float
    workers: int
    data: dict[str, Any]


def study(
    asked: Asked, *, out: Path | None = None, means: Means, command: Sequence[str] = (), optional: Sequence[str] = ()
) -> Study:
    """Carry out a new study into a new folder.

    Parameters
    ----------
    optional
        Of the implementations, those that are left out, with a warning, where they cannot be used.

    Raises
    ------
    UsageError
        A package, the data or an implementation cannot be had, or the folder cannot be written.
    """
    extras.require("optuna", "study")
    _require_trackers(asked)
    data = sources.load(asked.data, None if asked.data_dir is None else Path(asked.data_dir))
    asked = replace(asked, data=data.name)
    facts.refuse_few(asked, data)
    asked = _with_usable(asked, means, optional)
    now = datetime.now(UTC)
    folder = folders.create(out or folders.default_path(now), facts.of_study(asked, data, now, command))
    data.save(folder.data)
    return _carried_out(folder, asked, data, means, "--out")


def resume(path: Path, means: Means) -> Study:
    """Go on with a study; a training that a kill left running is marked interrupted and done again.

    Raises
    ------
    UsageError
        There is no study, another process is at work in it, or its files are damaged.
    """
    extras.require("optuna", "study")
    folder = folders.open_study(path)
    asked = Asked.from_dict(folder.info()["settings"])
    _require_trackers(asked)
    if not folder.data.is_file():  # killed between the folder and the data
        sources.load(asked.data, None if asked.data_dir is None else Path(asked.data_dir)).save(folder.data)
    return _carried_out(folder, asked, sources.load_saved(folder.data), means, "--resume")


def planned(asked: Asked, means: Means) -> Planned:
    """Tell the trainings and their cost here; takes a few seconds to time a few steps."""
    data = sources.load(asked.data, None if asked.data_dir is None else Path(asked.data_dir))
    facts.refuse_few(asked, data)
    points = plan.whole(asked)
    seconds = going.predicted(points, _cost(asked, data), means.workers)
    return Planned(
        points=tuple(points),
        seconds=seconds + asked.times_steps * means.passes * (_START_S + _TIMING_VISIT_S * len(asked.batch_sizes)),
        workers=means.workers,
        data=data.facts(),
    )


def _carried_out(folder: StudyFolder, asked: Asked, data: Data, means: Means, argument: str) -> Study:
    then = f"then go on with 'gnbench study --resume {folder.path}': no training that ended is lost"
    threads = max(means.workers, means.threads)
    with (
        folder.lock(argument),
        told_when_unwritable(folder.path, then),
        claimed(asked.device, threads, folder.path, means.warn),
    ):
        try:
            return _Course(folder, asked, data, means).made()
        except KeyboardInterrupt as cause:
            raise StudyStopped(folder.path) from cause


class _Course:
    """The stages of a study, in order."""

    def __init__(self, folder: StudyFolder, asked: Asked, data: Data, means: Means) -> None:
        from bench.study.store import Store  # noqa: PLC0415 - Optuna is an extra, and slow to import

        self._folder, self._asked, self._data, self._means = folder, asked, data, means
        self._info = folder.info()
        self._store = Store.open(folder.journal, asked)
        self._trackers = _trackers(asked, folder, self._info["study_id"])
        split = facts.first_split(asked, data)
        self._about = About(
            study_id=self._info["study_id"],
            data=data.name,
            image_size=data.image_size,
            train_size=len(split.train),
        )

    def made(self) -> Study:
        if interrupted := self._store.interrupt():
            self._means.warn(f"{interrupted} trainings were running when the study was stopped; they are done again")
        self._time_steps()
        try:
            self._train()
        finally:
            self._store.interrupt()  # of a signal or an error of our own; a kill leaves it to the next
            self._write()
            self._trackers.close()
        return self._ended()

    def _time_steps(self) -> None:
        path = self._folder.path / schema.STEPS
        if path.is_file() or not self._asked.times_steps:
            return
        threads, blocks = self._means.threads, timing.blocks_of(self._asked, self._data.image_size)
        found = timing.taken(
            blocks,
            lambda: self._worker(threads),
            passes=self._means.passes,
            most_s=_TIMING_VISIT_S * self._means.passes * len(blocks),
            seed=self._asked.seed,
            told=lambda done, of: self._means.tell(Progressed(phase="timing steps", done=done, of=of, left_s=None)),
        )
        made = [
            row
            for block, passes in zip(blocks, found, strict=True)
            for row in timing.rows(block, passes, study_id=self._about.study_id, threads=threads)
        ]
        frames.write_rows(path, schema.StepRow, made)

    def _train(self) -> None:
        cost = going.cost_of(
            {size: going.typical_update_s(size, self._data.image_size) for size in self._asked.batch_sizes},
            train_size=self._about.train_size,
            evaluated=self._info["data"]["validation"],
        )
        Going(
            self._asked,
            self._store,
            start=lambda: self._worker(1),
            workers=self._means.workers,
            budget_s=self._means.budget_s,
            cost=cost,
            tell=self._means.tell,
            write=self._write,
            ended=self._track,
        ).go()

    def _worker(self, threads: int) -> Worker:
        return Worker(_prepared(self._asked, threads, self._folder.data), self._folder.log)

    def _track(self, trial: int) -> None:
        if self._asked.log:
            (record,) = [record for record in self._store.records() if record.trial == trial]
            made = rows.trial_rows([record], self._about, self._steps())
            self._trackers.ended(made[0], rows.epoch_rows([record], self._about))

    def _steps(self) -> pd.DataFrame:
        path = self._folder.path / schema.STEPS
        return frames.read_rows(path, schema.StepRow) if path.is_file() else frames.frame_of(schema.StepRow, ())

    def _write(self) -> None:
        records, path = self._store.records(), self._folder.path
        trials = rows.trial_rows(records, self._about, self._steps())
        frames.write_rows(path / schema.TRIALS, schema.TrialRow, trials)
        frames.write_rows(path / schema.EPOCHS, schema.EpochRow, rows.epoch_rows(records, self._about))
        self._folder.update(counts=going.outcome_counts([trial.status for trial in trials]))

    def _ended(self) -> Study:
        records = self._store.records()
        settled = sum(record.is_settled for record in records)
        rates = plan.chosen_rates(self._asked, scores(records)) if self._asked.sampler == TUNED else {}
        left = self._left(settled, rates)
        self._folder.update(
            end=datetime.now(UTC).isoformat(timespec="seconds") if left == 0 else None,
            rates=facts.rates(self._asked, rates),
            left=left,
        )
        path, info = self._folder.path, self._folder.info()
        trials = frames.read_rows(path / schema.TRIALS, schema.TrialRow)
        epochs = frames.read_rows(path / schema.EPOCHS, schema.EpochRow)
        pages = write_pages(trials, epochs, self._steps(), info, path)
        return Study(
            path=path, info=info, trials=trials, epochs=epochs, steps=self._steps(), left=left, pages=tuple(pages)
        )

    def _left(self, settled: int, rates: Mapping[plan.Group, float]) -> int:
        """Count what is still to train; a group whose every tuning failed is not compared and not waited for."""
        if self._asked.sampler != TUNED:
            return plan.count(self._asked) - settled
        tuned = {point.group for point in plan.tuning(self._asked)}
        tuning_left = len(plan.tuning(self._asked)) - sum(
            record.is_settled and record.point.purpose == plan.TUNE for record in self._store.records()
        )
        reachable = dict.fromkeys(tuned, 0.0) if tuning_left else rates
        return len(plan.tuning(self._asked)) + len(plan.comparing(self._asked, reachable)) - settled


def _prepared(asked: Asked, threads: int, data: Path | None) -> Prepared:
    return Prepared(
        device=asked.device,
        threads=threads,
        data=data,
        folds=asked.folds,
        seed=asked.seed,
        implementations=asked.implementations,
        plugins=asked.plugins,
    )


def _cost(asked: Asked, data: Data) -> Callable[[Point], float]:
    """Time a few steps, to say how long the whole will take."""
    with Worker(_prepared(asked, 1, None), Path(os.devnull)) as worker:
        answer = worker.ask({"do": "cost", "batch_sizes": list(asked.batch_sizes), "image_size": data.image_size})
    if answer["heard"] != "cost":
        raise timing.TimingError(answer["reason"])
    split = facts.first_split(asked, data)
    return going.cost_of(
        {int(size): seconds for size, seconds in answer["seconds"].items()},
        train_size=len(split.train),
        evaluated=len(split.validation),
    )


def _with_usable(asked: Asked, means: Means, optional: Sequence[str]) -> Asked:
    return replace(asked, implementations=usable(_prepared(asked, 1, None), optional, means.warn))


class _NoTrackers:
    """Nobody is told."""

    def ended(self, trial: schema.TrialRow, epochs: Sequence[schema.EpochRow]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _trackers(asked: Asked, folder: StudyFolder, study_id: str) -> Any:
    if not asked.log:
        return _NoTrackers()
    from bench.study.trackers import Trackers  # noqa: PLC0415 - extras

    return Trackers(asked.log, folder.path, study_id, asked.to_dict())


def _require_trackers(asked: Asked) -> None:
    for name in asked.log:
        extras.require(name, f"--log {name}")
