"""The first call of a row in a fresh process: what loading, compiling and planning cost, base's beside head's.

A start opens and checks the row's smallest problem, and times nothing else: some tenths of a second. Rows that look
equal are left after a few; a suspect gets as many as a verdict takes (`first_call`), for which any choice is allowed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bench.executors.base import Executor
from bench.gate.first_call import FirstCall, first_calls
from bench.gate.pairs import Pair
from bench.measure.visited import Visit
from reports.gate_schema import Word

_FEWEST, _MOST = 3, 18
Past = Mapping[str, Sequence[tuple[float, float]]]
Seconds = dict[str, list[tuple[float, float]]]
"""By row: base's and head's first calls, start by start."""


@dataclass(frozen=True, kw_only=True)
class Starts:
    """Starts fresh workers and calls each row once on both sides."""

    executor: Executor
    like: Visit
    """The visit to make, but for its problem and names."""
    growth: Mapping[str, float]
    """By row: what a first call may grow by."""
    alpha: float
    ends: float
    """Of ``time.perf_counter``."""

    def made(self, pairs: Sequence[Pair], past: Past = MappingProxyType({})) -> Seconds:
        """Give each row's first calls, on the smallest of its cells, those of before a resume first."""
        smallest = {pair.row: pair for pair in sorted(pairs, key=lambda pair: -pair.problem.minimum_bytes)}
        seconds = {row: list(past.get(row, ())) for row in smallest}
        for number in range(_MOST):
            found = first_calls(seconds, self.growth, self.alpha)
            open_ = [
                pair
                for row, pair in smallest.items()
                if _is_open(found.get(row), self.growth[row], max(number, len(seconds[row])))
            ]
            if not open_ or time.perf_counter() >= self.ends:
                break
            self._start(number, open_, seconds)
        return seconds

    def _start(self, number: int, pairs: Sequence[Pair], seconds: Seconds) -> None:
        reference = self.like.reference  # called first, it pays for what all of torch's calls need
        names = [name for pair in pairs for name in pair.names]
        launch = self.executor.begin_pass(sorted({*names, reference}))
        for pair in pairs:
            plan = replace(
                self.like,
                problem=pair.problem,
                names=(reference, *pair.names),
                pass_=number,
                launch=launch,
                rounds=0,
                companions=(),
            )
            cells = self.executor.visit(plan).cells
            base, head = (cells[name].checked for name in pair.names)
            if base and head and base.first_call_s and head.first_call_s:
                seconds[pair.row].append((base.first_call_s, head.first_call_s))


def _is_open(found: FirstCall | None, growth: float, starts: int) -> bool:
    """Say whether a row wants another start: few were made, or it looks slower than it may and is not condemned yet."""
    if starts < _FEWEST:
        return True
    if found is None or found.word is not Word.UNCHANGED or not found.is_noticed:
        return False
    return found.head_s > found.base_s * (1 + growth)
