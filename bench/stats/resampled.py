"""Intervals of mean differences over seeds × folds, whose pairs are not independent: folds share training data.

Of J differences with standard deviation s, each taken on ``test`` samples after training on ``train`` others, the
mean has about the variance

    (1 / J + test / train) · s²

and not s² / J: any two of the trainings have most of their samples in common, so that their differences move
together. Source: C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003)
239-281; over repeated folds: R. R. Bouckaert and E. Frank, "Evaluating the Replicability of Significance Tests for
Comparing Learning Algorithms", PAKDD 2004. With k folds test / train is 1 / (k - 1).

That variance has J - 1 degrees of freedom only while every pair tells something of its own. Where a difference is one
of the fold (every seed meets it again) or of the seed, J counts too many: of simulated 95 % intervals over 3 × 3 to
10 × 5 pairs 84 to 94 % held the truth. So the mean's interval by Student's t over the folds' means, and over the
seeds', is made as well, and the widest of the three is given: 94 to 100 % held it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

POWER = 0.8
"""Chance of seeing the smallest difference that ``Resampled.smallest`` names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """A mean difference over J pairs, its interval, and what the pairs could have shown."""

    centre: float
    pairs: int
    level: float
    error: float | None = None
    """Standard error of the mean, corrected; None of one pair."""
    low: float | None = None
    high: float | None = None
    smallest: float | None = None
    """The true difference whose interval leaves out 0 with a chance of ``POWER``."""


def resampled(
    differences: Sequence[float],
    *,
    test_over_train: float,
    clusters: Sequence[Sequence[Hashable]] = (),
    level: float = 0.95,
    resolution: float = 0.0,
) -> Resampled | None:
    """Give the mean of paired differences and its interval by the corrected resampled t-test, or a wider one.

    Parameters
    ----------
    differences
        One a pair of seed and fold.
    test_over_train
        Test samples over training samples of a fold; 0 where the pairs share no training data.
    clusters
        What pairs have in common: each a label a pair, such as its seed or its fold.
    level
        Of the interval.
    resolution
        The step in which a figure can move, such as one test sample in all. Figures rounded to steps may agree by
        chance; s is taken to be at least the spread of rounding, ``resolution / √12``.

    Returns
    -------
    Resampled or None
        None without a difference; no interval of a single one.

    Raises
    ------
    ValueError
        A ratio or a level that none can be.

    Examples
    --------
    >>> round(resampled([1.0, 2.0, 3.0], test_over_train=0.25).high, 2), resampled([1.0], test_over_train=0.25).high
    (5.29, None)
    """
    if not (test_over_train >= 0 and math.isfinite(test_over_train)):
        raise ValueError(f"test_over_train = {test_over_train} is neither 0 nor positive")
    if not 0 < level < 1:
        raise ValueError(f"level = {level} is not between 0 and 1")
    pairs = len(differences)
    if pairs == 0:
        return None
    centre = float(np.mean(differences))
    if pairs == 1:
        return Resampled(centre=centre, pairs=1, level=level)
    floor = resolution / math.sqrt(12)
    deviation = max(float(np.std(differences, ddof=1)), floor)
    errors = [_Error(size=deviation * math.sqrt(1 / pairs + test_over_train), freedom=pairs - 1)]
    errors += [_over_means(differences, labels, floor) for labels in clusters if 1 < len(set(labels)) < pairs]
    widest = max(errors, key=lambda one: one.reach(level))
    reach = widest.reach(level)
    return Resampled(
        centre=centre,
        pairs=pairs,
        level=level,
        error=widest.size,
        low=centre - reach,
        high=centre + reach,
        smallest=reach + float(stdtrit(widest.freedom, POWER)) * widest.size,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Error:
    size: float
    freedom: int

    def reach(self, level: float) -> float:
        return float(stdtrit(self.freedom, (1 + level) / 2)) * self.size


def _over_means(differences: Sequence[float], labels: Sequence[Hashable], floor: float) -> _Error:
    """Give the standard error of the mean over what has a label in common, each such mean counted once."""
    gathered: dict[Hashable, list[float]] = {}
    for label, difference in zip(labels, differences, strict=True):
        gathered.setdefault(label, []).append(difference)
    deviation = max(float(np.std([np.mean(one) for one in gathered.values()], ddof=1)), floor)
    return _Error(size=deviation / math.sqrt(len(gathered)), freedom=len(gathered) - 1)
