"""Optuna's storage on disk, the one truth of a study: every training that began, and what became of it.

What a row or a curve needs lies in the trial's user attributes, so frames are made from here alone. The driver is the
only writer: workers know nothing of Optuna.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from bench.study import norms
from bench.study.asked import Asked
from bench.study.plan import SWEEP, Point
from bench.study.records import Record

NAME = "study"
_STATUS = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "interrupted",
    TrialState.WAITING: "interrupted",
}
_POINT, _OUTCOME, _EPOCHS, _REASON, _INTERRUPTED = "point", "outcome", "epochs", "reason", "interrupted"


class Store:
    """The trainings of one study; made by ``open``."""

    def __init__(self, storage: JournalStorage, study: optuna.Study, asked: Asked) -> None:
        self._storage, self._study, self._asked = storage, study, asked
        self._study_id = storage.get_study_id_from_name(NAME)
        self._settled: dict[int, Record] = {}
        self._ids = {trial.number: trial._trial_id for trial in self._trials()}  # noqa: SLF001 - storages want it

    @classmethod
    def open(cls, path: Path, asked: Asked) -> Self:
        """Open a storage, or make it; whoever calls holds the study's lock."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _mend(path)
        storage = JournalStorage(JournalFileBackend(str(path)))
        study = optuna.create_study(storage=storage, study_name=NAME, direction="maximize", load_if_exists=True)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
        return cls(storage, study, asked)

    def interrupt(self) -> int:
        """Mark the trainings that a kill left running, and count them."""
        left = [trial for trial in self._trials() if not trial.state.is_finished()]
        for trial in left:
            self._end(trial.number, TrialState.FAIL, {_INTERRUPTED: True})
        return len(left)

    def begin(self, point: Point) -> int:
        """Put a training down as running, and give its number."""
        params: dict[str, Any] = {
            name: value for name, value in point.to_dict().items() if name in _spaces(self._asked)
        }
        params = {name: value for name, value in params.items() if value is not None}
        spaces = {name: space for name, space in _spaces(self._asked).items() if name in params}
        template = create_trial(
            state=TrialState.RUNNING, params=params, distributions=spaces, user_attrs={_POINT: point.to_dict()}
        )
        template.datetime_start = datetime.now()
        return self._note(self._storage.create_new_trial(self._study_id, template))

    def draw(self) -> tuple[int, Point] | None:
        """Let the sampler choose the next point and put it down as running; None when all were drawn.

        The sampler is made anew from the seed and the place of the draw, so what it draws follows from what is in the
        storage, also after a resume.
        """
        place = sum(1 for record in self.records() if record.is_running or record.is_settled)
        if place >= (self._asked.trials or 0):
            return None
        repeat = self._unsettled()
        if repeat is not None:
            return self.begin(repeat), repeat
        seed = 1_000_003 * self._asked.seed + place
        random = self._asked.sampler == "random"
        self._study.sampler = (
            optuna.samplers.RandomSampler(seed=seed) if random else optuna.samplers.TPESampler(seed=seed)
        )
        trial = self._study.ask()
        point = _point(self._asked, trial, place)
        trial.set_user_attr(_POINT, point.to_dict())
        self._ids[trial.number] = trial._trial_id  # noqa: SLF001
        return trial.number, point

    def _unsettled(self) -> Point | None:
        """Give a drawn point that was interrupted and has not been done again."""
        records = self.records()
        held = [record.point for record in records if record.is_running or record.is_settled]
        for record in records:
            if record.status == "interrupted" and not record.is_running:
                if record.point not in held:
                    return record.point
                held.remove(record.point)
        return None

    def is_hopeless(self, trial: int, epoch: int, validation_accuracy: float) -> bool:
        """Note an epoch's accuracy and ask the pruner."""
        self._storage.set_trial_intermediate_value(self._ids[trial], epoch, validation_accuracy)
        return bool(self._study.pruner.prune(self._study, self._storage.get_trial(self._ids[trial])))

    def finish(self, trial: int, outcome: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]) -> None:
        """Note what a training came to; ``pruned`` in the outcome says that it was stopped early."""
        state = TrialState.PRUNED if outcome.get("pruned") else TrialState.COMPLETE
        attributes = {_OUTCOME: dict(outcome), _EPOCHS: [dict(epoch) for epoch in epochs]}
        if state is TrialState.PRUNED:
            attributes[_REASON] = "below the median of the others at this epoch"
        self._end(trial, state, attributes, [float(outcome["validation_accuracy"])])

    def fail(self, trial: int, reason: str, epochs: Sequence[Mapping[str, Any]]) -> None:
        """Note why a training did not end well."""
        self._end(trial, TrialState.FAIL, {_REASON: reason, _EPOCHS: [dict(epoch) for epoch in epochs]})

    def records(self) -> list[Record]:
        """Give every training, in order."""
        found = []
        for trial in self._trials():
            record = self._settled.get(trial.number)
            if record is None and _POINT in trial.user_attrs:
                record = _record(trial)
                if not record.is_running:  # it will not change, and a study asks for all of them at each training
                    self._settled[trial.number] = record
            if record is not None:
                found.append(record)
        return found

    def _end(
        self, trial: int, state: TrialState, attributes: Mapping[str, Any], values: Sequence[float] | None = None
    ) -> None:
        # Attributes before the state: a kill between them leaves a running trial, which is done again.
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(self._ids[trial], name, value)
        self._storage.set_trial_state_values(self._ids[trial], state, values)

    def _note(self, trial_id: int) -> int:
        number: int = self._storage.get_trial_number_from_id(trial_id)
        self._ids[number] = trial_id
        return number

    def _trials(self) -> list[FrozenTrial]:
        trials: list[FrozenTrial] = self._storage.get_all_trials(self._study_id, deepcopy=False)
        return trials


