"""How far apart equal work is measured on this machine right now.

The measurement in small: two sides of the same work take turns in rounds, and each of six windows gives one figure,
the interquartile mean of their log ratios, as a pass does (``stats.paired``). Every window has fresh memory. What is
missing of a real run is the fresh process, so the figure is the least that a run will see. No torch: numpy copies and
sines, on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.doctor.watch import Disturbance, between, read
from bench.stats import paired

SECONDS = 2.4
"""With 0.3 s of spins and half a second of looking around, an examination takes 3 s."""
WINDOWS = 6
_LEAST_ROUNDS = 5
_COPIED_ITEMS = 1 << 19
"""4 MiB of float64, 8 MiB with what it is copied to: beyond the second-level cache of a core."""
_SINES = 1 << 11
"""16 KiB: within the first-level cache, so that nothing but arithmetic is timed."""
_BATCH_S = 2.5e-3
"""As long as a batch of a run."""

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Equal work of one kind, measured against itself."""

    floor: float | None
    """The larger distance from 1 of the ends of the interval of the ratio, which is truly 1."""
    spread: float
    """The 95th percentile of a batch's time over the median, less 1."""
    median_s: float
    """Of a call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What was measured, and what disturbed it."""

    memory: Spread
    arithmetic: Spread
    disturbance: Disturbance

    @property
    def floor(self) -> float | None:
        """Give the larger of the two floors; None where one is missing."""
        floors = (self.memory.floor, self.arithmetic.floor)
        return None if None in floors else max(floor for floor in floors if floor is not None)


def measure(seconds: float = SECONDS) -> Noise:
    """Measure equal work against itself for so long."""
    before = read()
    rng = np.random.default_rng(0)
    windows = [_window(_sides(rng), seconds / WINDOWS, rng) for _ in range(WINDOWS)]
    disturbance = between(before, read())
    return Noise(
        memory=spread([window["copy"] for window in windows]),
        arithmetic=spread([window["sine"] for window in windows]),
        disturbance=disturbance,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """Seconds a call of the two sides in one window, round by round."""

    first_s: list[float]
    second_s: list[float]


def spread(windows: Sequence[Both]) -> Spread:
    """Say how far apart two equal sides are, over all windows."""
    ratios = [paired.log_ratio_of_pass(window.first_s, window.second_s) for window in windows]
    times = np.concatenate([[*window.first_s, *window.second_s] for window in windows])
    median = float(np.median(times))
    return Spread(
        floor=paired.noise_floor(paired.speedup([ratio for ratio in ratios if ratio is not None])),
        spread=float(np.quantile(times, 0.95)) / median - 1,
        median_s=median,
    )


def _sides(rng: np.random.Generator) -> dict[str, tuple[Work, Work]]:
    """Make the two sides of each kind of work, each in memory of its own."""

    def copying() -> Work:
        source, target = rng.random(_COPIED_ITEMS), np.empty(_COPIED_ITEMS)
        return lambda: np.copyto(target, source)

    def sines() -> Work:
        angles, target = rng.random(_SINES), np.empty(_SINES)
        return lambda: np.sin(angles, out=target)

    return {"copy": (copying(), copying()), "sine": (sines(), sines())}


def _window(sides: Mapping[str, tuple[Work, Work]], seconds: float, rng: np.random.Generator) -> dict[str, Both]:
    end = time.perf_counter() + seconds
    found = {kind: Both(first_s=[], second_s=[]) for kind in sides}
    calls = {kind: _calls(pair[0]) for kind, pair in sides.items()}
    for kind, pair in sides.items():
        _batch_s(pair[1], calls[kind])  # warm, as the first side is by now
    rounds = 0
    while rounds < _LEAST_ROUNDS or time.perf_counter() < end:
        rounds += 1
        for kind, (first, second) in sides.items():
            turns = [(first, found[kind].first_s), (second, found[kind].second_s)]
            for work, seconds_s in turns if rng.random() < 0.5 else turns[::-1]:
                seconds_s.append(_batch_s(work, calls[kind]) / calls[kind])
    return found


def _calls(work: Work) -> int:
    """Choose the calls of a batch by the fastest of three single calls."""
    return max(1, round(_BATCH_S / max(min(_batch_s(work, 1) for _ in range(3)), 1e-7)))


def _batch_s(work: Work, calls: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(calls):
        work()
    return (time.perf_counter_ns() - start) / 1e9
