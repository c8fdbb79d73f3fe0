"""Bias, coverage and resolution of intervals whose truth is known. Numbers in, numbers out.

The intervals are the engine's own (``stats.paired.speedup``), assembled from many recorded passes: each takes as many
passes as a run makes at least, and as a run does, from whole launches, since passes of one launch share its placement
of torch's code. Every choice of launches is taken once (or a random part of them where they are too many). These
intervals overlap: they estimate the coverage without bias, but not with the certainty of as many independent ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from scipy.special import betaincinv

from bench.stats import paired
from bench.stats.intervals import Interval

_MOST_INTERVALS = 3000
"""A pair's: beyond it more choices of the same launches say nothing new, and each costs 50 µs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How many of many, with the Clopper-Pearson interval of the share, honest about how many were independent."""

    held: int
    of: int
    independent: int
    """How many of them could be made without using a pass twice."""
    low: float
    """Ends of the 95 % interval, as if only the independent ones had been made."""
    high: float

    @property
    def share(self) -> float:
        """Give the share itself, 0 to 1."""
        return self.held / self.of


def clopper_pearson(held: float, of: int, level: float = 0.95) -> tuple[float, float]:
    """Give the exact interval of a binomial share (Clopper and Pearson, Biometrika 26, 1934), ends included.

    ``held`` may be a fraction of a count, as when a share of many is scaled to the number of independent ones.

    >>> clopper_pearson(0, 10)[0], round(clopper_pearson(0, 10)[1], 4)
    (0.0, 0.3085)
    """
    if not 0 <= held <= of or of < 1:
        raise ValueError(f"{held} of {of} is no share")
    tail = (1 - level) / 2
    low = 0.0 if held == 0 else float(betaincinv(held, of - held + 1, tail))
    high = 1.0 if held == of else float(betaincinv(held + 1, of - held, 1 - tail))
    return low, high


def share_of(held: Sequence[bool], independent: int) -> Share | None:
    """Count who held; None where there is nothing to count."""
    if not held or independent < 1:
        return None
    count, of = sum(held), len(held)
    independent = min(independent, of)
    low, high = clopper_pearson(count / of * independent, independent)
    return Share(held=count, of=of, independent=independent, low=low, high=high)


def launches_for(by_launch: Sequence[Sequence[float]], passes: int) -> int:
    """Say how many launches an interval of ``passes`` passes needs, as many as the fullest one has."""
    return math.ceil(passes / max(len(one) for one in by_launch))


def whole(by_launch: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Leave out a launch that was cut short: its intervals would be wider than a run's."""
    most = max((len(one) for one in by_launch), default=0)
    return [one for one in by_launch if len(one) == most and most]


def assembled(by_launch: Sequence[Sequence[float]], passes: int, rng: random.Random) -> list[Interval]:
    """Assemble intervals of one pair's speed-up.

    Parameters
    ----------
    by_launch
        The log ratio of each pass, launch by launch, all launches of equal length.
    passes
        Least passes of an interval.
    rng
        Chooses where there are more than 3000 choices of launches.
    """
    if not by_launch:
        return []
    size = launches_for(by_launch, passes)
    chosen = (
        list(combinations(by_launch, size))
        if math.comb(len(by_launch), size) <= _MOST_INTERVALS
        else [tuple(rng.sample(by_launch, size)) for _ in range(_MOST_INTERVALS)]
    )
    found = (paired.speedup(list(chain.from_iterable(launches))) for launches in chosen)
    return [interval for interval in found if interval is not None and interval.low is not None]


def independent_of(by_launch: Sequence[Sequence[float]], passes: int) -> int:
    """Say how many intervals can be made without using a pass twice."""
    return len(by_launch) // launches_for(by_launch, passes) if by_launch else 0


def holds(interval: Interval, truth: float) -> bool:
    """Say whether an interval holds a value; one without ends holds nothing."""
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def relative_bias(measured: float, truth: float) -> float:
    """Give the relative distance from the truth, signed."""
    return measured / truth - 1