def _record(trial: FrozenTrial) -> Record:
    attributes = trial.user_attrs
    interrupted = attributes.get(_INTERRUPTED, False)
    is_running = not trial.state.is_finished()
    return Record(
        trial=trial.number,
        point=Point.from_dict(attributes[_POINT]),
        status="interrupted" if interrupted else _STATUS[trial.state],
        is_running=is_running,
        reason="the study was stopped while it ran" if interrupted else attributes.get(_REASON),
        outcome=attributes.get(_OUTCOME, {}),
        epochs=attributes.get(_EPOCHS, ()),
    )


def _spaces(asked: Asked) -> dict[str, BaseDistribution]:
    rates: BaseDistribution = CategoricalDistribution(asked.learning_rates)
    if asked.rate_range is not None:
        rates = FloatDistribution(*asked.rate_range, log=True)
    return {
        "norm": CategoricalDistribution(asked.norms),
        "batch_size": CategoricalDistribution(asked.batch_sizes),
        "learning_rate": rates,
        "implementation": CategoricalDistribution(asked.implementations),
        "budget": CategoricalDistribution([name for name, _ in asked.budgets]),
    }


def _point(asked: Asked, trial: optuna.Trial, place: int) -> Point:
    """Draw a point; seeds and folds take turns, for a sampler that searched them would search for luck."""
    spaces = _spaces(asked)

    def choose(name: str) -> Any:
        space = spaces[name]
        if isinstance(space, FloatDistribution):
            return trial.suggest_float(name, space.low, space.high, log=space.log)
        assert isinstance(space, CategoricalDistribution)
        return trial.suggest_categorical(name, space.choices)

    norm, budget = choose("norm"), choose("budget")
    return Point(
        purpose=SWEEP,
        budget=budget,
        length=dict(asked.budgets)[budget],
        norm=norm,
        implementation=choose("implementation") if norms.read(norm).by_table else None,
        batch_size=choose("batch_size"),
        learning_rate=choose("learning_rate"),
        seed=place % asked.seeds,
        fold=place % asked.folds,
    )


def _mend(path: Path) -> None:
    """Take away what a kill leaves: Optuna's lock, and half a line, to which the next one would be glued."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if not path.is_file():
        return
    with path.open("rb+") as journal:
        content = journal.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            journal.truncate(whole)
            os.fsync(journal.fileno())
