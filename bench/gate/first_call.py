"""First calls to verdicts, row by row: a machine's noise in, always-valid intervals out. Pure.

Where the interval of the ratio, valid at any time as the cells' (`judge`), lies above what may be grown, and the
difference is one that somebody waits for, it is a regression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.gate.judge import FIRST_CALL_SHARE
from bench.stats.anytime import anytime_interval
from bench.stats.intervals import Interval
from reports.gate_schema import Word

GRAIN_S = 0.02
"""Nobody waits for less, and a first call that loads and compiles nothing is some tens of microseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstCall:
    """One row's first calls on both sides."""

    word: Word
    base_s: float
    """Geometric mean over starts."""
    head_s: float
    change: Interval
    """Head's over base's."""
    starts: int

    @property
    def is_noticed(self) -> bool:
        """Say whether the difference is one that somebody waits for."""
        return abs(self.head_s - self.base_s) > GRAIN_S


def first_calls(
    seconds: Mapping[str, Sequence[tuple[float, float]]], growth: Mapping[str, float], alpha: float
) -> dict[str, FirstCall]:
    """Judge each row by its first calls, base's and head's of each start.

    Parameters
    ----------
    seconds
        By row.
    growth
        By row: what a first call may grow by.
    alpha
        The gate's; a share of it is divided among the rows.
    """
    level = alpha * FIRST_CALL_SHARE / max(1, len(growth))
    return {row: _judged(pairs, math.log1p(growth[row]), level) for row, pairs in seconds.items() if pairs}


def _judged(pairs: Sequence[tuple[float, float]], reach: float, level: float) -> FirstCall:
    change = anytime_interval([math.log(head / base) for base, head in pairs], level)
    assert change is not None
    base_s, head_s = (math.exp(np.mean([math.log(pair[side]) for pair in pairs])) for side in (0, 1))
    found = FirstCall(word=_word(change, reach), base_s=base_s, head_s=head_s, change=change.exp(), starts=len(pairs))
    return found if found.is_noticed else replace(found, word=Word.UNCHANGED)


def _word(change: Interval, reach: float) -> Word:
    if change.low is None or change.high is None:
        return Word.UNCHANGED
    if change.low > reach:
        return Word.REGRESSED
    return Word.IMPROVED if change.high < -reach else Word.UNCHANGED
