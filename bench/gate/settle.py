"""What a gate settles before its first pass: cells that both sides compute, exact figures, first calls, kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.devices.environment import default_cache
from bench.events import Listener, RunStarted
from bench.executors.local import LocalExecutor
from bench.executors.selection import refuse_unusable
from bench.gate import compiled
from bench.gate.asked import Asked, Settled
from bench.gate.callgrind import Counting, valgrind
from bench.gate.candidate import Candidate
from bench.gate.exact import Exact
from bench.gate.prepare import Preparation, places, rows_of
from bench.gate.sources import Sides
from bench.gate.starts import Past, Seconds, Starts
from bench.measure.messages import Loaded
from bench.measure.visited import Visit
from bench.plan.problem import Problem

_SHARE_S = 0.3
"""Of a visit: how much may be lost to disturbed batches follows from it."""


def visit_of(asked: Asked, problem: Problem, clock_s: float) -> Visit:
    """Give a visit as all of a gate's are, of no row yet; ``clock_s`` is the clock's resolution to be lived with, s."""
    settings = asked.settings
    return Visit(
        problem=problem,
        names=(),
        reference=settings.reference,
        pass_=0,
        launch=0,
        seed=settings.seed,
        cold=(settings.cache or default_cache(asked.sweep.device)) == "cold",
        share_s=_SHARE_S,
        clock_s=clock_s,
        timeout_s=settings.cell_timeout_s,
        weighs=False,
        timer=settings.timer,
        companions=(),
        is_paired=True,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settling:
    """Settles a gate by workers that hold both sides."""

    asked: Asked
    sides: Sides
    executor: LocalExecutor
    listener: Listener
    path: Path
    """The gate's folder, to tell the listener."""
    ends: float
    """Of ``time.perf_counter``."""
    warn: Callable[[str], object]

    def settled(self, table: Loaded, problems: Sequence[Problem], *, apart: bool) -> Settled:
        """Find what both sides can compute, and all that is exact."""
        refuse_unusable(self.asked.sweep.device, table)
        chosen = rows_of(table.rows, self.sides, self.asked.settings)
        other = [name for name in chosen if self.asked.measure_equal or self.sides.differ_in(name)]
        self._started(problems, other)
        like = visit_of(self.asked, problems[0], 2 * table.resolution_s)
        preparation = self._preparation(table, like, apart=apart)
        candidates = preparation.made(problems, other) if other else []
        return Settled(
            candidates=candidates,
            starts=self._starts(candidates, like, {}),
            kernels=self._kernels(table, problems),
            same=[name for name in chosen if name not in other],
            places=places(table.rows, chosen, self.sides),
            clock_s=like.clock_s,
            apart=apart,
        )

    def completed(self, settled: Settled) -> Settled:
        """Prepare what the budget did not come to; fewer cells than thought leave each more of alpha."""
        like = visit_of(self.asked, settled.candidates[0].pair.problem, settled.clock_s)
        unreached = [one for one in settled.candidates if one.is_unreached]
        if unreached:
            problems = list(dict.fromkeys(one.pair.problem for one in unreached))
            names = list(dict.fromkeys(one.pair.row for one in unreached))
            preparation = self._preparation(self.executor.table(), like, apart=settled.apart)
            found = {one.pair.key: one for one in preparation.made(problems, names)}
            settled = replace(settled, candidates=[found.get(one.pair.key, one) for one in settled.candidates])
        return replace(settled, starts=self._starts(settled.candidates, like, settled.starts))

    def _started(self, problems: Sequence[Problem], names: Sequence[str]) -> None:
        self.listener.run_started(
            RunStarted(
                path=self.path,
                problems=len(problems) if names else 0,
                implementations=tuple(names),
                visits=0,
                budget_s=self.asked.settings.budget_s,
            )
        )

    def _starts(self, candidates: Sequence[Candidate], like: Visit, past: Past) -> Seconds:
        pairs = [one.pair for one in candidates if one.word is None and one.is_timed]
        policy = self.asked.policy
        starts = Starts(
            executor=self.executor,
            like=like,
            growth=policy.first_call_growth(sorted({pair.row for pair in pairs})),
            alpha=policy.lines.alpha,
            ends=self.ends,
        )
        return starts.made(pairs, past)

    def _preparation(self, table: Loaded, like: Visit, *, apart: bool) -> Preparation:
        is_counted = self.asked.instructions and like.problem.device == "cpu" and valgrind() is not None
        counting = Counting(sides=self.sides, apart=apart, warn=self.warn) if is_counted else None
        return Preparation(executor=self.executor, table=table.rows, like=like, ends=self.ends, counting=counting)

    def _kernels(self, table: Loaded, problems: Sequence[Problem]) -> list[tuple[str, Exact]]:
        if self.sides.of_plugins or not self.asked.architectures:
            return []
        settings = self.asked.settings
        known = {row.name for row in table.rows}
        rows = [
            row
            for row in compiled.ROWS
            if all(name in known for name in (f"{row}@base", f"{row}@head"))
            and (not settings.impl or row in settings.impl)
            and row not in settings.exclude
        ]
        inspection = compiled.Inspection(
            executor=self.executor, sides=self.sides, architectures=self.asked.architectures, warn=self.warn
        )
        return [*inspection.resources(rows), *inspection.launches(rows, problems)]
