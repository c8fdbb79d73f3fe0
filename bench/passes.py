"""Pass after pass over the open blocks of a run, stretch by stretch: a visit each, durable before the next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.events import Listener, Progress, RunStarted
from bench.executors.base import Executor
from bench.measure import messages
from bench.measure.link import CAN_FORK
from bench.measure.tally import Conditions, Tally
from bench.measure.visited import BATCH_S, Visit, Visited
from bench.past import Past, failures
from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.remaining import Pace, expected_passes, seconds_left, visits_left
from bench.plan.visits import order
from bench.record.journal import Journal
from bench.record.rundir import RunDirectory
from bench.stats.stopping import Stopping
from reports.schema import Status

LEAST_PASSES = 6 if CAN_FORK else 3
"""Made even past the budget; a pass that must import torch anew costs seconds, so there are fewer of them."""

_FEW_STRUCK = 0.25
"""Of all batches: the system's own threads alone struck 1 to 15 % of them on an idle machine of two cores."""

Stretches = Sequence[Sequence[Block]]


def tallies(blocks: Sequence[Block], settings: Settings, table: messages.Loaded) -> dict[str, Tally]:
    """Make a tally for each block, in their order."""
    stopping = Stopping(
        precision=settings.precision_percent / 100,
        least_passes=min(LEAST_PASSES, settings.passes),
        most_passes=settings.passes,
    )
    slow = [row.name for row in table.rows if row.slow_start]
    return {block.key: Tally(block, slow, stopping) for block in blocks}


@dataclass(kw_only=True, slots=True)
class _Stretch:
    """What is held of the stretch in progress."""

    place: int
    tallies: dict[str, Tally]
    budget_s: float
    spent_s: float = 0.0
    open_blocks: int = 0
    """Those that the current pass visits."""
    in_this_pass: int = 0
    """Those of them still to come."""
    begun: int = 0
    """Passes begun."""


