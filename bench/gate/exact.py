"""Metrics without noise, compared as they are: bytes, error, and what compiled kernels take. No clock, no process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.gate.candidate import BYTES, Candidate
from bench.measure.visited import CellVisit
from reports.gate_schema import Word

_KERNEL = ("registers", "spill_bytes", "shared_bytes", "launches")
_UNITS = {"registers": "1", "launches": "1", "error": "1", "instructions": "1"}
_GRAIN = dict.fromkeys(("peak_bytes", "extra_bytes"), float(1 << 19)) | {"instructions": 500.0}
"""Below which a difference says nothing. Where a call's memory is read off resident pages, stacks and arenas of a few
threads move it by 0.1 to 0.3 MB; what torch's allocator gave is exact, in ``allocated_bytes``. Instructions of equal
code differ by up to 250: hashes of addresses, and who was called first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exact:
    """One metric's figures on both sides."""

    metric: str
    base: float
    head: float
    kernel: str | None = None
    """Of which compiled kernel, and for which architecture."""

    @property
    def unit(self) -> str:
        """Of both figures."""
        return _UNITS.get(self.metric, "B")

    @property
    def change(self) -> float | None:
        """Head over base; None where one of them is 0."""
        return self.head / self.base if self.base and self.head else None

    def word(self, growth: float) -> Word:
        """Judge it: worse is beyond base times (1 + growth), and by more than the metric's grain."""
        if abs(self.head - self.base) <= _GRAIN.get(self.metric, 0.0):
            return Word.UNCHANGED
        if self.head > self.base * (1 + growth):
            return Word.REGRESSED
        return Word.IMPROVED if self.head < self.base / (1 + growth) else Word.UNCHANGED


def of_cell(one: Candidate) -> Iterator[Exact]:
    """Give a cell's bytes and its error, where both sides have them.

    The error is the rms over the largest magnitude of the oracle, on inputs that are the same on both sides: the
    largest error would move with any change of the order of a sum. A row without latency is interpreted, and its
    resident bytes are the interpreter's: they differ from call to call.
    """
    if one.base is None or one.head is None:
        return
    for metric in BYTES if one.is_timed else ():
        base, head = _bytes(one.base, metric), _bytes(one.head, metric)
        if base is not None and head is not None:
            yield Exact(metric=metric, base=base, head=head)
    if one.allocated is not None:
        yield Exact(metric="allocated_bytes", base=one.allocated[0], head=one.allocated[1])
    if one.instructions is not None:
        yield Exact(metric="instructions", base=one.instructions[0], head=one.instructions[1])
    errors = [side.checked.error_rms for side in (one.base, one.head) if side.checked]
    if len(errors) == 2 and errors[0] is not None and errors[1] is not None:
        yield Exact(metric="error", base=errors[0], head=errors[1])


def _bytes(side: CellVisit, metric: str) -> int | None:
    return getattr(side.weighed, metric) if side.weighed else None


def of_kernels(
    base: Mapping[str, Mapping[str, float]], head: Mapping[str, Mapping[str, float]], arch: str
) -> Iterator[Exact]:
    """Compare what kernels of one name take on one architecture; those that only one side has have no like."""
    for kernel in sorted(base.keys() & head.keys()):
        for metric in _KERNEL:
            figures = [side[kernel].get(metric) for side in (base, head)]
            if figures[0] is not None and figures[1] is not None:
                yield Exact(metric=metric, base=figures[0], head=figures[1], kernel=f"{kernel} on {arch}")
