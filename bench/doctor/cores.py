"""The clock and the cores: how fine the one is, how equal and how steady the others."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bench.doctor.findings import Finding, Level

_PROBE_S = 0.15
"""How long a core is watched: some 2000 spins, and 0.3 s for two cores."""
_STEADY = 0.1
"""Spread of equal work beyond which to warn. The idle cores of one machine differed by 15 % at times."""
_COARSE_CLOCK_S = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Spin:
    """How steadily one core did the same arithmetic again and again."""

    core: int | None
    """None where the system pins no thread to a core."""
    median_s: float
    spread: float
    """The 95th percentile over the median, less 1."""


def clock_step_s() -> float:
    """Give the smallest step that ``time.perf_counter_ns`` makes, reading it included."""
    readings = [time.perf_counter_ns() for _ in range(20_000)]
    return min(after - before for before, after in pairwise(readings) if after > before) / 1e9


def spin(core: int | None, seconds: float = _PROBE_S) -> Spin:
    """Repeat the same arithmetic on one core and watch how its time varies; where the thread ran before is restored."""
    before = os.sched_getaffinity(0) if core is not None else None
    try:
        if core is not None:
            os.sched_setaffinity(0, {core})
        took = list(_spins(seconds))
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
    median = statistics.median(took)
    return Spin(core=core, median_s=median, spread=statistics.quantiles(took, n=20)[-1] / median - 1)


def _spins(seconds: float) -> Iterator[float]:
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        sum(range(4000))  # about 50 µs: far above the clock's step, far below a time slice
        yield time.perf_counter() - start


def cores_to_probe() -> list[int | None]:
    """Choose the first and the last core that may be used: those most likely to differ in kind."""
    if not hasattr(os, "sched_getaffinity"):
        return [None]
    usable = sorted(os.sched_getaffinity(0))
    return list({usable[0]: None, usable[-1]: None})


def judge_clock(step_s: float) -> Iterator[Finding]:
    """Judge how fine the clock is."""
    what = f"the clock's smallest step is {step_s * 1e9:.0f} ns"
    if step_s > _COARSE_CLOCK_S:
        why = "short kernels need long batches to be told apart"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="choose a finer clock source for the system")
    else:
        yield Finding(level=Level.OK, what=what)


def judge_spins(spins: tuple[Spin, ...]) -> Iterator[Finding]:
    """Judge whether each core is steady, and whether they are equal."""
    worst = max(spins, key=lambda one: one.spread)
    where = "" if worst.core is None else f" on core {worst.core}"
    what = f"equal work varies by {worst.spread:.0%}{where}"
    if worst.spread > _STEADY:
        why = "something else wants the core, or its clock moves"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="stop other programs and fix the clock")
    else:
        yield Finding(level=Level.OK, what=what)
    fastest, slowest = (choose(spins, key=lambda one: one.median_s) for choose in (min, max))
    apart = slowest.median_s / fastest.median_s - 1
    if apart > _STEADY:
        what = f"core {slowest.core} is {apart:.0%} slower than core {fastest.core}"
        why = "where a process lands then decides its time"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="keep to equal cores, for example with taskset")
