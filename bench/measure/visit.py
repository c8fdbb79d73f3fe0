"""One visit of a block: check, warm, rounds, memory, close. From questions to a worker comes one record."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.devices.environment import most_cold_calls
from bench.events import Listener
from bench.measure import messages
from bench.measure.link import Worker
from bench.measure.rounds import Rounds, calls_for, rounds_for
from bench.plan.cost import memory_bytes
from bench.plan.problem import Problem
from reports.schema import Status

_BATCH_S = 2.5e-3
"""Least seconds of a batch: with 20 rounds, six passes of the quick preset measure for about 25 s."""
_MOST_ROUNDS = 20
_LEAST_CALL_S = 25e-9
"""Of a Python call that does nothing; one that launches nothing would be called for minutes."""
_OPEN_TIMEOUT_S = 300.0
_SLOW_SPIN = 1.5
"""Times the fastest of the visit: whole cores differ by 15 %, a core that is taken or throttled by far more."""
_MOST_LOST = 2.0
"""Times a visit's share of the budget (and at least so many seconds): what may be lost to disturbed batches."""
_MOST_COOLING = 0.2
"""Of a visit's share of the budget; a figure from a warm GPU is better than none."""
_MOST_THROTTLED_REPEATS = 3
SPARE_BYTES = 4 << 30
"""What a CPU worker may take beyond what its block needs."""


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
    yardstick: bool = True
    """False where native dies of the problem when it is opened."""
    timer: str | None = None
    """None is the device's own."""
    sustained: bool = False


