"""What a study was asked for: frozen, checked, and plain data on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from bench.errors import UsageError, nearest
from bench.study import norms

TUNED = "tuned"
"""The default design: the learning rate tuned on validation data, then compared over seeds and folds."""
DIVERGED = "the loss is not finite"
"""How the reason of a training begins that failed by its settings, not by a kernel."""
SAMPLERS = ("grid", "random", "tpe")
EPOCHS, UPDATES = "epochs", "updates"
LOGS = ("wandb", "tensorboard")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A study's axes and settings.

    Raises
    ------
    UsageError
        A value is none that a study can have.
    """

    norms: tuple[str, ...] = (
        "none", "batch", "layer", "group:2", "group:4", "group:8", "group:16", "group:32", "instance",
    )  # fmt: skip
    batch_sizes: tuple[int, ...] = (2, 8, 32, 128)
    learning_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    rate_range: tuple[float, float] | None = None
    """Random and TPE draw the rate's logarithm between these, in place of the list."""
    implementations: tuple[str, ...] = ("native",)
    seeds: int = 4
    folds: int = 3
    """An interval over seeds or folds has one degree of freedom less than these: two of either would tell nothing."""
    epochs: int | None = 3
    updates: int | None = 200
    sampler: str = TUNED
    trials: int | None = None
    """Of random and TPE."""
    prune: bool = False
    data: str = "digits"
    data_dir: str | None = None
    device: str = "cpu"
    seed: int = 0
    log: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    times_steps: bool = True

    def __post_init__(self) -> None:
        norms.read_list(self.norms)
        _at_least("--batch-size", self.batch_sizes, 2, "batch norm has no variance of one value a channel")
        _at_least("--seeds", (self.seeds,), 1, "give how many")
        _at_least("--folds", (self.folds,), 2, "one fold is trained on where another tests")
        _at_least("--epochs", (self.epochs,), 1, "leave it out to train by updates alone")
        _at_least("--updates", (self.updates,), 1, "leave it out to train by epochs alone")
        _at_least("--trials", (self.trials,), 1, "give how many")
        if self.sampler not in (TUNED, *SAMPLERS):
            raise UsageError("--sampler", f"{self.sampler!r} is unknown", nearest(self.sampler, SAMPLERS))
        self._check_sampler()
        for tracker in self.log:
            if tracker not in LOGS:
                raise UsageError("--log", f"{tracker!r} is unknown", nearest(tracker, LOGS))

    def _check_sampler(self) -> None:
        drawn = self.sampler in {"random", "tpe"}
        if drawn and self.trials is None:
            raise UsageError("--trials", f"--sampler {self.sampler} has no end of its own", "give --trials 50")
        if not drawn and self.trials is not None:
            raise UsageError("--trials", "only random and TPE draw trials", "give --sampler random or tpe")
        if not drawn and self.rate_range is not None:
            raise UsageError(
                "--learning-rate",
                "only random and TPE draw from a range",
                "give a comma list, or --sampler random or tpe",
            )
        if self.sampler == "tpe" and len(self.budgets) > 1:
            mend = "give one of --epochs and --updates"
            raise UsageError("--sampler", "tpe searches at one length of training", mend)
        if self.prune and self.sampler == TUNED:
            mend = "give --sampler grid, random or tpe with it"
            raise UsageError("--prune", "a comparison needs every one of its trials", mend)

    @property
    def budgets(self) -> tuple[tuple[str, int], ...]:
        """How long a training lasts: fixed epochs, fixed updates, or each."""
        lengths = ((EPOCHS, self.epochs), (UPDATES, self.updates))
        return tuple((name, length) for name, length in lengths if length is not None)

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Make it of ``to_dict``'s plain data, also after a way through JSON; UsageError where it is none."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(plain) - known):
            raise UsageError("study.json", f"settings.{unknown[0]} is unknown", "start a new study")
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
        }
        return cls(**settings)


def _at_least(argument: str, values: Iterable[int | None], least: int, why: str) -> None:
    for value in values:
        if value is not None and value < least:
            raise UsageError(argument, f"{value} is below {least}", why)
