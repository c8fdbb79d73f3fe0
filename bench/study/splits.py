"""Who trains, who validates, who tests: stratified, drawn by seed, and the same for every normalization.

The validation part is set aside first, once for the whole study: it is in no fold. A learning rate chosen on it has
seen no test image of any fold; were it cut from each fold's training part, the images that chose a rate would test
it in the other folds. The rest is dealt into folds anew for each seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

VALIDATION_SHARE = 0.15


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Split:
    """Places in the data, each part sorted; no place is in two."""

    train: Places
    validation: Places
    test: Places


def split(labels: NDArray[np.uint8], *, study_seed: int, seed: int, folds: int, fold: int) -> Split:
    """Draw a split.

    Parameters
    ----------
    labels
        (N,)
    study_seed
        Draws the validation part.
    seed, folds, fold
        Deal what is left into ``folds`` parts; number ``fold`` is the test part.
    """
    aside = np.random.default_rng((study_seed, 1))
    dealt = np.random.default_rng((study_seed, 2, seed))
    parts: dict[str, list[Places]] = {"train": [], "validation": [], "test": []}
    for label in range(int(labels.max()) + 1):
        places = aside.permutation(np.flatnonzero(labels == label))
        many = max(1, round(VALIDATION_SHARE * len(places)))
        parts["validation"].append(places[:many])
        rest = dealt.permutation(np.sort(places[many:]))
        # Each class begins with another fold: remainders would otherwise all fall to the first folds.
        of_fold = (np.arange(len(rest)) + label) % folds
        parts["test"].append(rest[of_fold == fold])
        parts["train"].append(rest[of_fold != fold])
    return Split(**{name: np.sort(np.concatenate(places)) for name, places in parts.items()})
