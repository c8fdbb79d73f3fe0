"""Pass after pass on fresh workers, fed to the judge and written down, until all is said or the budget is spent."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.events import Listener, Progress
from bench.executors.base import Executor
from bench.gate.candidate import reason_of, verdict_of
from bench.gate.judge import CONTROL, Judge
from bench.gate.pairs import Figure, Pair, by_problem, figure
from bench.measure.messages import TWIN
from bench.measure.visited import BATCH_S, Visit, Visited
from bench.plan.problem import Problem
from bench.plan.visits import order
from reports.gate_schema import Word

_ROUNDS, _FOCUSED_ROUNDS = 6, 12
_FEW = 6
"""Cells: with no more than these a pass costs little beside the start of its worker, and gets more rounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """A cell that fell out after the first pass."""

    word: Word
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What one pass came to: plain data, as the journal keeps it."""

    figures: Mapping[str, Figure]
    """By cell; the control's among them."""
    left: Mapping[str, Left]
    seconds: float
    """Wall time."""

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return {
            "figures": {key: [one.log_ratio, one.base_s, one.head_s] for key, one in self.figures.items()},
            "left": {key: [str(one.word), one.reason] for key, one in self.left.items()},
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Pass:
        """Read what ``to_dict`` gave."""
        return cls(
            figures={
                key: Figure(log_ratio=ratio, base_s=base, head_s=head)
                for key, (ratio, base, head) in data["figures"].items()
            },
            left={key: Left(word=Word(word), reason=reason) for key, (word, reason) in data["left"].items()},
            seconds=data["seconds"],
        )


@dataclass(kw_only=True, slots=True)
class Made:
    """All passes of a gate together, those before a resume among them."""

    judge: Judge
    passes: list[Pass] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)
    full_pass_s: float = 0.0
    """Wall time of the longest pass: what another one may take."""

    def take(self, one: Pass) -> None:
        """Hear what a pass came to."""
        self.passes.append(one)
        self.full_pass_s = max(self.full_pass_s, one.seconds)
        for key, left in one.left.items():
            self.left[key] = left
            self.judge.withdraw(key)
        self.judge.feed({key: found.log_ratio for key, found in one.figures.items() if key not in self.left})

    @property
    def seconds(self) -> float:
        """Wall time of all passes."""
        return sum(one.seconds for one in self.passes)


@dataclass(kw_only=True)
class Passes:
    """The passes of a gate and what they are made with."""

    pairs: Mapping[str, Pair]
    control: Problem
    like: Visit
    """The visit to make, but for its problem, names and rounds."""
    listener: Listener
    write: Callable[[dict[str, Any]], object]
    """Puts a pass on disk."""
    seen: Callable[[Visited], object] = lambda _: None
    """Is shown every visit."""
    clock: Callable[[], float] = time.perf_counter
    _batch_s: float = BATCH_S

    def make(self, executor: Executor, made: Made, budget_s: float) -> None:
        """Make passes until the judge wants none, or another one would not fit into the budget.

        The first is begun in any case, and ends with the budget, as one does that turns out longer than any before.
        """
        ends = self.clock() + budget_s
        while wanted := made.judge.next:
            if made.passes and self.clock() + made.full_pass_s > ends:
                break
            one = self.one(executor, len(made.passes), [self.pairs[key] for key in wanted], ends=ends)
            self.write(one.to_dict())
            made.take(one)
            self._tell(made, ends - self.clock())

    def one(self, executor: Executor, number: int, pairs: Sequence[Pair], *, ends: float = math.inf) -> Pass:
        """Make one pass over these cells, on a fresh worker; at ``ends`` of the clock it is as far as it came.

        The order of cells is drawn anew in every pass, so which ones a pass does not come to says nothing of them.
        """
        began = self.clock()
        self.listener.pass_started(number, len(pairs))
        names = {name for pair in pairs for name in pair.names}
        launch = executor.begin_pass(sorted(names | {self.like.reference}))
        like = replace(self.like, pass_=number, launch=launch, rounds=_ROUNDS if len(pairs) > _FEW else _FOCUSED_ROUNDS)
        figures: dict[str, Figure] = {}
        left: dict[str, Left] = {}
        found = self._control(executor, like)
        if found is not None:
            figures[CONTROL] = found
        gathered = {problem.key: pairs for problem, pairs in by_problem(pairs).items()}
        for key in order(tuple(gathered), number, like.seed):
            if self.clock() >= ends:
                break
            beside = gathered[key]
            names_here = tuple(name for pair in beside for name in pair.names)
            visited = self._visit(executor, replace(like, problem=beside[0].problem, names=names_here))
            for pair in beside:
                self._read(pair, visited, figures, left)
        return Pass(figures=figures, left=left, seconds=self.clock() - began)

    def _control(self, executor: Executor, like: Visit) -> Figure | None:
        plan = replace(like, problem=self.control, names=(like.reference,), companions=(TWIN,))
        return figure(self._visit(executor, plan), like.reference, TWIN)

    def _visit(self, executor: Executor, plan: Visit) -> Visited:
        visited = executor.visit(replace(plan, batch_s=self._batch_s))
        self._batch_s = visited.next_batch_s
        self.seen(visited)
        return visited

    def _read(self, pair: Pair, visited: Visited, figures: dict[str, Figure], left: dict[str, Left]) -> None:
        base, head = (visited.cells[name] for name in pair.names)
        word = verdict_of(base, head)
        if word is not None:
            left[pair.key] = Left(word=word, reason=reason_of(base, head) or "")
            self.listener.cell_left(pair.problem.key, pair.row, word, left[pair.key].reason)
        elif (found := figure(visited, *pair.names)) is not None:
            figures[pair.key] = found

    def _tell(self, made: Made, left_s: float) -> None:
        passes_left = int(left_s / made.full_pass_s) if made.judge.next else 0
        failing = Counter(str(one.word) for one in made.left.values())
        left = min(passes_left, _most_wanted(made.judge))
        self.listener.progressed(
            Progress(done=len(made.passes), left=left, failing=failing, left_s=left * made.full_pass_s)
        )


def _most_wanted(judge: Judge) -> int:
    """Give the passes that the slowest open cell would still take; a guess of ten before it can be told."""
    wanted = [verdict.wanting for key, verdict in judge.verdicts().items() if key in judge.open]
    return max((10 if one is None else one for one in wanted), default=0)
