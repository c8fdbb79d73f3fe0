"""Gates assembled from recorded passes and decided by the gate's own judge, with a slowdown added to one cell or all.

Replayed gates share passes, so their count is no number of independent trials: the interval of a rate is a bootstrap
over blocks of the recording, and gates that share nothing are counted beside it, with Clopper and Pearson's interval.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from bench.gate.judge import CONTROL, Judge, Lines
from bench.gate.proof.recording import Recorded, cells_of
from bench.stats.intervals import Interval
from reports.gate_schema import Outcome, Word

_BLOCKS = 10
_RESAMPLES = 2_000
_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """One replayed gate."""

    start: int
    """The pass that it began at."""
    outcome: Outcome
    has_found: bool
    """The slowed cell was called regressed, or all cells together were."""
    passes: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How often something happened, with an interval at 95 %."""

    count: int
    of: int
    interval: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What is added to head's times."""

    slowdown: float
    to_all: bool = False


def one_gate(
    passes: Sequence[Recorded],
    cells: Sequence[str],
    start: int,
    lines: Lines,
    added: Added,
    *,
    budget_s: float,
    rng: random.Random,
) -> Ended:
    """Run a gate over recorded passes from ``start`` on, cyclically; sides are exchanged or not, for the whole gate.

    A pass costs what the visits of the cells that it measured cost when they were recorded.
    """
    slowed = rng.choice(cells)
    sign = rng.choice((1, -1))
    judge, spent_s, longest_s = Judge(cells, lines), 0.0, 0.0
    while (wanted := judge.next) and spent_s + longest_s <= budget_s:
        one = passes[(start + judge.passes) % len(passes)]
        figures = {}
        for cell in (*wanted, CONTROL):
            if (figure := one.figures.get(cell)) is not None:
                is_slowed = cell != CONTROL and (added.to_all or cell == slowed)
                figures[cell] = sign * figure + (math.log1p(added.slowdown) if is_slowed else 0.0)
        judge.feed(figures)
        cost_s = one.wall_s[CONTROL] + sum(one.wall_s.get(key, 0.0) for key in {cell.split(" ")[1] for cell in wanted})
        spent_s += cost_s
        longest_s = max(longest_s, cost_s)
    together = judge.suite is not None and judge.suite.word is Word.REGRESSED
    aimed = cells if added.to_all else (slowed,)
    alone = any(judge.verdicts()[cell].word is Word.REGRESSED for cell in aimed)
    has_found = added.slowdown > 0 and (together or alone)
    return Ended(start=start, outcome=judge.outcome, has_found=has_found, passes=judge.passes, seconds=spent_s)


def many_gates(
    passes: Sequence[Recorded], lines: Lines, added: Added, *, gates: int, budget_s: float, seed: int
) -> list[Ended]:
    """Replay many gates, each from a random pass on."""
    rng = random.Random(f"{seed}:{lines}:{added}")
    starts = [rng.randrange(len(passes)) for _ in range(gates)]
    cells = cells_of(passes)
    return [one_gate(passes, cells, start, lines, added, budget_s=budget_s, rng=rng) for start in starts]


def rate(starts: Sequence[int], happened: Sequence[bool], *, recorded: int, length: float) -> Rate:
    """Give a rate over replayed gates, its interval by a bootstrap over ten blocks of the recording.

    Where nothing (or everything) happened the bootstrap has no spread, and the interval is that of as many gates as
    share no pass.

    Parameters
    ----------
    starts
        The pass that each gate began at.
    happened
        Whether it did, gate by gate.
    recorded
        Passes of the recording.
    length
        Passes of a gate, on average.
    """
    counts = np.zeros((_BLOCKS, 2))
    for start, yes in zip(starts, happened, strict=True):
        counts[start * _BLOCKS // recorded] += (yes, 1)
    share = sum(happened) / len(happened)
    if share in (0.0, 1.0):
        apart = max(1, int(recorded / max(1.0, length)))
        interval = clopper_pearson(round(share * apart), apart)
    else:
        draws = np.random.default_rng(0).integers(0, _BLOCKS, (_RESAMPLES, _BLOCKS))
        sums = counts[draws].sum(axis=1)
        low, high = np.quantile(sums[:, 0] / np.maximum(1, sums[:, 1]), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        interval = Interval(centre=share, low=float(low), high=float(high))
    return Rate(count=sum(happened), of=len(happened), interval=interval)


def clopper_pearson(count: int, of: int) -> Interval:
    """Give the exact interval of a share of independent trials, at 95 %; one-sided at 0 and at all.

    Source: C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.

    >>> round(clopper_pearson(0, 299).high, 4)
    0.01
    """
    is_end = count in (0, of)
    tail = (1 - _LEVEL) if is_end else (1 - _LEVEL) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(1 - tail, count + 1, of - count))
    return Interval(centre=count / of, low=low, high=high)
