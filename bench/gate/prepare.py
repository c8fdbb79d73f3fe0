"""Before the first pass: which cells both sides can compute, and what each costs in bytes and in error."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import UsageError, nearest
from bench.executors.local import LocalExecutor
from bench.gate.callgrind import Counting
from bench.gate.candidate import UNREACHED, Candidate
from bench.gate.pairs import Pair, by_problem
from bench.gate.sources import BASE, HEAD, Sides
from bench.measure.link import Answering, WorkerLost
from bench.measure.messages import Consult, RowFacts, sided
from bench.measure.visited import CellVisit, Visit
from bench.plan.config import Settings
from bench.plan.problem import Problem
from reports.schema import Status

_SLOW = frozenset({"naive"})
"""Left out unless named: 20 to 70 times as slow as native, so that one call would take a batch's time."""
_ROUNDS = 3
"""So that each is challenged, which wants a batch's length; their times count for nothing."""

_MOST_WEIGHINGS = 5
_COUNTING_SHARE = 0.5
_ALLOCATED = "bench.gate.inspecting:allocated"


def rows_of(rows: Sequence[RowFacts], sides: Sides, settings: Settings) -> tuple[str, ...]:
    """Choose the rows that are compared: those asked for, else all but slow ones that at least one side can run.

    Raises
    ------
    UsageError
        A name is unknown to both sides, or nothing is left.
    """
    of_side: dict[str, dict[str, RowFacts]] = {BASE: {}, HEAD: {}}
    for row in rows:
        name, _, label = row.name.partition("@")
        if label in of_side and (not sides.of_plugins or row.origin == "plugin"):
            of_side[label][name] = row
    known = list(dict.fromkeys([*of_side[BASE], *of_side[HEAD]]))
    asked = [name for name in settings.impl if name != "all"]
    for argument, names in (("--impl", asked), ("--exclude", settings.exclude)):
        for name in names:
            if name not in known:
                raise UsageError(argument, f"neither side has an implementation {name!r}", nearest(name, known))
    if not settings.impl:
        found = {name: [side[name] for side in of_side.values() if name in side] for name in known}
        asked = [
            name
            for name in known
            if not any(row.slow_start for row in found[name])
            and (name not in _SLOW or sides.of_plugins)
            and not all(row.unavailable and row.origin == "builtin" for row in found[name])
        ]
    elif "all" in settings.impl:
        asked = known
    chosen = tuple(name for name in dict.fromkeys(asked) if name not in settings.exclude)
    if not chosen:
        raise UsageError("gate", "nothing is left to compare", "name implementations with --impl; see 'gnbench list'")
    return chosen


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Checks, challenges and weighs cells on both sides."""

    executor: LocalExecutor
    """Holds both sides."""
    table: Sequence[RowFacts]
    """Its rows."""
    like: Visit
    """The visit to make, but for its problem and names."""
    ends: float = math.inf
    """Of ``time.perf_counter``: when the budget is spent."""
    counting: Counting | None = None
    """Counts instructions, where that is wanted and can be done."""

    def made(self, problems: Sequence[Problem], names: Sequence[str]) -> list[Candidate]:
        """Visit every problem once with all these rows; weigh again what weighs differently.

        Problems whose turn comes after ``ends`` are unreached.
        """
        rows = {row.name: row for row in self.table}
        there = [sided(name, label) for name in names for label in (BASE, HEAD) if sided(name, label) in rows]
        able = [name for name in there if not rows[name].unavailable]
        launch = self.executor.begin_pass([self.like.reference, *able])
        found = []
        for problem in problems:
            if time.perf_counter() >= self.ends:
                found += [
                    Candidate(pair=Pair(problem=problem, row=name), base=UNREACHED, head=UNREACHED) for name in names
                ]
                continue
            plan = replace(
                self.like,
                problem=problem,
                names=tuple(able),
                launch=launch,
                rounds=_ROUNDS,
                repeats=False,
                weighs=True,
            )
            visited = self.executor.visit(plan)
            cells = {name: CellVisit(status=Status.UNAVAILABLE, reason=rows[name].unavailable) for name in there}
            cells |= visited.cells
            for name in names:
                pair = Pair(problem=problem, row=name)
                base, head = (cells.get(side) for side in pair.names)
                is_timed = all(side in visited.series for side in pair.names)
                found.append(Candidate(pair=pair, base=base, head=head, is_timed=is_timed))
        return self._with_instructions(self._with_allocations(self._weighed_again(found)))

    def _with_instructions(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Count instructions of all timed cells, but of rows that compile for seconds, in a share of what is left."""
        slow = {row.name for row in self.table if row.slow_start}
        pairs = [one.pair for one in found if one.word is None and one.is_timed and not slow & set(one.pair.names)]
        if self.counting is None or not pairs:
            return list(found)
        now = time.perf_counter()
        counted = self.counting.instructions(pairs, now + _COUNTING_SHARE * (self.ends - now))
        return [replace(one, instructions=counted.get(one.pair.key)) for one in found]

    def _with_allocations(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Count what a call of each takes from torch's CPU allocator; one that cannot tell is left as it is."""
        counted = [one for one in found if one.word is None and one.pair.problem.device == "cpu"]
        names = sorted({name for one in counted for name in one.pair.names})
        worker: Answering | None = None
        bytes_of: dict[str, tuple[int, int]] = {}
        for one in counted:
            worker = worker or self.executor.fresh_worker(names)
            try:
                base, head = (self._allocated(worker, name, one.pair.problem) for name in one.pair.names)
            except WorkerLost:
                worker = None
                continue
            if base is not None and head is not None:
                bytes_of[one.pair.key] = (base, head)
        return [replace(one, allocated=bytes_of.get(one.pair.key)) for one in found]

    def _allocated(self, worker: Answering, name: str, problem: Problem) -> int | None:
        request = Consult(name=name, function=_ALLOCATED, question={"problem": problem.to_dict()})
        found = worker.ask(request, self.like.timeout_s)
        return None if found.answer is None else int(found.answer["allocated_bytes"])

    def _weighed_again(self, found: list[Candidate]) -> list[Candidate]:
        """Weigh cells whose bytes differ in fresh workers, and keep the least of each side.

        Resident memory, which alone shows what a kernel takes past torch's allocator, is too high now and then: in
        one cell of a hundred on two sides of the same code. Where the budget ends before, they have no bytes.
        """
        for _ in range(_MOST_WEIGHINGS):
            again = [one for one in found if one.weighs_differently]
            if not again:
                break
            if time.perf_counter() >= self.ends:
                return [one.unweighed() if one.weighs_differently else one for one in found]
            self.executor.begin_pass(sorted({name for one in again for name in one.pair.names} | {self.like.reference}))
            least: dict[str, tuple[CellVisit, CellVisit]] = {}
            for problem, pairs in by_problem(one.pair for one in again).items():
                names = tuple(name for pair in pairs for name in pair.names)
                plan = replace(self.like, problem=problem, names=names, rounds=0, weighs=True)
                cells = self.executor.visit(plan).cells
                least |= {pair.key: (cells[pair.names[0]], cells[pair.names[1]]) for pair in pairs}
            found = [one.lighter(*least[one.pair.key]) if one.pair.key in least else one for one in found]
        return found


def places(rows: Sequence[RowFacts], names: Sequence[str], sides: Sides) -> Mapping[str, str]:
    """Give the file that has each row on head, else on base, relative to its side's root where it lies below it."""
    known = {row.name: row.place for row in rows}
    found = {name: known.get(sided(name, HEAD)) or known.get(sided(name, BASE)) or "" for name in names}
    return {name: _file(place, (sides.head.root, sides.base.root)) for name, place in found.items()}


def _file(place: str, roots: Iterable[str]) -> str:
    path = Path(re.sub(r":\d+$", "", place))
    for root in roots:
        if path.is_relative_to(root):
            path = path.relative_to(root)
    return path.as_posix()
