"""What a gate is to do, what it settles before its first pass, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from bench.gate import compiled
from bench.gate.candidate import Candidate
from bench.gate.exact import Exact
from bench.gate.folder import GateFolder
from bench.gate.judge import Lines, Verdict
from bench.gate.pairs import Pair
from bench.gate.policy import Policy, parse
from bench.gate.sources import Sides
from bench.plan.config import Settings
from bench.plan.sweep import Sweep
from bench.record.frames import frame_of
from bench.stats.intervals import Interval
from reports.gate_schema import Outcome, VerdictRow, Word


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a gate is to do."""

    sweep: Sweep
    settings: Settings
    """Names, threads, seed, cell timeout; ``budget_s`` is wall time, from the first visit to the last."""
    policy_text: str = ""
    """Of ``gnbench.toml``."""
    lines: Mapping[str, float] = field(default_factory=dict)
    """Δ, τ and alpha that are given beside it, and stand above it."""
    architectures: tuple[str, ...] = compiled.ARCHITECTURES
    measure_equal: bool = False
    """Measure rows whose sources are the same on both sides, too."""
    apart: bool = False
    """Give each side a process of its own."""
    instructions: bool = True
    """Count them, where valgrind is there."""
    command: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        """What the gate lets pass; UsageError where it makes no sense."""
        policy = parse(self.policy_text)
        return replace(policy, lines=replace(policy.lines, **self.lines))

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return {
            "sweep": self.sweep.to_dict(),
            "settings": self.settings.to_dict(),
            "policy_text": self.policy_text,
            "lines": dict(self.lines),
            "architectures": list(self.architectures),
            "measure_equal": self.measure_equal,
            "apart": self.apart,
            "instructions": self.instructions,
            "command": list(self.command),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Asked:
        """Read what ``to_dict`` gave."""
        return cls(
            sweep=Sweep.from_dict(data["sweep"]),
            settings=Settings.from_dict(data["settings"]),
            policy_text=data["policy_text"],
            lines=data["lines"],
            architectures=tuple(data["architectures"]),
            measure_equal=data["measure_equal"],
            apart=data["apart"],
            instructions=data["instructions"],
            command=tuple(data["command"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What is known before the first pass, and not asked again when a gate is continued."""

    candidates: Sequence[Candidate]
    kernels: Sequence[tuple[str, Exact]]
    starts: Mapping[str, Sequence[tuple[float, float]]]
    """By row: first calls, base's and head's, s."""
    same: Sequence[str]
    """Rows whose sources are the same on both sides: nothing of theirs can have changed."""
    places: Mapping[str, str]
    """The file of each row."""
    clock_s: float
    apart: bool
    """Each side has a process of its own."""

    @property
    def timed(self) -> dict[str, Pair]:
        """The cells that both sides compute and that have a latency, by their keys."""
        return {one.pair.key: one.pair for one in self.candidates if one.word is None and one.is_timed}

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return {
            "candidates": [one.to_dict() for one in self.candidates],
            "kernels": [[row, asdict(one)] for row, one in self.kernels],
            "starts": {row: [list(pair) for pair in pairs] for row, pairs in self.starts.items()},
            "same": list(self.same),
            "places": dict(self.places),
            "clock_s": self.clock_s,
            "apart": self.apart,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settled:
        """Read what ``to_dict`` gave."""
        return cls(
            candidates=[Candidate.from_dict(one) for one in data["candidates"]],
            kernels=[(row, Exact(**one)) for row, one in data["kernels"]],
            starts={row: [(base, head) for base, head in pairs] for row, pairs in data["starts"].items()},
            same=data["same"],
            places=data["places"],
            clock_s=data["clock_s"],
            apart=data["apart"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Gated:
    """What a gate found."""

    folder: GateFolder
    sides: Sides
    outcome: Outcome
    rows: tuple[VerdictRow, ...]
    lines: Lines
    suite: Verdict | None
    """All cells together."""
    control: Interval | None
    """How unequally the machine treats equal code: a ratio that should be 1."""
    passes: int
    pass_s: float
    """Wall time of the longest pass."""
    seconds: float
    """Wall time of all that was measured."""
    warnings: tuple[str, ...] = ()

    @property
    def wanted_s(self) -> float | None:
        """Seconds more that the undecided cells would need at their present spread; None where it cannot be told."""
        wanted = [row.passes_wanted for row in self.rows if row.verdict == Word.UNDECIDED and row.allowed is None]
        known = [one for one in wanted if one is not None]
        return max(known) * self.pass_s if known and len(known) == len(wanted) else None

    @property
    def frame(self) -> pd.DataFrame:
        """One row a cell and metric (``reports.gate_schema.VerdictRow``)."""
        return frame_of(VerdictRow, self.rows)

    @property
    def info(self) -> dict[str, Any]:
        """What is said of the gate as a whole, as plain data; the reports' material."""
        return facts(
            self.folder,
            self.outcome,
            self.lines,
            base=self.sides.base_name,
            head=self.sides.head_name,
            is_dirty=self.sides.is_dirty,
            suite=self.suite and {"verdict": str(self.suite.word), **asdict(self.suite.change)},
            control=self.control and asdict(self.control),
            passes=self.passes,
            seconds=self.seconds,
            wanted_s=self.wanted_s,
            warnings=list(self.warnings),
        )


def facts(folder: GateFolder, outcome: Outcome, lines: Lines, **known: Any) -> dict[str, Any]:
    """Give what the reports say of a gate as a whole; ``known`` has what there is of ``NO_FACTS``, by its names."""
    return {**NO_FACTS, "folder": str(folder.path), "outcome": str(outcome), **asdict(lines), **known}


NO_FACTS: Mapping[str, Any] = MappingProxyType(
    {"is_dirty": False, "suite": None, "control": None, "wanted_s": None, "warnings": []}
)
"""Of a gate that knows neither a working tree, all cells together, a control, nor passes that are wanting."""
