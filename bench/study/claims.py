"""The tutorial's claims, asked of the trials: each a question with an answer, an interval, and a sentence.

Both sides of every comparison have the same seeds and the same splits, so differences are taken seed by seed and fold
by fold (``compared.paired``), and their interval allows for folds that share training data (``stats.resampled``).
Questions that are asked of several batch sizes, or of all numbers of groups, have intervals widened by Bonferroni, so
that all of one family hold together at 95 %. A study at fixed epochs gives a small batch more updates; every question
is therefore asked at fixed epochs and at fixed updates apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.stats.resampled import Resampled
from bench.study import compared, sentences
from bench.study.compared import comparable, paired, seed_noise
from reports.study_views import BUDGETS, of_reference, option_rank, reference

LEVEL = 0.95
EQUIVALENCE_LEVEL = 0.90
"""The interval that lies within the margin where two one-sided tests at 5 % each say so."""
CLAIMED, RIVAL = "group 8", "batch"
"""What the tutorial claims to be better, and than what."""


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
    """Seeds × folds."""
    smallest: float | None
    """True difference that would have shown with a chance of 80 %, in ``unit``."""
    margin: float | None = None
    """Of an equivalence."""
    budget: str | None = None
    batch_size: int | None = None


def claims(trials: pd.DataFrame, test_over_train: float | None = None) -> tuple[Claim, ...]:
    """Ask every question that the trials can be asked.

    Parameters
    ----------
    trials
        One row a trial.
    test_over_train
        Test samples over training samples of a split; from the number of folds where None.
    """
    rows = comparable(trials)
    overlap = compared.overlap(rows) if test_over_train is None else test_over_train
    told = of_reference(rows)
    found: list[Claim] = []
    for budget in BUDGETS:
        part = told[told["budget"] == budget]
        if len(part):
            found += _at_budget(part, budget, overlap)
    found += _more_updates(told, overlap)
    found += _swaps(rows, overlap)
    return tuple(found)


def _at_budget(rows: pd.DataFrame, budget: str, overlap: float) -> Iterator[Claim]:
    at = sentences.AT[budget]
    claimed, rival = (rows[rows["option"] == name] for name in (CLAIMED, RIVAL))
    sides = (sentences.option(CLAIMED), sentences.option(RIVAL))
    sizes = sorted({int(one) for one in claimed["batch_size"]} & {int(one) for one in rival["batch_size"]})
    if sizes:
        result = paired(claimed, rival, over=["batch_size"]).interval(overlap, LEVEL)
        yield _accuracy(
            key="beats",
            question=f"Does {sides[0]} beat {sides[1]}?",
            sentence=sentences.compared(result, sides, at=at, among=_averaged(sizes)),
            found=result,
            budget=budget,
        )
    if len(sizes) > 1:
        for size in sizes:
            yield _at_batch((claimed, rival), budget, size, overlap, len(sizes))
    yield from _best_groups(rows, budget, overlap)
    yield from _small_batch(rows, budget, overlap)


def _at_batch(rows: tuple[pd.DataFrame, pd.DataFrame], budget: str, size: int, overlap: float, family: int) -> Claim:
    first, second = (one[one["batch_size"] == size] for one in rows)
    sides = (sentences.option(CLAIMED), sentences.option(RIVAL))
    result = paired(first, second, over=[]).interval(overlap, _each(family))
    return _accuracy(
        key="beats_at_batch",
        question=f"Does {sides[0]} beat {sides[1]} at batch size {size}?",
        sentence=sentences.compared(
            result, sides, at=f"{sentences.AT[budget]} and batch size {size}", among=_widened(family, "batch sizes")
        ),
        found=result,
        comparisons=family,
        budget=budget,
        batch_size=size,
    )


def _best_groups(rows: pd.DataFrame, budget: str, overlap: float) -> Iterator[Claim]:
    """Set the leader against every other; since any could have led, all pairs count in the widening."""
    grouped = rows[[name.split()[0] in {"layer", "group", "instance"} for name in rows["option"]]]
    names = sorted(grouped["option"].unique(), key=option_rank)
    if len(names) < 2:
        return
    sides = {name: grouped[grouped["option"] == name] for name in names}
    against = {pair: paired(sides[pair[0]], sides[pair[1]], over=["batch_size"]) for pair in _both_ways(names)}
    leader = max(names, key=lambda name: sum(against[name, other].mean for other in names if other != name))
    family = len(names) * (len(names) - 1) // 2
    found = {
        other: result
        for other in names
        if other != leader and (result := against[leader, other].interval(overlap, _each(family))) is not None
    }
    if not found:
        return
    beaten = [name for name, one in found.items() if one.low is not None and one.low > 0]
    equal = [name for name in found if name not in beaten]
    nearest = min(found.values(), key=lambda one: one.centre)
    yield _accuracy(
        key="best_groups",
        question="Is one number of groups the best?",
        sentence=sentences.best(leader, beaten, equal, nearest, at=sentences.AT[budget], pairs=family),
        found=nearest,
        answer="undecided" if equal else "yes",
        comparisons=family,
        budget=budget,
    )


def _small_batch(rows: pd.DataFrame, budget: str, overlap: float) -> Iterator[Claim]:
    claimed = rows[rows["option"] == CLAIMED]
    sizes = sorted({int(one) for one in claimed["batch_size"]})
    if len(sizes) < 2:
        return
    least, most = (claimed[claimed["batch_size"] == size] for size in (sizes[0], sizes[-1]))
    result = paired(least, most, over=[]).interval(overlap, LEVEL)
    who = sentences.option(CLAIMED)
    yield _accuracy(
        key="small_batch",
        question=f"Is {who} more accurate at batch size {sizes[0]} than at {sizes[-1]}?",
        sentence=sentences.compared(
            result, (f"{who} at batch size {sizes[0]}", f"itself at {sizes[-1]}"), at=sentences.AT[budget], among=""
        ),
        found=result,
        budget=budget,
    )


def _more_updates(rows: pd.DataFrame, overlap: float) -> Iterator[Claim]:
    """Ask the tutorial's own confound: what a small batch gains at fixed epochs over what it gains at fixed updates."""
    claimed = rows[rows["option"] == CLAIMED]
    by_budget = [claimed[claimed["budget"] == budget] for budget in BUDGETS]
    sizes = sorted(set.intersection(*({int(one) for one in part["batch_size"]} for part in by_budget)))
    if len(sizes) < 2:
        return
    ends = [part[part["batch_size"].isin([sizes[0], sizes[-1]])] for part in by_budget]
    # Accuracy at the largest batch counts negatively; twice the mean over the two sizes is the difference.
    gains = [
        part.assign(accuracy=part["accuracy"].where(part["batch_size"] == sizes[0], -part["accuracy"]) * 2)
        for part in ends
    ]
    result = paired(gains[0], gains[1], over=["batch_size"]).interval(overlap, LEVEL)
    what = f"the gain of batch size {sizes[0]} over {sizes[-1]}"
    yield _accuracy(
        key="more_updates",
        question="Does a small batch gain by its greater number of updates?",
        sentence=sentences.compared(
            result,
            (f"{what} at fixed epochs", "at fixed updates"),
            at=f"With {sentences.option(CLAIMED)}",
            among="",
            what="large",
        )
        .replace("more large", "larger")
        .replace("less large", "smaller"),
        found=result,
    )


