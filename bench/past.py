"""What the journal of a run holds when the run begins or goes on: read once, record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from bench.errors import UsageError
from bench.events import Listener
from bench.measure.visited import Visited
from bench.plan.block import Block
from bench.record import journal
from bench.record.durable import DamagedRun
from reports.schema import NO_FAULT


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The visits made before; those of closed stretches are counted and let go."""

    stretch: int = 0
    """The stretch in progress: every one before it is closed."""
    last: tuple[Visited, ...] = ()
    """Its visits."""
    visits: int = 0
    launches: int = 0
    """Zygotes that the run has had."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where all its visits' time went, by phase."""
    failing: Mapping[str, int] = field(default_factory=dict)
    """Cells that went wrong, by status."""
    struck: int = 0
    """Batches that another program disturbed."""
    batches: int = 0
    """Batches with a figure."""


def by_stretch(path: Path, stretches: Sequence[Sequence[Block]]) -> Iterator[tuple[int, list[Visited]]]:
    """Give the journal's visits of each stretch that has some, in order; empty where there is no journal.

    Raises
    ------
    UsageError
        A record is of a block that is none of the run's, or a stretch goes on after the next one began: the sweep in
        run.json is not the one that was measured.
    """
    if not path.exists():
        return
    place_of = {block.key: place for place, blocks in enumerate(stretches) for block in blocks}

    def place(visited: Visited) -> int:
        if visited.key not in place_of:
            raise _changed(path, f"holds {visited.key}, which the sweep in run.json does not")
        return place_of[visited.key]

    before = -1
    for current, visits in groupby(_visits(path), key=place):
        if current < before:
            raise _changed(path, "does not follow the order of the sweep in run.json")
        before = current
        yield current, list(visits)


def past_of(path: Path, stretches: Sequence[Sequence[Block]], listener: Listener) -> Past:
    """Read what a run has behind it; a torn last record is cut off and told.

    Raises
    ------
    UsageError
        The journal belongs to another sweep.
    DamagedRun
        A line of it is no record.
    """
    if not path.exists():
        return Past()
    journal.mend(path, listener.warned)
    seconds: dict[str, float] = {}
    failing: Counter[str] = Counter()
    struck = batches = 0
    past = Past()
    for stretch, visits in by_stretch(path, stretches):
        for visited in visits:
            for phase, spent_s in visited.seconds.items():
                seconds[phase] = seconds.get(phase, 0.0) + spent_s
            failing.update(failures(visited))
            struck += visited.struck
            batches += visited.batches
        past = Past(
            stretch=stretch,
            last=tuple(visits),
            visits=past.visits + len(visits),
            launches=max(past.launches, *(visited.launch + 1 for visited in visits)),
            seconds=seconds,
            failing=failing,
            struck=struck,
            batches=batches,
        )
    return past


def failures(visited: Visited) -> Mapping[str, int]:
    """Count a visit's cells that went wrong, by status; a cell that did takes part in no later visit."""
    return Counter(str(cell.status) for cell in visited.cells.values() if cell.status not in NO_FAULT)


def _visits(path: Path) -> Iterator[Visited]:
    for number, record in enumerate(journal.records(path), start=1):
        try:
            yield Visited.from_dict(record)
        except (KeyError, TypeError) as error:
            mend = "it is not of this version of groupnorm-bench, or was changed; start a new run"
            raise DamagedRun(path, f"no visit ({error!r})", mend, line=number) from None


def _changed(path: Path, found: str) -> UsageError:
    return UsageError(f"{path}", found, "restore run.json, or start a new run")
