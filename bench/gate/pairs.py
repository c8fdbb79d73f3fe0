"""One cell on both sides, and what a visit says of it. No clock, no process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.gate.sources import BASE, HEAD
from bench.measure.messages import sided
from bench.measure.rounds import FEWEST_ROUNDS
from bench.measure.visited import Visited
from bench.plan.problem import Problem
from bench.stats.paired import log_ratio_of_pass


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One implementation on one problem, base's and head's."""

    problem: Problem
    row: str

    @property
    def key(self) -> str:
        """A name that files and patterns know it by: ``cpp N2-C320-…``."""
        return f"{self.row} {self.problem.key}"

    @property
    def names(self) -> tuple[str, str]:
        """Its rows in a worker."""
        return sided(self.row, BASE), sided(self.row, HEAD)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one pass says of one pair."""

    log_ratio: float
    """Interquartile mean over the rounds of log(head) - log(base): above 0 is slower."""
    base_s: float
    """Median over the rounds of the seconds per call."""
    head_s: float


def figure(visited: Visited, base: str, head: str) -> Figure | None:
    """Give a pass's figure of two names timed as neighbours; None with fewer than three rounds of both."""
    if base not in visited.series or head not in visited.series:
        return None
    base_s, head_s = (visited.series[name].call_seconds() for name in (base, head))
    if min(len(base_s), len(head_s)) < FEWEST_ROUNDS:
        return None
    ratio = log_ratio_of_pass(head_s, base_s)
    assert ratio is not None
    return Figure(log_ratio=ratio, base_s=float(np.median(base_s)), head_s=float(np.median(head_s)))


def by_problem(pairs: Iterable[Pair]) -> Mapping[Problem, Sequence[Pair]]:
    """Gather pairs that are timed in one visit."""
    gathered: dict[Problem, list[Pair]] = {}
    for pair in pairs:
        gathered.setdefault(pair.problem, []).append(pair)
    return gathered
