"""One visit of a block: check, warm, rounds, memory, close. From questions to a worker comes one record."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from bench.devices.environment import most_cold_calls
from bench.events import Listener
from bench.measure import messages
from bench.measure.link import Answering
from bench.measure.rounds import (
    FEWEST_ROUNDS,
    SHORTENING,
    Rounds,
    balanced_orders,
    calls_for,
    paired_orders,
    rounds_for,
)
from bench.measure.visited import CellVisit, Series, Visit, Visited
from bench.plan.cost import memory_bytes
from bench.plan.problem import Problem
from reports.schema import Status

_MOST_ROUNDS = 20
_LEAST_CALL_S = 25e-9
"""Of a Python call that does nothing; one that launches nothing would be called for minutes."""
_OPEN_TIMEOUT_S = 300.0
_SLOW_SPIN = 1.5
"""Times the visit's median: whole cores differ by 15 %, a core that is taken or throttled by far more."""
_MOST_STOLEN = 0.2
"""Of a round: what a hypervisor took of the cores. Counted in ticks of 10 ms, so less says little of one round."""
_REPEATED = 3.0
"""Times a round's expected seconds that it may take, for batches are made again."""
_REPEATING_S = 0.2
_CHALLENGING_CALLS = 64
"""Calls that a challenge makes at most, twice over, checks included."""
_MOST_LOST = 2.0
_LEAST_LOST_S = 2.0
"""What may be lost to disturbed batches: so many times a visit's share of the budget, and at least so many seconds."""
_MOST_COOLING = 0.2
"""Of a visit's share of the budget; a figure from a warm GPU is better than none."""
_MOST_THROTTLED_REPEATS = 3
SPARE_BYTES = 4 << 30
"""What a CPU worker may take beyond what its block needs."""


def _append(values: list[Any], value: Any, *, place: int) -> None:
    """Add a value as the ``place``-th; one that is missing is None where others are known, so that places agree."""
    if value is not None or values:
        values += [None] * (place - 1 - len(values))
        values.append(value)


def allowed_bytes(problem: Problem) -> int | None:
    """Give what a worker may take for a problem beyond what it holds; None where the device has a memory of its own."""
    return memory_bytes(problem) + SPARE_BYTES if problem.device == "cpu" else None


def visit(plan: Visit, worker: Answering, listener: Listener) -> Visited:
    """Make one visit.

    Raises
    ------
    WorkerLost
        The worker died or gave no answer; its ``name`` is whose turn it was.
    """
    return _Visiting(plan, worker, listener).made()