@dataclass(kw_only=True, slots=True)
class Series:
    """One name's batches in one visit, in the order of rounds."""

    calls: int
    seconds: list[float]
    positions: list[int]
    call_s: list[float] = field(default_factory=list)
    """A call's time, by parts of each batch. Empty where the device has but the whole; likewise those below."""
    page_faults: list[int] = field(default_factory=list)
    sm_clock_hz: list[float] = field(default_factory=list)
    throttled: list[bool] = field(default_factory=list)
    power_w: list[float] = field(default_factory=list)
    temperature_c: list[float] = field(default_factory=list)
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
    spins_s: list[float] = field(default_factory=list)
    """A fixed bit of arithmetic before each round: how fast the machine was."""

    def to_dict(self) -> dict[str, Any]:
        """Give the record as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Visited:
        """Read what ``to_dict`` gave."""
        cells = {
            name: CellVisit(
                status=cell["status"],
                reason=cell["reason"],
                checked=cell["checked"] and messages.Checked(**cell["checked"]),
                weighed=cell["weighed"] and messages.Weighed(**cell["weighed"]),
            )
            for name, cell in data["cells"].items()
        }
        series = {name: Series(**one) for name, one in data["series"].items()}
        return cls(**(data | {"cells": cells, "series": series}))


def visit(plan: Visit, worker: Worker, listener: Listener) -> Visited:
    """Make one visit.

    Raises
    ------
    WorkerLost
        The worker died or gave no answer; its ``name`` is whose turn it was.
    """
    return _Visiting(plan, worker, listener).made()


class _Visiting:
    """The stages of a visit, in order; each drops the names that do not reach the next."""

    def __init__(self, plan: Visit, worker: Worker, listener: Listener) -> None:
        self._plan = plan
        self._worker = worker
        self._listener = listener
        self._rng = random.Random(f"{plan.seed}:{plan.pass_}:{plan.problem.key}")
        self._visited = Visited(key=plan.problem.key, pass_=plan.pass_, launch=plan.launch)
        self._untimed: dict[str, str] = {}
        self._fastest_spin_s = float("inf")
        self._lost_s = 0.0
        self._cooled = 0
        self._cooled_s = 0.0

    def made(self) -> Visited:
        self._open()
        self._check()
        rounds = self._warm()
        self._measure(rounds)
        if self._plan.weighs:
            self._challenge()
            self._weigh()
        self._close()
        return self._visited

    def _ask(self, phase: str, name: str, request: messages.Request, timeout_s: float | None = None) -> Any:
        self._listener.phase_started(self._plan.pass_, self._plan.problem.key, f"{phase} {name}".strip())
        began = time.perf_counter()
        reply = self._worker.ask(request, self._plan.timeout_s if timeout_s is None else timeout_s)
        seconds = self._visited.seconds
        seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - began
        return reply

    def _move(self, source: str, target: str, seconds: float) -> None:
        """Count seconds under another phase: a first call is the implementation's, not the harness's."""
        self._visited.seconds[source] -= seconds
        self._visited.seconds[target] = self._visited.seconds.get(target, 0.0) + seconds

    def _leave(self, name: str, status: str, reason: str | None) -> None:
        cell = self._visited.cells.setdefault(name, CellVisit())
        cell.status, cell.reason = status, reason
        self._visited.series.pop(name, None)

    def _in(self) -> list[str]:
        return [name for name, cell in self._visited.cells.items() if cell.status == Status.OK]

    def _open(self) -> None:
        plan = self._plan
        opened = self._ask(
            "open",
            "",
            messages.Open(
                problem=plan.problem.to_dict(),
                names=list(plan.names),
                reference=plan.reference,
                seed=plan.problem.seed(plan.seed + plan.pass_),
                placement_seed=self._rng.getrandbits(32),
                cold=plan.cold,
                memory_bytes=memory_bytes(plan.problem) + SPARE_BYTES if plan.problem.device == "cpu" else None,
                yardstick=plan.yardstick,
                timer=plan.timer,
                sustained=plan.sustained,
            ),
            _OPEN_TIMEOUT_S,
        )
        self._untimed = opened.untimed
        for name in plan.names:
            refused = opened.refused.get(name)
            self._visited.cells[name] = (
                CellVisit(status=refused.status, reason=refused.reason) if refused else CellVisit()
            )

    def _check(self) -> None:
        # The reference first, since the others are compared with its bits; then in random order.
        names = self._in()
        self._rng.shuffle(names)
        names.sort(key=lambda name: name != self._plan.reference)
        for name in names:
            checked = self._ask("check", name, messages.Check(name=name))
            self._move("check", "first call", checked.first_call_s or 0.0)
            self._visited.cells[name].checked = checked
            if checked.status != Status.OK:
                self._leave(name, checked.status, checked.reason)

    def _warm(self) -> Rounds:
        timed = [name for name in self._in() if name not in self._untimed]
        companions = [messages.COPY, messages.CLONE] if timed else []
        if self._plan.reference in timed:
            companions.insert(0, messages.TWIN)
        calls, round_s = {}, 0.0
        for name in companions + timed:
            warmed = self._ask("warm", name, messages.Warm(name=name))
            if warmed.call_s is None:
                self._leave(name, warmed.status, warmed.reason)
                continue
            call_s = max(warmed.call_s, _LEAST_CALL_S)
            calls[name] = calls_for(call_s, clock_s=self._plan.clock_s, batch_s=_BATCH_S)
            if self._plan.cold:
                calls[name] = min(calls[name], most_cold_calls(self._plan.problem.device))
            round_s += call_s * (calls[name] + 1)
        for name, reason in self._untimed.items():
            if self._visited.cells[name].status == Status.OK:
                self._visited.cells[name].reason = reason
        return Rounds(calls, rounds_for(round_s, self._plan.share_s, most=_MOST_ROUNDS), self._rng)

    def _measure(self, rounds: Rounds) -> None:
        """Time round after round; hold a random one's outputs and the last one's against the truth."""
        last = rounds.planned - 1
        verified = {last, self._rng.randrange(last + 1)}
        most_lost_s = _MOST_LOST * max(1.0, self._plan.share_s)
        while self._lost_s < most_lost_s and (batches := rounds.next()) is not None:
            round_ = rounds.finished
            request = messages.Time(round=round_, batches=list(batches), verify=round_ in verified)
            began = time.perf_counter()
            timed = self._ask("measure", "", request, self._plan.timeout_s * len(batches))
            took_s = time.perf_counter() - began
            broken = [batch for batch in timed.batches if batch.status is not None]
            for batch in broken:
                self._leave(batch.name, batch.status, batch.reason)
                rounds.drop(batch.name)
            if broken:
                continue
            self._count_struck(timed.batches)
            if any(batch.struck for batch in timed.batches) or self._is_slow(timed.spin_s):
                self._lost_s += took_s
                rounds.strike()
                if rounds.wants_shorter:
                    rounds.shorten()
                    self._forget_rounds()
            elif any(batch.throttled for batch in timed.batches) and self._cool():
                continue
            else:
                self._record(rounds, timed)

    def _count_struck(self, batches: Sequence[messages.TimedBatch]) -> None:
        for batch in batches:
            self._series(batch).struck += batch.repeats + batch.struck

    def _is_slow(self, spin_s: float | None) -> bool:
        if spin_s is None:
            return False
        self._fastest_spin_s = min(self._fastest_spin_s, spin_s)
        return spin_s > _SLOW_SPIN * self._fastest_spin_s

    def _forget_rounds(self) -> None:
        """Batches of other lengths are no longer comparable; how many were struck stays counted."""
        self._visited.spins_s.clear()
        self._visited.series = {
            name: Series(calls=0, seconds=[], positions=[], struck=series.struck)
            for name, series in self._visited.series.items()
        }

    def _cool(self) -> bool:
        """Let a GPU that slowed itself down come back; say whether the round is to be made again."""
        if self._plan.sustained:
            return False  # being slowed down by continuous load is what was asked for
        left_s = _MOST_COOLING * self._plan.share_s - self._cooled_s
        if self._cooled >= _MOST_THROTTLED_REPEATS or left_s <= 0:
            return False
        began = time.perf_counter()
        self._ask("cool", "", messages.Cool(most_s=left_s))
        self._cooled += 1
        self._cooled_s += time.perf_counter() - began
        return True

    def _record(self, rounds: Rounds, timed: messages.Timed) -> None:
        rounds.record([batch.seconds or 0.0 for batch in timed.batches])
        self._cooled = 0
        if timed.spin_s is not None:
            self._visited.spins_s.append(timed.spin_s)
        for position, batch in enumerate(timed.batches):
            series = self._series(batch)
            series.calls = batch.calls
            series.seconds.append(batch.seconds or 0.0)
            series.positions.append(position)
            for name in ("call_s", "page_faults", "sm_clock_hz", "throttled", "power_w", "temperature_c"):
                if (value := getattr(batch, name)) is not None:
                    getattr(series, name).append(value)
            if batch.reason is not None and batch.name in self._visited.cells:
                self._visited.cells[batch.name].reason = batch.reason  # a remark on a cell that is ok

    def _series(self, batch: messages.TimedBatch) -> Series:
        return self._visited.series.setdefault(batch.name, Series(calls=batch.calls, seconds=[], positions=[]))

    def _challenge(self) -> None:
        """Call on contents never seen; the reference first, since the others are held against it."""
        names = [name for name in self._in() if name in self._visited.series]
        for name in sorted(names, key=lambda name: name != self._plan.reference):
            challenged = self._ask("challenge", name, messages.Challenge(name=name))
            if challenged.status is not None:
                self._leave(name, challenged.status, challenged.reason)

    def _weigh(self) -> None:
        for name in self._in():
            weighed = self._ask("memory", name, messages.Weigh(name=name))
            self._visited.cells[name].weighed = weighed
            if weighed.status is not None:
                self._leave(name, weighed.status, f"while weighed: {weighed.reason}")

    def _close(self) -> None:
        closed = self._ask("close", "", messages.Close())
        for name, reason in closed.inconsistent.items():
            self._leave(name, Status.INCONSISTENT, reason)
