"""What one visit is to do, and the record of what it came to: plain data, as the journal keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bench.measure import messages
from bench.measure.rounds import SHORTENING
from bench.plan.problem import Problem
from reports.schema import Status

BATCH_S = 2.5e-3
"""Least seconds of a batch on a quiet machine: with 20 rounds, six passes of the quick preset measure for 25 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """What one visit is to do."""

    problem: Problem
    names: tuple[str, ...]
    """Those still in the block, the reference among them if it is."""
    reference: str
    pass_: int
    launch: int
    seed: int
    cold: bool
    share_s: float
    """Seconds of measuring that the budget leaves to this visit."""
    clock_s: float
    """What timing a batch costs, s."""
    timeout_s: float
    weighs: bool
    """Measure memory and challenge too: once a run is enough."""
    batch_s: float = BATCH_S
    """Least seconds of a batch."""
    yardstick: bool = True
    """False where native dies of the problem when it is opened."""
    timer: str | None = None
    """None is the device's own."""
    sustained: bool = False
    companions: tuple[str, ...] = messages.COMPANIONS
    """What is timed beside the names: the twin only where the reference is timed."""
    is_paired: bool = False
    """Keep the two sides of a row neighbours in every round."""
    rounds: int | None = None
    """How many; None leaves it to the budget, and 0 only checks and weighs."""
    repeats: bool = True
    """Make rounds again that another program disturbed; False where their times count for nothing."""


@dataclass(kw_only=True, slots=True)
class Series:
    """One name's batches in one visit, in the order of rounds."""

    calls: int
    seconds: list[float]
    positions: list[int]
    call_s: list[float] = field(default_factory=list)
    """A call's time, by parts of each batch. Empty where the device has but the whole; likewise those below."""
    page_faults: list[int | None] = field(default_factory=list)
    sm_clock_hz: list[float | None] = field(default_factory=list)
    throttled: list[bool | None] = field(default_factory=list)
    power_w: list[float | None] = field(default_factory=list)
    temperature_c: list[float | None] = field(default_factory=list)
    struck: int = 0
    """Batches beside these that another program disturbed: repeated, and in no figure."""

    def call_seconds(self) -> list[float]:
        """Give the seconds per call, round by round."""
        return self.call_s or self.whole_call_seconds()

    def whole_call_seconds(self) -> list[float]:
        """Give the whole batches over their calls, rare slow calls included."""
        return [seconds / self.calls for seconds in self.seconds]


@dataclass(kw_only=True, slots=True)
class CellVisit:
    """What one visit says of one implementation."""

    status: str = Status.OK
    reason: str | None = None
    checked: messages.Checked | None = None
    weighed: messages.Weighed | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CellVisit:
        """Read what ``dataclasses.asdict`` gave."""
        return cls(
            status=data["status"],
            reason=data["reason"],
            checked=data["checked"] and messages.Checked(**data["checked"]),
            weighed=data["weighed"] and messages.Weighed(**data["weighed"]),
        )


@dataclass(kw_only=True, slots=True)
class Visited:
    """The record of one visit: plain data, as the journal keeps it."""

    key: str
    pass_: int
    launch: int
    cells: dict[str, CellVisit] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """Where the visit's wall time went."""
    batch_s: float = BATCH_S
    """Least seconds that a batch came to have."""
    stolen_s: float = 0.0
    """What a hypervisor took of the worker's cores during the rounds."""
    spins_s: list[float] = field(default_factory=list)
    """A fixed bit of arithmetic before each round: how fast the machine was."""

    @property
    def next_batch_s(self) -> float:
        """Least seconds of the next visit's batches: a machine that was busy is so still, and is tried by and by."""
        return min(BATCH_S, SHORTENING * self.batch_s)

    @property
    def struck(self) -> int:
        """Batches that another program disturbed."""
        return sum(series.struck for series in self.series.values())

    @property
    def batches(self) -> int:
        """Batches with a figure."""
        return sum(len(series.seconds) for series in self.series.values())

    def to_dict(self) -> dict[str, Any]:
        """Give the record as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Visited:
        """Read what ``to_dict`` gave."""
        cells = {name: CellVisit.from_dict(cell) for name, cell in data["cells"].items()}
        series = {name: Series(**one) for name, one in data["series"].items()}
        return cls(**(data | {"cells": cells, "series": series}))
