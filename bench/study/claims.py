"""The tutorial's claims, asked of the trials: each a question with an answer, an interval, and a sentence.

Both sides of every comparison have the same seeds and the same splits, so differences are taken seed by seed and fold
by fold (``compared.paired``), and their interval allows for folds that share training data (``stats.resampled``).
Questions that are asked of several batch sizes, or of all numbers of groups, have intervals widened by Bonferroni, so
that all of one family hold together at 95 %. A study at fixed epochs gives a small batch more updates; every question
is therefore asked at fixed epochs and at fixed updates apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pandas as pd

from bench.study import compared, sentences
from bench.study.claim import LEVEL, Claim, accuracy
from bench.study.compared import comparable, paired
from bench.study.swaps import swaps
from reports.study_views import BUDGETS, of_reference, option_rank

CLAIMED, RIVAL = "group 8", "batch"
"""What the tutorial claims to be better, and than what."""


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
    found += swaps(rows, overlap)
    return tuple(found)


def _at_budget(rows: pd.DataFrame, budget: str, overlap: float) -> Iterator[Claim]:
    at = sentences.AT[budget]
    claimed, rival = (rows[rows["option"] == name] for name in (CLAIMED, RIVAL))
    sides = (sentences.option(CLAIMED), sentences.option(RIVAL))
    sizes = sorted({int(one) for one in claimed["batch_size"]} & {int(one) for one in rival["batch_size"]})
    if sizes:
        result = paired(claimed, rival, over=["batch_size"]).interval(overlap, LEVEL)
        yield accuracy(
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
    return accuracy(
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
    yield accuracy(
        key="best_groups",
        question="Is one number of groups the best?",
        sentence=sentences.best(leader, beaten, equal, nearest, at=sentences.AT[budget], family=family),
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
    yield accuracy(
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
    yield accuracy(
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


def _each(family: int) -> float:
    return 1 - (1 - LEVEL) / family


def _both_ways(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    return itertools.permutations(names, 2)


def _averaged(sizes: Sequence[int]) -> str:
    return f", batch sizes {sentences.listed(sizes)} averaged" if len(sizes) > 1 else f", batch size {sizes[0]}"


def _widened(family: int, what: str) -> str:
    return f" (interval widened by Bonferroni for {family} {what})"
