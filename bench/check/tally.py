"""What a row's answers come to, law by law. No clock, no process, no tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bench.check.case import Case
from bench.check.laws import BESIDES, LAWS, REQUIRED


class State(StrEnum):
    """Whether a law holds for a row."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One law held against one output (``judge.Finding``, after JSON)."""

    law: str
    holds: bool
    figure: float | None = None
    bar: float | None = None
    reason: str | None = None

    @property
    def badness(self) -> float:
        """Order findings: how much of what is allowed was used; what has no figure by whether it holds."""
        if self.figure is None or not self.bar:
            return 0.0 if self.holds else float("inf")
        return self.figure / self.bar


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one case came to for one row."""

    findings: tuple[Found, ...] = ()
    not_applicable: str | None = None
    not_run: str | None = None
    failure: str | None = None
    """What it raised, or how its worker was lost."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Answer:
        """Read a worker's answer."""
        findings = tuple(Found(**one) for one in data["findings"])
        return cls(findings=findings, not_applicable=data["not_applicable"], not_run=data["not_run"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One law for one row."""

    law: str
    level: str
    state: str
    cases: int
    """That were judged by it."""
    broken: int
    """Cases that broke it."""
    case: str | None = None
    """The worst of them, or the one that used most of what is allowed."""
    figure: float | None = None
    bar: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One implementation, law by law."""

    implementation: str
    unavailable: str | None
    laws: tuple[Kept, ...]

    @property
    def is_right(self) -> bool:
        """No required law is broken."""
        return not any(one.state == State.BROKEN and one.level == REQUIRED for one in self.laws)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"is_right": self.is_right, **asdict(self)}


def rows_of(
    answers: Mapping[str, Sequence[tuple[Case, Answer]]], unavailable: Mapping[str, str | None]
) -> tuple[Row, ...]:
    """Sum up each row's answers."""
    return tuple(
        Row(
            implementation=name,
            unavailable=unavailable[name],
            laws=() if unavailable[name] else tuple(_kept(law, found) for law in LAWS),
        )
        for name, found in answers.items()
    )


def _kept(law: str, answers: Sequence[tuple[Case, Answer]]) -> Kept:
    """Find the worst of a law; what took its worker down or raised has broken every law that it was asked for."""
    of_law = [(case, answer) for case, answer in answers if law in case.laws or law in BESIDES]
    judged = [(case, finding) for case, answer in of_law for finding in _findings(law, case, answer)]
    level = LAWS[law].level
    if not judged:
        reasons = [answer.not_applicable or answer.not_run for _, answer in of_law]
        is_for_it = not any(answer.not_applicable for _, answer in of_law)
        state = State.NOT_RUN if is_for_it else State.NOT_APPLICABLE
        reason = next((one for one in reasons if one), None)
        return Kept(law=law, level=level, state=state, cases=0, broken=0, reason=reason)
    case, worst = max(judged, key=lambda one: (not one[1].holds, one[1].badness))
    return Kept(
        law=law,
        level=level,
        state=State.HOLDS if worst.holds else State.BROKEN,
        cases=len({one.name for one, _ in judged}),
        broken=len({one.name for one, finding in judged if not finding.holds}),
        case=case.name,
        figure=worst.figure,
        bar=worst.bar,
        reason=worst.reason,
    )


def _findings(law: str, case: Case, answer: Answer) -> tuple[Found, ...]:
    if answer.failure is not None and law in case.laws:
        return (Found(law=law, holds=False, reason=answer.failure),)
    return tuple(finding for finding in answer.findings if finding.law == law)
