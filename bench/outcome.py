"""From a run's journal to its frames and report, stretch by stretch, so that memory does not grow with the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import messages
from bench.measure.tally import Conditions, Tally, unfitting_rows
from bench.passes import Stretches, tallies
from bench.past import by_stretch
from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.cost import Need
from bench.plan.sweep import Sweep
from bench.record import frames, journal
from bench.record.rundir import RunDirectory
from bench.totals import totals
from reports import render
from reports.schema import ResultRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a run's rows are made with."""

    directory: RunDirectory
    settings: Settings
    conditions: Conditions
    table: messages.Loaded
    stretches: Stretches
    planned: Sequence[tuple[Block, Need]]
    """Every block of the sweep in its order, those that do not fit among them."""
    available_bytes: int

    def write_frames(self, failing: frozenset[str]) -> tuple[ResultRow, ...]:
        """Write the rows of what the journal holds; give those that have one of the statuses ``failing``.

        Blocks without a visit are rows without figures, so the frames of a run that was stopped are whole too.
        """
        kept: list[ResultRow] = []
        if self.directory.journal_path.exists():
            journal.mend(self.directory.journal_path)
        with frames.Writer(self.directory.path) as writer:
            held = self._tallies()
            for block, need in self.planned:
                if need.fits:
                    tally = next(held)
                    rows = tally.results(self.conditions)
                    writer.add(rows, tally.samples(self.conditions.run_id))
                else:
                    rows = unfitting_rows(block, need.needed_bytes, self.available_bytes, self.conditions)
                    writer.add(rows, ())
                kept += (row for row in rows if row.status in failing)
        return tuple(kept)

    def _tallies(self) -> Iterator[Tally]:
        """Give the tally of every block that fits, in order, one stretch's at a time."""
        visited = by_stretch(self.directory.journal_path, self.stretches)
        upcoming = next(visited, None)
        for place, blocks in enumerate(self.stretches):
            held = tallies(blocks, self.settings, self.table)
            if upcoming is not None and upcoming[0] == place:
                for one in upcoming[1]:
                    held[one.key].feed(one)
                upcoming = next(visited, None)
            yield from held.values()

    def totals(self, sweep: Sweep) -> list[dict[str, Any]]:
        """Sum up the model that the sweep is, for run.json; empty where it is none."""
        if not sweep.model:
            return []
        written = frames.read(self.directory.path)
        return [total.to_dict() for total in totals(sweep, written, self.conditions.reference)]

    def write_report(self, **ended: Any) -> None:
        """Write the report of the frames; ``ended`` is what run.json will say of the run's end."""
        written = frames.read(self.directory.path)
        info = self.directory.info() | ended
        render.render(written.results, written.samples, info, formats=("html", "md"), out=self.directory.path)
