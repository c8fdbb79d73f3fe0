"""What a gate found, cell by cell, as rows of ``reports.gate_schema``, and what it comes to as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from bench.gate.asked import Settled
from bench.gate.candidate import Candidate
from bench.gate.exact import Exact, of_cell
from bench.gate.first_call import first_calls
from bench.gate.judge import Judge, Verdict
from bench.gate.pairs import Pair
from bench.gate.passes import Made
from bench.gate.policy import Policy
from reports import quantities as q
from reports.gate_schema import FIRST_CALL, LATENCY, Outcome, VerdictRow, Word

_WORSE = frozenset({Word.REGRESSED, Word.BROKEN, Word.GONE})
_CLOCKED = frozenset({LATENCY, FIRST_CALL})
"""What a machine that treats equal code unequally can say nothing of."""
_COMPARED = frozenset({Word.UNCHANGED, Word.IMPROVED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What figures are held against, and where a reader finds the code."""

    policy: Policy
    today: date
    places: Mapping[str, str]
    """The file of each row."""


def rows(settled: Settled, made: Made | None, rules: Rules) -> list[VerdictRow]:
    """Make all rows: each cell's latency and what is exact of it, first calls, compiled kernels, equal sources."""
    found: list[VerdictRow] = []
    verdicts = made.judge.verdicts() if made else {}
    for one in settled.candidates:
        found.append(_latency(one, verdicts, made, rules))
        if one.word is None:
            found += [exact_row(one.pair, exact, rules) for exact in of_cell(one)]
    found += _first_calls(settled, rules)
    found += [_kernel(row, exact, rules) for row, exact in settled.kernels]
    return found + [_same(row, rules) for row in settled.same]


def _same(row: str, rules: Rules) -> VerdictRow:
    place, reason = rules.places.get(row), "its source is the same on both sides"
    return VerdictRow(implementation=row, metric=LATENCY, verdict=Word.UNCHANGED, unit="s", place=place, reason=reason)


def _latency(one: Candidate, verdicts: Mapping[str, Verdict], made: Made | None, rules: Rules) -> VerdictRow:
    row, key = cell_row(one.pair, LATENCY, Word.NOT_COMPARED, rules), one.pair.key
    row = replace(row, unit="s")
    if one.word is not None:
        return with_allowance(replace(row, verdict=one.word, reason=one.reason), key, rules)
    if made is not None and key in made.left:
        left = made.left[key]
        return with_allowance(replace(row, verdict=left.word, reason=left.reason), key, rules)
    if key not in verdicts:
        return replace(row, reason="has no latency here")
    verdict = verdicts[key]
    lines = rules.policy.lines_of(key)
    assert made is not None
    figures = [figures for one in made.passes if (figures := one.figures.get(key)) is not None]
    known = bool(figures)
    return with_allowance(
        replace(
            row,
            verdict=verdict.word,
            base=math.exp(np.mean([math.log(one.base_s) for one in figures])) if known else None,
            head=math.exp(np.mean([math.log(one.head_s) for one in figures])) if known else None,
            change=verdict.change.centre if known else None,
            change_low=verdict.change.low,
            change_high=verdict.change.high,
            passes=verdict.passes,
            passes_wanted=verdict.wanting,
            threshold=lines.threshold,
            tolerance=lines.tolerance,
            reason=None if known else "the budget ended, or another program disturbed it, in every pass",
        ),
        key,
        rules,
    )


def _first_calls(settled: Settled, rules: Rules) -> list[VerdictRow]:
    growth = rules.policy.first_call_growth(settled.starts)
    return [
        with_allowance(
            VerdictRow(
                implementation=row,
                metric=FIRST_CALL,
                verdict=one.word,
                unit="s",
                base=one.base_s,
                head=one.head_s,
                change=one.change.centre,
                change_low=one.change.low,
                change_high=one.change.high,
                passes=one.starts,
                threshold=growth[row],
                tolerance=growth[row],
                place=rules.places.get(row),
            ),
            row,
            rules,
        )
        for row, one in first_calls(settled.starts, growth, rules.policy.lines.alpha).items()
    ]


def exact_row(pair: Pair, exact: Exact, rules: Rules) -> VerdictRow:
    """Judge what is exact of one cell."""
    growth = rules.policy.growth_of(pair.key, exact.metric)
    row = cell_row(pair, exact.metric, exact.word(growth), rules)
    return with_allowance(_with(row, exact, growth), pair.key, rules)


def _kernel(row_name: str, exact: Exact, rules: Rules) -> VerdictRow:
    key = f"{row_name} {exact.kernel}"
    growth = rules.policy.growth_of(key, exact.metric)
    row = VerdictRow(
        implementation=row_name,
        problem=exact.kernel,
        metric=exact.metric,
        verdict=exact.word(growth),
        place=rules.places.get(row_name),
    )
    return with_allowance(_with(row, exact, growth), key, rules)


def _with(row: VerdictRow, exact: Exact, growth: float) -> VerdictRow:
    return replace(
        row, unit=exact.unit, base=exact.base, head=exact.head, change=exact.change, threshold=growth, tolerance=growth
    )


def cell_row(pair: Pair, metric: str, word: Word, rules: Rules) -> VerdictRow:
    """Make a cell's row without figures."""
    return VerdictRow(
        implementation=pair.row,
        problem=q.problem_label(pair.problem.to_dict(), {"device"}),
        problem_key=pair.problem.key,
        metric=metric,
        verdict=word,
        place=rules.places.get(pair.row),
    )


def with_allowance(row: VerdictRow, key: str, rules: Rules) -> VerdictRow:
    """Say why a row may be worse, where an allowance covers it."""
    if row.verdict not in _WORSE:
        return row
    return replace(row, allowed=rules.policy.allowed(key, row.metric, rules.today))


def outcome(rows: Sequence[VerdictRow], judge: Judge | None) -> Outcome:
    """Give a gate's outcome; what is exact outweighs a machine that treats equal code unequally.

    Parameters
    ----------
    rows
        All verdicts.
    judge
        Knows of all cells together and of the control; None where nothing is timed.
    """
    bad = {row.verdict for row in rows if row.allowed is None}
    worse = [row for row in rows if row.verdict == Word.REGRESSED and row.allowed is None]
    if Word.BROKEN in bad or any(row.metric not in _CLOCKED for row in worse):
        return Outcome.REGRESSION
    if judge is not None and judge.outcome is Outcome.NO_VERDICT:
        return Outcome.NO_VERDICT
    if Word.REGRESSED in bad or (judge is not None and judge.suite is not None and judge.suite.word is Word.REGRESSED):
        return Outcome.REGRESSION
    if Word.GONE in bad:
        return Outcome.GONE
    if Word.UNDECIDED in bad:
        return Outcome.UNDECIDED
    return Outcome.CLEAR if bad & _COMPARED else Outcome.NOTHING