@dataclass(kw_only=True)
class Passes:
    """The passes of one run and what they are made with."""

    directory: RunDirectory
    settings: Settings
    conditions: Conditions
    table: messages.Loaded
    stretches: Stretches
    """Blocks that fit in memory; all passes of a stretch are made before the next one's."""
    past: Past
    """What the journal holds already."""
    listener: Listener
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds of visits by phase."""
    _done: int = 0
    _failing: Counter[str] = field(default_factory=Counter)
    _batch_s: float = BATCH_S
    """Of the next visit (see ``Visited.next_batch_s``)."""
    _struck: int = 0
    _batches: int = 0
    _began: float = 0.0

    def make(self, executor: Executor) -> None:
        """Make pass after pass until every block is done; what the journal holds already is not made again."""
        self.spent |= self.past.seconds
        self._done = self.past.visits
        self._failing = Counter(self.past.failing)
        self._struck, self._batches = self.past.struck, self.past.batches
        self._began = time.perf_counter()
        self.listener.run_started(
            RunStarted(
                path=self.directory.path,
                problems=self._blocks,
                implementations=self.stretches[0][0].names,
                visits=self._blocks * self.settings.passes,
                budget_s=self.settings.budget_s,
            )
        )
        with Journal(self.directory.journal_path, self.listener.warned) as journal:
            for place in range(self.past.stretch, len(self.stretches)):
                stretch = self._begin(place)
                for pass_ in range(self.settings.passes):
                    self._make_pass(pass_, stretch, executor, journal)

    @property
    def disturbed(self) -> str | None:
        """Say that other programs took part in the run, where they spoilt more than a few batches."""
        share = self._struck / max(1, self._struck + self._batches)
        if share <= _FEW_STRUCK:
            return None
        return (
            f"another program was busy: {share:.0%} of all batches were disturbed and made again; stop it, or give"
            " fewer --threads than there are cores"
        )

    @property
    def _blocks(self) -> int:
        return sum(map(len, self.stretches))

    def _later(self, place: int) -> int:
        return sum(map(len, self.stretches[place + 1 :]))

    def _begin(self, place: int) -> _Stretch:
        """Take up a stretch with its share of what the budget still has: what others left over is passed on."""
        blocks = self.stretches[place]
        replayed = self.past.last if place == self.past.stretch else ()
        before_s = sum(self.spent.values()) - sum(sum(visited.seconds.values()) for visited in replayed)
        share = len(blocks) / (len(blocks) + self._later(place))
        stretch = _Stretch(
            place=place,
            tallies=tallies(blocks, self.settings, self.table),
            budget_s=max(0.0, self.settings.budget_s - before_s) * share,
        )
        for visited in replayed:
            stretch.tallies[visited.key].feed(visited)
            stretch.spent_s += sum(visited.seconds.values())
        return stretch

    def _make_pass(self, pass_: int, stretch: _Stretch, executor: Executor, journal: Journal) -> None:
        held = stretch.tallies
        budget_is_spent = _is_spent(stretch)
        open_ = [
            key
            for key, tally in held.items()
            if tally.passes <= pass_ and not tally.is_done(self.settings.reference, budget_is_spent=budget_is_spent)
        ]
        names = {name for key in open_ for name in held[key].names_for(pass_, self.settings.reference)}
        if not open_ or not names:
            return
        stretch.open_blocks = stretch.in_this_pass = len(open_)
        stretch.begun = pass_ + 1
        self.listener.pass_started(pass_, len(open_))
        launch = self.past.launches + executor.begin_pass(sorted(names | {self.settings.reference}))
        for key in order(open_, pass_, self.settings.seed):
            visited = executor.visit(self._visit(held[key], pass_, launch))
            journal.append(visited.to_dict())
            held[key].feed(visited)
            self._count(visited, stretch)
            self._tell(visited, held[key])
            self.listener.progressed(self._progress(stretch))

    def _visit(self, tally: Tally, pass_: int, launch: int) -> Visit:
        return Visit(
            problem=tally.block.problem,
            names=tally.names_for(pass_, self.settings.reference),
            reference=self.settings.reference,
            pass_=pass_,
            launch=launch,
            seed=self.settings.seed,
            cold=self.conditions.cache == "cold",
            share_s=self.settings.budget_s / (self.settings.passes * self._blocks),
            clock_s=2 * self.table.resolution_s,
            batch_s=self._batch_s,
            timeout_s=self.settings.cell_timeout_s,
            weighs=tally.passes == 0,
            timer=self.conditions.timer,
            sustained=self.settings.sustained,
        )

    def _count(self, visited: Visited, stretch: _Stretch) -> None:
        for phase, seconds in visited.seconds.items():
            self.spent[phase] = self.spent.get(phase, 0.0) + seconds
            stretch.spent_s += seconds
        stretch.in_this_pass -= 1
        self._done += 1
        self._failing.update(failures(visited))
        self._batch_s = visited.next_batch_s
        self._struck += visited.struck
        self._batches += visited.batches

    def _tell(self, visited: Visited, tally: Tally) -> None:
        for name, cell in visited.cells.items():
            if cell.status != Status.OK:
                self.listener.cell_left(visited.key, name, cell.status, cell.reason or "")
        self.listener.visit_ended(visited.pass_, visited.key)
        if tally.passes >= self.settings.passes:
            self.listener.block_closed(visited.key, tally.passes)

    def _progress(self, stretch: _Stretch) -> Progress:
        pace = Pace(
            visits=self._done - self.past.visits,
            wall_s=time.perf_counter() - self._began,
            measured_s=sum(self.spent.values()) - sum(self.past.seconds.values()),
        )
        least = min(LEAST_PASSES, self.settings.passes)
        left = visits_left(
            passes=expected_passes(
                pace, blocks=self._blocks, budget_s=self.settings.budget_s, least=least, most=self.settings.passes
            ),
            passes_made=stretch.begun,
            open_blocks=stretch.open_blocks,
            in_this_pass=stretch.in_this_pass,
            later_blocks=self._later(stretch.place),
        )
        return Progress(done=self._done, left=left, failing=self._failing, left_s=seconds_left(pace, left))


def _is_spent(stretch: _Stretch) -> bool:
    """Say whether another pass, as long as those before, would go past the stretch's share of the budget."""
    made = max(tally.passes for tally in stretch.tallies.values())
    return stretch.spent_s + stretch.spent_s / max(1, made) > stretch.budget_s
