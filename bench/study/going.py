"""Trainings under way: ready points go to idle workers, what these say goes to the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.study import plan
from bench.study.asked import EPOCHS, Asked
from bench.study.crew import Message, Worker, WorkerDied, wait
from bench.study.plan import Point
from bench.study.records import Record, scores

if TYPE_CHECKING:
    from bench.study.store import Store  # Optuna is an extra

Start = Callable[[], Worker]
_WRITE_S = 10.0
"""Between two writings of the frames: they are a view for onlookers, the storage on disk is never behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progressed:
    """How far a study is, as its listener is told."""

    phase: str
    done: int
    of: int
    left_s: float | None


Tell = Callable[[Progressed], object]


@dataclass(kw_only=True, slots=True)
class _Task:
    """What a worker is at."""

    trial: int
    point: Point
    epochs: list[Message] = field(default_factory=list)


class StudyStopped(KeyboardInterrupt):
    """A signal ended a study; what had ended is on disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"interrupted; go on with 'gnbench study --resume {path}'")


class Going:
    """The trainings of a study, until none is left or the budget is spent.

    Parameters
    ----------
    start
        Makes a worker.
    cost
        Predicts the seconds of a point on one worker; only ratios matter once some have ended.
    write
        Writes the frames as they stand.
    ended
        Is told the number of each training that ended.
    """

    def __init__(
        self,
        asked: Asked,
        store: Store,
        *,
        start: Start,
        workers: int,
        budget_s: float | None,
        cost: Callable[[Point], float],
        tell: Tell,
        write: Callable[[], object],
        ended: Callable[[int], object],
    ) -> None:
        self._asked, self._store, self._start = asked, store, start
        self._workers, self._budget_s = workers, budget_s
        self._cost, self._tell, self._write, self._ended = cost, tell, write, ended
        self._busy: dict[Worker, _Task] = {}
        self._idle: list[Worker] = []
        self._began = self._written = time.monotonic()
        points = plan.whole(asked)
        self._count, self._whole = len(points), sum(map(cost, points))
        self._spent = 0.0

    def go(self) -> None:
        """Train until nothing is left that may begin."""
        try:
            while True:
                self._give_out()
                if not self._busy:
                    return
                for worker in wait(list(self._busy), None):
                    self._hear(worker)
                if time.monotonic() - self._written > _WRITE_S:
                    self._write()
                    self._written = time.monotonic()
        finally:
            for worker in (*self._busy, *self._idle):
                worker.stop()

    def _give_out(self) -> None:
        while len(self._busy) < self._workers and not self._is_over_budget():
            begun = self._begin()
            if begun is None:
                return
            worker = self._idle.pop() if self._idle else self._start()
            worker.give({"do": "train", "point": begun.point.to_dict(), "prune": self._asked.prune})
            self._busy[worker] = begun

    def _is_over_budget(self) -> bool:
        return self._budget_s is not None and time.monotonic() - self._began > self._budget_s

    def _begin(self) -> _Task | None:
        """Put the next ready point down as running; None when there is none now."""
        records = self._store.records()
        self._say(records)
        if self._asked.trials is not None:
            drawn = self._store.draw()
            return None if drawn is None else _Task(trial=drawn[0], point=drawn[1])
        held = {record.point for record in records if record.is_settled or record.is_running}
        for point in plan.planned(self._asked, scores(records)):
            if point not in held:
                return _Task(trial=self._store.begin(point), point=point)
        return None

    def _hear(self, worker: Worker) -> None:
        try:
            for message in worker.hear():
                self._take(worker, message)
        except WorkerDied as death:
            if not worker.is_ready:
                raise  # the next would not start either: this is no outcome of a training
            task = self._busy.pop(worker)
            worker.stop()
            self._store.fail(task.trial, str(death), task.epochs)
            self._ended(task.trial)

    def _take(self, worker: Worker, message: Message) -> None:
        heard, said = message["heard"], {name: value for name, value in message.items() if name != "heard"}
        if heard not in {"epoch", "done", "failed"}:
            return
        task = self._busy[worker]
        if heard == "epoch":
            task.epochs.append(said)
            if self._asked.prune:
                hopeless = self._store.is_hopeless(task.trial, said["epoch"], said["validation_accuracy"])
                # Nothing is saved by stopping at the end.
                is_last = task.point.length == (said["epoch"] if task.point.budget == EPOCHS else said["updates"])
                worker.give({"go_on": is_last or not hopeless})
            return
        if heard == "done":
            self._store.finish(task.trial, said, task.epochs)
        else:
            self._store.fail(task.trial, said["reason"], task.epochs)
        del self._busy[worker]
        self._idle.append(worker)
        self._spent += self._cost(task.point)
        self._ended(task.trial)

    def _say(self, records: Sequence[Record]) -> None:
        """Tell how far it is; the time left follows from what the seconds predicted so far have really taken."""
        settled = [record.point for record in records if record.is_settled]
        left = max(0.0, self._whole - sum(map(self._cost, settled)))
        passed = time.monotonic() - self._began
        rate = passed / self._spent if self._spent else 1 / self._workers
        self._tell(Progressed(phase="training", done=len(settled), of=self._count, left_s=left * rate))


def predicted(points: Sequence[Point], cost: Callable[[Point], float], workers: int) -> float:
    """Give the seconds that trainings will take."""
    return sum(map(cost, points)) / workers


def cost_of(update_s: Mapping[int, float], *, train_size: int, evaluated: int) -> Callable[[Point], float]:
    """Give a function that predicts the seconds of a point on one worker.

    Parameters
    ----------
    update_s
        Seconds of an update, by batch size.
    train_size, evaluated
        Images of the training part; images looked at after each epoch.
    """
    largest = max(update_s)
    # Looking at an image takes about a third of learning it, and large batches tell that without the overhead.
    look_s = evaluated * update_s[largest] / largest / 3

    def cost(point: Point) -> float:
        updates = point.updates(train_size)
        an_epoch = max(1, train_size // point.batch_size)
        return updates * update_s[point.batch_size] + -(-updates // an_epoch) * look_s

    return cost


def typical_update_s(batch_size: int, image_size: int) -> float:
    """Guess the seconds of an update on one core; a study corrects it by what its trainings take.

    Fitted to 1.0, 1.4, 2.8 and 11.4 ms for batches of 2, 8, 32 and 128 at 8 x 8, 33 ms for one of 32 at 28 x 28.
    """
    return 1.0e-3 + batch_size * (image_size / 8) ** 2 * 82e-6


def outcome_counts(statuses: Sequence[str]) -> dict[str, Any]:
    """Count trainings by status.

    >>> outcome_counts(["complete", "failed", "complete"])
    {'complete': 2, 'failed': 1}
    """
    return {status: statuses.count(status) for status in sorted(set(statuses))}
