"""Does it matter which row of the plugin table computes group norm? Accuracy must not change; time may."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from bench.stats.resampled import resampled
from bench.study import sentences
from bench.study.claim import LEVEL, Claim, accuracy, answered, ends
from bench.study.compared import log_ratios, paired, seed_noise, times_vary
from reports.study_views import reference

EQUIVALENCE_LEVEL = 0.90
"""The interval that lies within the margin where two one-sided tests at 5 % each say so."""
_SETTING = ("option", "batch_size", "budget")


def swaps(rows: pd.DataFrame, overlap: float) -> Iterator[Claim]:
    """Set every implementation against the reference, on the rows of ``compared.comparable``."""
    base = reference(rows)
    names = sorted({str(name) for name in rows["implementation"].dropna()} - {str(base)})
    for name in names:
        yield _same_accuracy(rows, name, str(base), overlap)
        yield _faster(rows, name, str(base))


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
    return accuracy(
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
    timed = pd.concat([new, old])
    # A step's time does not depend on the training data: no correction for what folds share.
    if times_vary(timed):
        of = "pairs of seed and fold"
        result = paired(old, new, over=_SETTING, value="step_s", log=True).interval(0.0, LEVEL, stepped=False)
    else:
        of = "norms and batch sizes"
        result = resampled(log_ratios(old, new), test_over_train=0.0, level=LEVEL)
    figures = [None if one is None else math.exp(one) for one in ends(result)]
    return Claim(
        key="faster",
        question=f"Is a training step faster with {name} than with {base}?",
        answer=answered(result),
        sentence=sentences.faster(result, name, base, of=of),
        unit="ratio",
        estimate=figures[0],
        low=figures[1],
        high=figures[2],
        smallest=figures[3],
        level=LEVEL,
        comparisons=1,
        pairs=0 if result is None else result.pairs,
    )
