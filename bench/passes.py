"""Pass after pass over the open blocks of a run: fresh workers, a visit each, durable before the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.events import Listener, RunStarted
from bench.executors.base import Executor
from bench.measure import messages
from bench.measure.link import CAN_FORK
from bench.measure.tally import Conditions, Tally
from bench.measure.visit import Visit, Visited
from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.visits import order
from bench.record.journal import Journal, read
from bench.record.rundir import RunDirectory
from bench.stats.stopping import Stopping
from reports.schema import Status

_LEAST_PASSES = 6 if CAN_FORK else 3
"""Made even past the budget; a pass that must import torch anew costs seconds, so there are fewer of them."""


@dataclass(kw_only=True)
class Passes:
    """The passes of one run and what they are made with."""

    directory: RunDirectory
    settings: Settings
    conditions: Conditions
    table: messages.Loaded
    blocks: tuple[Block, ...]
    """Those that fit in memory."""
    listener: Listener
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds of visits by phase."""
    _launches_before: int = 0
    """Zygotes that an interrupted run has had already."""

    def make(self, executor: Executor) -> list[Tally]:
        """Make pass after pass until every block is done; what the journal holds already is not made again."""
        tallies = self._tallies()
        for visited in self._journaled():
            tallies[visited.key].feed(visited)
            self._count(visited)
            self._launches_before = max(self._launches_before, visited.launch + 1)
        self.listener.run_started(
            RunStarted(
                path=self.directory.path,
                problems=len(tallies),
                implementations=self.blocks[0].names,
                visits=len(tallies) * self.settings.passes,
                budget_s=self.settings.budget_s,
            )
        )
        with Journal(self.directory.journal_path, self.listener.warned) as journal:
            for pass_ in range(self.settings.passes):
                self._make_pass(pass_, tallies, executor, journal)
        return list(tallies.values())

    def _tallies(self) -> dict[str, Tally]:
        stopping = Stopping(
            precision=self.settings.precision_percent / 100,
            least_passes=min(_LEAST_PASSES, self.settings.passes),
            most_passes=self.settings.passes,
        )
        slow = [row.name for row in self.table.rows if row.slow_start]
        return {block.key: Tally(block, slow, stopping) for block in self.blocks}

    def _journaled(self) -> list[Visited]:
        if not self.directory.journal_path.exists():
            return []
        return [Visited.from_dict(record) for record in read(self.directory.journal_path, self.listener.warned)]

    def _make_pass(self, pass_: int, tallies: dict[str, Tally], executor: Executor, journal: Journal) -> None:
        budget_is_spent = self._is_spent(max(tally.passes for tally in tallies.values()))
        open_ = [
            key
            for key, tally in tallies.items()
            if tally.passes <= pass_ and not tally.is_done(self.settings.reference, budget_is_spent=budget_is_spent)
        ]
        names = {name for key in open_ for name in tallies[key].names_for(pass_, self.settings.reference)}
        if not open_ or not names:
            return
        self.listener.pass_started(pass_, len(open_))
        launch = self._launches_before + executor.begin_pass(sorted(names | {self.settings.reference}))
        for key in order(open_, pass_, self.settings.seed):
            visited = executor.visit(self._visit(tallies[key], pass_, launch))
            journal.append(visited.to_dict())
            tallies[key].feed(visited)
            self._count(visited)
            self._tell(visited, tallies[key])

    def _is_spent(self, passes_made: int) -> bool:
        """Say whether another pass, as long as those before, would go past the budget."""
        used_s = sum(self.spent.values())
        return used_s + used_s / max(1, passes_made) > self.settings.budget_s

    def _visit(self, tally: Tally, pass_: int, launch: int) -> Visit:
        return Visit(
            problem=tally.block.problem,
            names=tally.names_for(pass_, self.settings.reference),
            reference=self.settings.reference,
            pass_=pass_,
            launch=launch,
            seed=self.settings.seed,
            cold=self.conditions.cache == "cold",
            share_s=self.settings.budget_s / (self.settings.passes * len(self.blocks)),
            clock_s=2 * self.table.resolution_s,
            timeout_s=self.settings.cell_timeout_s,
            weighs=tally.passes == 0,
        )

    def _count(self, visited: Visited) -> None:
        for phase, seconds in visited.seconds.items():
            self.spent[phase] = self.spent.get(phase, 0.0) + seconds

    def _tell(self, visited: Visited, tally: Tally) -> None:
        for name, cell in visited.cells.items():
            if cell.status != Status.OK:
                self.listener.cell_left(visited.key, name, cell.status, cell.reason or "")
        self.listener.visit_ended(visited.pass_, visited.key)
        if tally.passes >= self.settings.passes:
            self.listener.block_closed(visited.key, tally.passes)