class _Visiting:
    """The stages of a visit, in order; each drops the names that do not reach the next."""

    def __init__(self, plan: Visit, worker: Answering, listener: Listener) -> None:
        self._plan = plan
        self._worker = worker
        self._listener = listener
        self._rng = random.Random(f"{plan.seed}:{plan.pass_}:{plan.problem.key}")
        self._visited = Visited(key=plan.problem.key, pass_=plan.pass_, launch=plan.launch, batch_s=plan.batch_s)
        self._untimed: dict[str, str] = {}
        self._call_s: dict[str, float] = {}
        self._spins_s: list[float] = []
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
                memory_bytes=allowed_bytes(plan.problem),
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
        companions = list(self._plan.companions) if timed else []
        if self._plan.reference not in timed:
            companions = [name for name in companions if name != messages.TWIN]
        calls, round_s = {}, 0.0
        for name in companions + timed:
            warmed = self._ask("warm", name, messages.Warm(name=name))
            if warmed.call_s is None:
                self._leave(name, warmed.status, warmed.reason)
                continue
            call_s = self._call_s[name] = max(warmed.call_s, _LEAST_CALL_S)
            calls[name] = calls_for(call_s, clock_s=self._plan.clock_s, batch_s=self._plan.batch_s)
            if self._plan.cold:
                calls[name] = min(calls[name], most_cold_calls(self._plan.problem.device))
            round_s += call_s * (calls[name] + 1)
        for name, reason in self._untimed.items():
            if self._visited.cells[name].status == Status.OK:
                self._visited.cells[name].reason = reason
        rounds = self._plan.rounds
        if rounds is None:
            rounds = rounds_for(round_s, self._plan.share_s, most=_MOST_ROUNDS)
        return Rounds(calls, rounds, self._rng, paired_orders if self._plan.is_paired else balanced_orders)

    def _measure(self, rounds: Rounds) -> None:
        """Time round after round; hold a random one's outputs and the last one's against the truth."""
        last = rounds.planned - 1
        verified = {last, self._rng.randrange(max(1, rounds.planned))}
        most_lost_s = max(_LEAST_LOST_S, _MOST_LOST * self._plan.share_s)
        was_verified = False
        while self._lost_s < most_lost_s and (batches := rounds.next()) is not None:
            verify = rounds.finished in verified
            began = time.perf_counter()
            timed = self._round(rounds, batches, verify=verify)
            took_s = time.perf_counter() - began
            if timed is None:
                continue
            was_verified |= verify
            if self._is_disturbed(timed, took_s) and self._plan.repeats:
                self._lost_s += took_s
                rounds.strike()
                if rounds.wants_shorter:
                    rounds.shorten()
                    self._visited.batch_s /= SHORTENING
                    self._forget_rounds()
            elif any(batch.throttled for batch in timed.batches) and self._cool():
                continue
            else:
                self._record(rounds, timed)
        if rounds.finished < min(rounds.planned, FEWEST_ROUNDS):
            self._forget_rounds()
        elif rounds.finished and not was_verified:
            # It ended before any round that was to be looked at: one more, whose times count for nothing.
            self._round(rounds, [(name, series.calls) for name, series in self._visited.series.items()], verify=True)

    def _round(self, rounds: Rounds, batches: Sequence[tuple[str, int]], *, verify: bool) -> messages.Timed | None:
        """Have one round timed; None where a name fell out of it, and it is void for all."""
        expected_s = sum(self._call_s[name] * (calls + 1) for name, calls in batches)
        request = messages.Time(round=rounds.finished, batches=list(batches), verify=verify)
        timed: messages.Timed = self._ask(
            "measure", "", request, self._plan.timeout_s + _REPEATED * expected_s + _REPEATING_S * len(batches)
        )
        broken = [batch for batch in timed.batches if batch.status is not None]
        for batch in broken:
            self._leave(batch.name, batch.status or Status.FAILED, batch.reason)
            rounds.drop(batch.name)
        return None if broken else timed

    def _is_disturbed(self, timed: messages.Timed, took_s: float) -> bool:
        """Say whether another program, or the hypervisor, took part in a round; count its batches that did not last."""
        stolen_s = timed.stolen_s or 0.0
        self._visited.stolen_s += stolen_s
        is_whole = self._is_slow(timed.spin_s) or stolen_s > _MOST_STOLEN * took_s
        for batch in timed.batches:
            self._series(batch).struck += batch.repeats + (batch.struck or is_whole)
        return is_whole or any(batch.struck for batch in timed.batches)

    def _is_slow(self, spin_s: float | None) -> bool:
        if spin_s is None:
            return False
        self._spins_s.append(spin_s)
        return spin_s > _SLOW_SPIN * statistics.median(self._spins_s)

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
        self._ask("cool", "", messages.Cool(most_s=left_s), self._plan.timeout_s + left_s)
        self._cooled += 1
        self._cooled_s += time.perf_counter() - began
        return True

    def _record(self, rounds: Rounds, timed: messages.Timed) -> None:
        rounds.record()
        self._cooled = 0
        if timed.spin_s is not None:
            self._visited.spins_s.append(timed.spin_s)
        for position, batch in enumerate(timed.batches):
            series = self._series(batch)
            series.calls = batch.calls
            series.seconds.append(batch.seconds or 0.0)
            series.positions.append(position)
            for name in ("call_s", "page_faults", "sm_clock_hz", "throttled", "power_w", "temperature_c"):
                _append(getattr(series, name), getattr(batch, name), place=len(series.seconds))
            if batch.reason is not None and batch.name in self._visited.cells:
                self._visited.cells[batch.name].reason = batch.reason  # a remark on a cell that is ok

    def _series(self, batch: messages.TimedBatch) -> Series:
        return self._visited.series.setdefault(batch.name, Series(calls=batch.calls, seconds=[], positions=[]))

    def _challenge(self) -> None:
        """Call on contents never seen; the reference first, since the others are held against it."""
        names = [name for name in self._in() if name in self._visited.series]
        for name in sorted(names, key=lambda name: name != self._plan.reference):
            timeout_s = self._plan.timeout_s + _CHALLENGING_CALLS * self._call_s[name]
            challenged = self._ask("challenge", name, messages.Challenge(name=name), timeout_s)
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
