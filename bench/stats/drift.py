"""What is odd in a series of times: outliers, spread within and between passes, memory and trend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.stats.intervals import logs, relative_spread
from bench.stats.trend import trend

_FENCE = 3.0  # interquartile ranges: Tukey's "far out", 1 in 400,000 of normal values
_NOTABLE = 2.576  # standard errors: chance alone passes it in 1 of 100 series


def outliers(values: Sequence[float]) -> int:
    """Count the values beyond three interquartile ranges of their quartiles; none is ever removed."""
    if len(values) == 0:
        return 0
    first, third = np.quantile(values, (0.25, 0.75))
    reach = _FENCE * (third - first)
    array = np.asarray(values)
    return int(np.count_nonzero((array < first - reach) | (array > third + reach)))


def spread_between(pass_medians: Sequence[float]) -> float | None:
    """Give the relative standard deviation of the passes' medians."""
    return relative_spread(pass_medians)


def spread_within(passes: Sequence[Sequence[float]]) -> float | None:
    """Give the relative standard deviation of rounds about their own pass's mean, pooled over the passes."""
    series = [logs(rounds) for rounds in passes if len(rounds) > 1]
    if not series:
        return None
    squares = sum(float(np.sum((one - one.mean()) ** 2)) for one in series)
    return math.sqrt(squares / sum(one.size - 1 for one in series))


def autocorrelation(values: Sequence[float]) -> float | None:
    """Give the lag-1 autocorrelation, or None for fewer than three values or equal ones."""
    if len(values) < 3:
        return None
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
    total = float(centred @ centred)
    return float(centred[1:] @ centred[:-1]) / total if total > 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """How a series of times moved."""

    autocorrelation: float | None
    trend: float
    """Kendall's rank correlation with time, -1 (always falling) to 1 (always rising)."""
    word: str | None
    """``slower with time``, ``faster with time`` or ``moves slowly``; None where nothing is notable."""


def drift(values: Sequence[float]) -> Drift | None:
    """Look for a trend by the test of Mann (1945) and Kendall, and for memory from one value to the next.

    For n values without trend S, the pairs that rise minus those that fall, has variance n (n - 1) (2 n + 5) / 18.
    Six values that rise throughout are notable; fewer never are. None for fewer than three values.
    """
    n = len(values)
    if n < 3:
        return None
    balance = trend(values)
    memory = autocorrelation(values)
    error = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    word = None
    if abs(balance) - 1 > _NOTABLE * error:  # 1 is the correction for S being a whole number
        word = "slower with time" if balance > 0 else "faster with time"
    elif memory is not None and memory * math.sqrt(n) > _NOTABLE:
        word = "moves slowly"
    return Drift(autocorrelation=memory, trend=balance / (n * (n - 1) / 2), word=word)
