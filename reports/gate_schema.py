"""The columns of a gate's frame, one row a cell and metric, and the words of its verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .schema import _column


class Word(StrEnum):
    """What a gate says of one metric of one cell."""

    REGRESSED = "regressed"
    BROKEN = "broken"
    GONE = "gone"
    UNDECIDED = "undecided"
    IMPROVED = "improved"
    MENDED = "mended"
    NEW = "new"
    NOT_COMPARED = "not_compared"
    UNCHANGED = "unchanged"


WORD_MEANING = {
    Word.REGRESSED: "head is worse than the tolerance allows",
    Word.BROKEN: "right on base, not on head",
    Word.GONE: "base computes it, head does not take it any more",
    Word.UNDECIDED: "more passes are wanted",
    Word.IMPROVED: "head is better than the tolerance",
    Word.MENDED: "wrong on base, right on head: nothing to compare with",
    Word.NEW: "only head computes it: nothing to compare with",
    Word.NOT_COMPARED: "neither side has a figure",
    Word.UNCHANGED: "shown to be below the threshold",
}
"""One line for each word, the worst first."""

WORST_FIRST = tuple(WORD_MEANING)


class Outcome(StrEnum):
    """What a gate says as a whole."""

    REGRESSION = "regression"
    CLEAR = "no regression"
    UNDECIDED = "undecided"
    NO_VERDICT = "no verdict"
    """The machine treats equal code unequally."""
    GONE = "cells gone"
    """Fewer cells than base had, and nothing allows it."""
    NOTHING = "nothing compared"


LATENCY = "latency"
FIRST_CALL = "first_call"
"""The metrics whose change is an estimate; all others are read off and compared as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
    """One metric of one cell, or of one compiled kernel, base against head."""

    implementation: str = field(metadata=_column("row of the plugin table"))
    problem: str | None = field(default=None, metadata=_column("the cell's problem in words; none of a kernel"))
    problem_key: str | None = field(default=None, metadata=_column("the problem's key, for patterns in gnbench.toml"))
    metric: str = field(metadata=_column("latency, extra_bytes, error_rms, registers of a kernel, ..."))
    verdict: str = field(metadata=_column("; ".join(f"{word}: {meaning}" for word, meaning in WORD_MEANING.items())))
    unit: str = field(default="1", metadata=_column("unit of base and head"))
    base: float | None = field(default=None, metadata=_column("the base's figure, in ``unit``"))
    head: float | None = field(default=None, metadata=_column("the head's figure, in ``unit``"))
    change: float | None = field(default=None, metadata=_column("head over base; above 1 is worse", "1"))
    change_low: float | None = field(
        default=None, metadata=_column("lower end of its interval, valid however long the gate ran (latency)", "1")
    )
    change_high: float | None = field(default=None, metadata=_column("upper end of its interval", "1"))
    passes: int | None = field(default=None, metadata=_column("passes with a figure (latency)"))
    passes_wanted: int | None = field(
        default=None, metadata=_column("passes more that an undecided cell would need, at its present spread")
    )
    threshold: float | None = field(default=None, metadata=_column("relative growth that must be found", "1"))
    tolerance: float | None = field(default=None, metadata=_column("relative growth that nobody is woken for", "1"))
    place: str | None = field(default=None, metadata=_column("the head's file that has the implementation"))
    allowed: str | None = field(default=None, metadata=_column("why it may be worse ([[gate.allow]])"))
    reason: str | None = field(default=None, metadata=_column("why there is no figure, or what went wrong"))
