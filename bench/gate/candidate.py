"""One cell before its first pass: what became of it on each side, and the verdict where it cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.gate.pairs import Pair
from bench.gate.sources import BASE, HEAD
from bench.measure.visited import CellVisit
from bench.plan.problem import Problem
from reports.gate_schema import Word
from reports.schema import Status

BYTES = ("peak_bytes", "extra_bytes", "saved_bytes")
_ALIKE = 0.001
UNREACHED = CellVisit(status=Status.NOT_MEASURED, reason="the budget ended before its turn")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One cell, and what became of it on each side."""

    pair: Pair
    base: CellVisit | None
    """None where the side has no such row."""
    head: CellVisit | None
    is_timed: bool = False
    allocated: tuple[int, int] | None = None
    """Bytes that a call takes from torch's CPU allocator, base's and head's."""
    instructions: tuple[int, int] | None = None
    """Of a call on one thread, base's and head's, as callgrind counts them."""

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Candidate:
        """Read what ``to_dict`` gave."""
        base, head = (data[side] and CellVisit.from_dict(data[side]) for side in (BASE, HEAD))
        pair = Pair(problem=Problem(**data["pair"]["problem"]), row=data["pair"]["row"])
        two = {name: data[name] and (data[name][0], data[name][1]) for name in ("allocated", "instructions")}
        return cls(pair=pair, base=base, head=head, is_timed=data["is_timed"], **two)

    @property
    def word(self) -> Word | None:
        """The verdict of a cell that cannot be compared; None where it can."""
        return verdict_of(self.base, self.head)

    @property
    def reason(self) -> str | None:
        """Why it cannot be compared."""
        return reason_of(self.base, self.head)

    @property
    def is_unreached(self) -> bool:
        """Say whether the budget ended before its turn."""
        return self.word is Word.UNDECIDED

    @property
    def weighs_differently(self) -> bool:
        """Say whether a figure of its memory differs between the sides by more than a thousandth."""
        if self.word is not None or not self.is_timed or not self.base or not self.head:
            return False
        one, other = self.base.weighed, self.head.weighed
        if one is None or other is None:
            return False
        return any(
            abs((getattr(one, name) or 0) - (getattr(other, name) or 0)) > _ALIKE * (getattr(one, name) or 0)
            for name in BYTES
        )

    def unweighed(self) -> Candidate:
        """Give the cell without its bytes."""
        assert self.base is not None
        assert self.head is not None
        return replace(self, base=replace(self.base, weighed=None), head=replace(self.head, weighed=None))

    def lighter(self, base: CellVisit, head: CellVisit) -> Candidate:
        """Give the cell with the least of its bytes and of another weighing's, on each side."""
        assert self.base is not None
        assert self.head is not None
        return replace(self, base=_lighter(self.base, base), head=_lighter(self.head, head))


def _lighter(one: CellVisit, other: CellVisit) -> CellVisit:
    if one.weighed is None or other.weighed is None:
        return one
    least: dict[str, Any] = {}
    for name in BYTES:
        figures = [getattr(side, name) for side in (one.weighed, other.weighed)]
        known = [figure for figure in figures if figure is not None]
        if known:
            least[name] = min(known)
    return replace(one, weighed=replace(one.weighed, **least))


def verdict_of(base: CellVisit | None, head: CellVisit | None) -> Word | None:
    """Give the verdict that follows from how a cell ended on each side; None where both are right."""
    is_ok = [side is not None and side.status == Status.OK for side in (base, head)]
    if all(is_ok):
        return None
    if any(side is not None and side.status == Status.NOT_MEASURED for side in (base, head)):
        return Word.UNDECIDED
    if not any(is_ok):
        return Word.NOT_COMPARED
    other = base if is_ok[1] else head
    is_absent = other is None or other.status == Status.UNSUPPORTED
    if is_ok[0]:
        return Word.GONE if is_absent else Word.BROKEN
    return Word.NEW if is_absent else Word.MENDED


def reason_of(base: CellVisit | None, head: CellVisit | None) -> str | None:
    """Say what the sides that are not right ended with."""
    for side in (base, head):
        if side is not None and side.status == Status.NOT_MEASURED:
            return side.reason
    said = [
        f"{label} has no such row" if side is None else f"{label} is {side.status}: {side.reason}"
        for label, side in ((BASE, base), (HEAD, head))
        if side is None or side.status != Status.OK
    ]
    return "; ".join(said) or None
