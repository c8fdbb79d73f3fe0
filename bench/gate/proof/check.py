"""The gate's self-check: record equal code, replay gates from it, and put what came out beside the goals."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from bench import host
from bench.events import Listener, Progress
from bench.gate import folder, sources
from bench.gate.asked import Asked
from bench.gate.judge import Lines
from bench.gate.proof import peers, recording
from bench.gate.proof.peers import Said
from bench.gate.proof.recording import Recorded, cells_of
from bench.gate.proof.replay import Added, Ended, Rate, many_gates, rate
from bench.gate.run import Gating, problems_of
from bench.measure.visited import Visited
from bench.planning import threads_for
from bench.record.journal import Journal
from reports.gate_schema import Outcome

DEFAULT = Lines()
FINE = Lines(threshold=0.02, tolerance=0.005)
_PREPARING_S = 3600.0
"""The budget is of the gates that are replayed; a recording leaves no cell out."""
_SLOWDOWNS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)
_PEER_SLOWDOWNS = (0.0, 0.05)
_PEER_SHARE = 4
"""A peer's gates are a fourth as many: they take longer than ours, and their rates are far from 0 and 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the proof: a rule, what was added to head, and how often it alarmed and found it."""

    rule: str
    added: Added
    alarms: Rate
    """Gates that said that something regressed."""
    found: Rate | None
    """Gates that named the slowed cell, or all cells together; None where nothing was added."""
    undecided: int | None
    """Gates without a verdict in the budget; None for rules that know no such word."""
    mean_s: float | None
    """Wall time of a gate; None for rules that were given the time of ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What a recording proves."""

    passes: int
    cells: int
    gates: int
    rows: tuple[Row, ...]
    path: Path

    @property
    def frame(self) -> pd.DataFrame:
        """One row a rule and slowdown; rates and their ends are shares of gates."""
        return pd.DataFrame([_plain(row) for row in self.rows])


def _plain(row: Row) -> dict[str, Any]:
    slowed = "all cells" if row.added.to_all else "one cell" if row.added.slowdown else "nothing"
    plain = {"rule": row.rule, "slowed": slowed, "slowdown": row.added.slowdown, "gates": row.alarms.of}
    for name, one in (("alarms", row.alarms), ("found", row.found)):
        plain |= {name: one and one.count, f"{name}_low": one and one.interval.low}
        plain |= {f"{name}_high": one and one.interval.high}
    return plain | {"undecided": row.undecided, "mean_s": row.mean_s}


def record(asked: Asked, out: Path | None, passes: int, listener: Listener | None = None) -> Path:
    """Record passes of the installed kernels against themselves; give the recording's file.

    Raises
    ------
    UsageError
        Nothing valid was asked for, or nothing can be measured or written as asked.
    """
    listener = listener or Listener()
    settings = replace(asked.settings, threads=threads_for(asked.settings.threads), budget_s=_PREPARING_S)
    asked = replace(asked, settings=settings, measure_equal=True, architectures=(), instructions=False)
    problems, now = problems_of(asked), datetime.now(UTC)
    info = {"started": now.isoformat(timespec="seconds"), "asked": asked.to_dict()} | host.facts()
    made = folder.create(out or folder.default_path(now, "self-check"), info)
    sides = sources.of_itself(made.sides)
    gating = Gating(asked, made, sides, listener)
    visits: list[Visited] = []
    with gating.held("--out"), gating.workers.loaded() as (executor, table, apart):
        settled = gating.settling(executor).settled(table, problems, apart=apart)
        maker = gating.passes(settled, write=lambda _: None, seen=visits.append)
        pairs = list(settled.timed.values())
        began = time.perf_counter()
        with Journal(made.path / folder.RECORDING, listener.warned) as journal:
            for number in range(passes):
                visits.clear()
                one = maker.one(executor, number, pairs)
                journal.append(recording.line(visits, settings.reference, one.seconds))
                left = passes - number - 1
                left_s = (time.perf_counter() - began) / (number + 1) * left
                listener.progressed(Progress(done=number + 1, left=left, failing={}, left_s=left_s))
    made.forget_sides()
    return made.path / folder.RECORDING


def prove(path: Path, *, gates: int, budget_s: float, seed: int = 0) -> Proof:
    """Replay gates from a recording, with nothing and with slowdowns added, and peers' rules on the same passes."""
    replaying = _Replaying(recording.read(path), gates, budget_s, seed)
    rows: list[Row] = []
    for lines in (DEFAULT, FINE):
        added = [Added(slowdown=slowdown) for slowdown in _SLOWDOWNS] + [Added(slowdown=lines.threshold, to_all=True)]
        rows += [replaying.ours(lines, one) for one in added]
    for rule in peers.RULES:
        rows += [replaying.peer(rule, Added(slowdown=slowdown)) for slowdown in _PEER_SLOWDOWNS]
    passes = replaying.passes
    return Proof(passes=len(passes), cells=len(cells_of(passes)), gates=gates, rows=tuple(rows), path=path)


class _Replaying:
    """Gates from one recording, of one number and budget."""

    def __init__(self, passes: Sequence[Recorded], gates: int, budget_s: float, seed: int) -> None:
        self.passes = passes
        self._gates, self._budget_s, self._seed = gates, budget_s, seed
        self._length = 0.0
        """Passes of a gate without a slowdown."""

    def ours(self, lines: Lines, added: Added) -> Row:
        """Replay this gate."""
        ended = many_gates(self.passes, lines, added, gates=self._gates, budget_s=self._budget_s, seed=self._seed)
        length = fmean(one.passes for one in ended)
        self._length = self._length or length
        alarms = [one.outcome is Outcome.REGRESSION for one in ended]
        return Row(
            rule=f"gnbench {100 * lines.threshold:g} %, {100 * lines.tolerance:g} %",
            added=added,
            alarms=self._rate(ended, alarms, length),
            found=self._rate(ended, [one.has_found for one in ended], length) if added.slowdown else None,
            undecided=sum(one.outcome in {Outcome.UNDECIDED, Outcome.NO_VERDICT} for one in ended),
            mean_s=fmean(one.seconds for one in ended),
        )

    def peer(self, name: str, added: Added) -> Row:
        """Let another tool's rule compare as many passes as a gate of ours takes with the next as many."""
        length = max(1, round(self._length))
        said = peers.many(name, self.passes, added, gates=self._gates // _PEER_SHARE, length=length, seed=self._seed)
        return Row(
            rule=name,
            added=added,
            alarms=self._rate(said, [one.has_alarmed for one in said], 2 * length),
            found=self._rate(said, [one.has_found for one in said], 2 * length) if added.slowdown else None,
            undecided=None,
            mean_s=None,
        )

    def _rate(self, gates: Sequence[Ended] | Sequence[Said], happened: Sequence[bool], length: float) -> Rate:
        return rate([one.start for one in gates], happened, recorded=len(self.passes), length=length)
