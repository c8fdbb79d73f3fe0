"""A claim as a record: a question, its answer, the figures behind it, and a sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bench.stats.resampled import Resampled

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A question that the study answers."""

    key: str
    """What is asked: ``beats``, ``beats_at_batch``, ``best_groups``, ``small_batch``, ``more_updates``,
    ``same_accuracy`` or ``faster``."""
    question: str
    answer: str
    """yes, no or undecided."""
    sentence: str
    unit: str
    """``accuracy``: estimate and ends are differences of accuracies (0.01 is one point). ``ratio``: of times."""
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    """At which the intervals of the whole family hold together."""
    comparisons: int
    """Size of the family."""
    pairs: int
    """Seeds × folds; of ``faster`` norms × batch sizes where each was timed once for all its trials."""
    smallest: float | None
    """True difference that would have shown with a chance of 80 %, in ``unit``."""
    margin: float | None = None
    """Of an equivalence."""
    budget: str | None = None
    batch_size: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the claim as a report takes it."""
        return asdict(self)


def accuracy(
    *,
    key: str,
    question: str,
    sentence: str,
    found: Resampled | None,
    answer: str | None = None,
    level: float = LEVEL,
    comparisons: int = 1,
    margin: float | None = None,
    budget: str | None = None,
    batch_size: int | None = None,
) -> Claim:
    """Make a claim of a difference of accuracies; ``answer`` where it is not told by the interval's side of 0."""
    estimate, low, high, smallest = ends(found)
    return Claim(
        key=key,
        question=question,
        answer=answer or answered(found),
        sentence=sentence,
        unit="accuracy",
        estimate=estimate,
        low=low,
        high=high,
        smallest=smallest,
        level=level,
        comparisons=comparisons,
        pairs=0 if found is None else found.pairs,
        margin=margin,
        budget=budget,
        batch_size=batch_size,
    )


def ends(found: Resampled | None) -> tuple[float | None, float | None, float | None, float | None]:
    """Give the estimate, the ends of its interval, and the smallest difference that would have shown."""
    return (None,) * 4 if found is None else (found.centre, found.low, found.high, found.smallest)


def answered(found: Resampled | None) -> str:
    """Say yes where the interval is above 0, no where it is below, else undecided."""
    if found is None or found.low is None or found.high is None:
        return "undecided"
    return "yes" if found.low > 0 else "no" if found.high < 0 else "undecided"