def _swaps(rows: pd.DataFrame, overlap: float) -> Iterator[Claim]:
    base = reference(rows)
    names = sorted({str(name) for name in rows["implementation"].dropna()} - {str(base)})
    for name in names:
        yield _same_accuracy(rows, name, str(base), overlap)
        yield _faster(rows, name, str(base))


_SETTING = ("option", "batch_size", "budget")


def _same_accuracy(rows: pd.DataFrame, name: str, base: str, overlap: float) -> Claim:
    new, old = (rows[rows["implementation"] == one] for one in (name, base))
    result = paired(new, old, over=_SETTING).interval(overlap, EQUIVALENCE_LEVEL)
    margin = seed_noise(old)
    answer = "undecided"
    if result is not None and result.low is not None and result.high is not None and margin is not None:
        if max(-result.low, result.high) <= margin:
            answer = "yes"
        elif max(result.low, -result.high) > margin:
            answer = "no"
    return _accuracy(
        key="same_accuracy",
        question=f"Does {name} in place of {base} leave accuracy as it was?",
        sentence=sentences.swapped(result, name, base, margin=margin, answer=answer),
        found=result,
        answer=answer,
        level=EQUIVALENCE_LEVEL,
        margin=margin,
    )


def _faster(rows: pd.DataFrame, name: str, base: str) -> Claim:
    new, old = (rows[rows["implementation"] == one] for one in (name, base))
    pairs = paired(old, new, over=_SETTING, value="step_s", log=True)
    result = pairs.interval(0.0, LEVEL, stepped=False)  # a step's time does not depend on the training data
    ends = [None if one is None else math.exp(one) for one in _ends(result)]
    return Claim(
        key="faster",
        question=f"Is a training step faster with {name} than with {base}?",
        answer=_answer(result),
        sentence=sentences.faster(result, name, base),
        unit="ratio",
        estimate=ends[0],
        low=ends[1],
        high=ends[2],
        smallest=ends[3],
        level=LEVEL,
        comparisons=1,
        pairs=0 if result is None else result.pairs,
    )


def _accuracy(
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
    estimate, low, high, smallest = _ends(found)
    return Claim(
        key=key,
        question=question,
        answer=answer or _answer(found),
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


def _ends(found: Resampled | None) -> tuple[float | None, float | None, float | None, float | None]:
    return (None,) * 4 if found is None else (found.centre, found.low, found.high, found.smallest)


def _answer(found: Resampled | None) -> str:
    if found is None or found.low is None or found.high is None:
        return "undecided"
    return "yes" if found.low > 0 else "no" if found.high < 0 else "undecided"


def _each(family: int) -> float:
    return 1 - (1 - LEVEL) / family


def _both_ways(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    return itertools.permutations(names, 2)


def _averaged(sizes: Sequence[int]) -> str:
    return f", batch sizes {sentences.listed(sizes)} averaged" if len(sizes) > 1 else f", batch size {sizes[0]}"


def _widened(family: int, what: str) -> str:
    return f" (interval widened by Bonferroni for {family} {what})"
