"""The figures of a pass, paired round by round with the reference's, and what passes together say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.stats.drift import outliers
from bench.stats.intervals import Interval, geometric_interval, interquartile_mean, logs, t_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class PassFigures:
    """What one pass says of one implementation; everything inferred later is computed from these alone."""

    median_s: float
    """Median over the rounds of the seconds per call."""
    log_ratio: float | None
    """Interquartile mean of log(reference) - log(this) over the rounds; above 0 is faster than the reference."""
    rounds: int
    outliers: int


def figures_of_pass(timings: Mapping[str, Sequence[float]], reference: str) -> dict[str, PassFigures]:
    """Give the figures of each implementation from its seconds per call, round by round.

    A name without a round has no figures; without the reference nobody has a ratio.
    """
    reference_s = timings.get(reference, ())
    return {
        name: PassFigures(
            median_s=float(np.median(this_s)),
            log_ratio=log_ratio_of_pass(reference_s, this_s),
            rounds=len(this_s),
            outliers=outliers(this_s),
        )
        for name, this_s in timings.items()
        if len(this_s) > 0
    }


def log_ratio_of_pass(reference_s: Sequence[float], this_s: Sequence[float]) -> float | None:
    """Give the interquartile mean of log(reference) - log(this) over the rounds that both have.

    Paired by round, because both batches of a round meet the same state of the machine: its drift cancels.
    """
    both = min(len(reference_s), len(this_s))
    return interquartile_mean((logs(reference_s[:both]) - logs(this_s[:both])).tolist())


def speedup(log_ratios: Sequence[float]) -> Interval | None:
    """Give the reference's time over this one's: exp of the mean over passes, interval by t over passes."""
    interval = t_interval(log_ratios)
    return interval and interval.exp()


def latency(pass_medians: Sequence[float]) -> Interval | None:
    """Give the geometric mean over passes of each pass's median in seconds, interval by t over passes."""
    return geometric_interval(pass_medians)


def noise_floor(interval: Interval | None) -> float | None:
    """Give the larger distance from 1 of the ends of the twin's interval: below it no winner is one."""
    if interval is None or interval.low is None or interval.high is None:
        return None
    return max(abs(interval.low - 1), abs(interval.high - 1))
