"""A device without a clock: log time of a call = base + placement of the launch + drift + white noise."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.measure.rounds import Rounds


def still(_moment_s: float) -> float:
    """No drift: the machine stays as it is."""
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the seconds of a simulated call are made of; spreads are standard deviations of the log time."""

    base_s: Mapping[str, float]
    placement: float = 0.0
    """Drawn once a launch and name, as code, heap and pages are."""
    white: float = 0.0
    drift: Callable[[float], float] = still
    """Log factor of the whole machine at a moment, s."""

    def launch(self, rng: np.random.Generator) -> "Launch":
        placed = {name: math.log(base_s) + self.placement * rng.normal() for name, base_s in self.base_s.items()}
        return Launch(device=self, log_s=placed, rng=rng)


@dataclass(kw_only=True)
class Launch:
    """One worker: answers batches and lets its own time pass."""

    device: Device
    log_s: Mapping[str, float]
    rng: np.random.Generator
    moment_s: float = 0.0

    def time(self, batches: Sequence[tuple[str, int]]) -> list[float]:
        """Give the seconds of each batch."""
        seconds = []
        for name, calls in batches:
            noise = self.device.white * self.rng.normal() + self.device.drift(self.moment_s)
            seconds.append(calls * math.exp(self.log_s[name] + noise))
            self.moment_s += seconds[-1]
        return seconds


def measure(rounds: Rounds, launch: Launch) -> dict[str, list[float]]:
    """Run rounds to their end on a simulated launch; give the seconds per call, round by round."""
    timings: dict[str, list[float]] = {}
    while (batches := rounds.next()) is not None:
        for (name, calls), seconds in zip(batches, launch.time(batches), strict=True):
            timings.setdefault(name, []).append(seconds / calls)
        rounds.record()
    return timings
