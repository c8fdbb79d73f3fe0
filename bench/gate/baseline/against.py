"""A run against a stored baseline: the change of each cell's ratio to the reference, and what is exact as it is.

Two runs at two times share neither machine's state nor placement, so latency is advice here unless the user makes it a
verdict. There is one look, at a fixed number of passes: Welch's interval, at a level shared among the cells.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from bench.errors import UsageError
from bench.gate.baseline.stored import Baseline, Cell
from bench.gate.exact import Exact
from bench.gate.pairs import Pair
from bench.gate.verdicts import Rules, cell_row, exact_row, with_allowance
from bench.plan.sweep import Sweep, entry_of
from bench.stats.intervals import Interval, welch_of_moments
from reports.gate_schema import LATENCY, VerdictRow, Word

ADVICE = "advice: another run's time; --baseline-strict makes it a verdict"
CONDITIONS = {"model": "device model", "threads": "threads", "timer": "timer", "cache": "cache", "torch": "torch"}
_EXACT = {"peak_bytes": "peak_bytes", "extra_bytes": "extra_bytes", "saved_bytes": "saved_bytes", "error": "error_rms"}


def refuse_other_conditions(base: Baseline, head: Baseline, allowed: Collection[str]) -> list[str]:
    """Refuse a baseline of other conditions, unless they are allowed by name; give those that were, in words.

    Raises
    ------
    UsageError
        Reference, device, device model, thread count, timer, cache or a major version is another one.
    """
    differing = {}
    for name, words in ({"reference": "reference", "device": "device"} | CONDITIONS).items():
        before, after = getattr(base.conditions, name), getattr(head.conditions, name)
        if name == "torch":
            before, after = (str(one).partition(".")[0] for one in (before, after))
        if before != after:
            differing[name] = f"{words} {before} against {after}"
    for name, said in differing.items():
        if name not in allowed:
            mend = "save one here with 'gnbench baseline save'"
            if name in CONDITIONS:
                mend += f", or give --allow {name}"
            raise UsageError("--baseline", f"was taken under other conditions: {said}", mend)
    return list(differing.values())


def rows(base: Baseline, head: Baseline, rules: Rules, *, strict: bool) -> list[VerdictRow]:
    """Give the verdicts of all cells of either; the reference has no latency row, its ratio is 1."""
    problems = {**base.problems, **head.problems}
    found: list[VerdictRow] = []
    level = 1 - 2 * rules.policy.lines.alpha / max(1, len(head.cells))
    for key, problem in problems.items():
        pair = Pair(problem=problem, row=key.partition(" ")[0])
        before, after = base.cells.get(key), head.cells.get(key)
        if before is None or after is None:
            word = Word.NEW if before is None else Word.GONE
            reason = f"not in {'the baseline' if before is None else 'this run'}, or not right there"
            row = replace(cell_row(pair, LATENCY, word, rules), reason=reason)
            found.append(with_allowance(row, key, rules))
            continue
        if pair.row != base.conditions.reference:
            found.append(_latency(pair, before, after, rules, level=level, strict=strict))
        found += [exact_row(pair, exact, rules) for exact in _exacts(before, after)]
    return found


def _exacts(before: Cell, after: Cell) -> list[Exact]:
    """Pair the figures; the error is the worst of all passes' inputs, so it is one only over as many of them."""
    figures = {
        metric: (getattr(before, name), getattr(after, name))
        for metric, name in _EXACT.items()
        if metric != "error" or before.passes == after.passes
    }
    return [
        Exact(metric=metric, base=base, head=head)
        for metric, (base, head) in figures.items()
        if base is not None and head is not None
    ]


def _latency(pair: Pair, before: Cell, after: Cell, rules: Rules, *, level: float, strict: bool) -> VerdictRow:
    row = cell_row(pair, LATENCY, Word.NOT_COMPARED, rules)
    if before.log_speedup is None or after.log_speedup is None:
        return replace(row, reason="has no speed-up on one side")
    lines = rules.policy.lines_of(pair.key)
    change = _change(before, after, level)
    word = _word(change, math.log1p(lines.tolerance), math.log1p(lines.threshold))
    is_advice = not strict and word in {Word.REGRESSED, Word.UNDECIDED}
    ratio = change.exp()
    row = replace(
        row,
        verdict=word,
        base=math.exp(-before.log_speedup),
        head=math.exp(-after.log_speedup),
        change=ratio.centre,
        change_low=ratio.low,
        change_high=ratio.high,
        passes=min(before.passes, after.passes),
        threshold=lines.threshold,
        tolerance=lines.tolerance,
        allowed=ADVICE if is_advice else None,
    )
    return row if is_advice else with_allowance(row, pair.key, rules)


def _change(before: Cell, after: Cell, level: float) -> Interval:
    """Give log(head) - log(base), each over its own run's reference."""
    assert before.log_speedup is not None
    assert after.log_speedup is not None
    difference = before.log_speedup - after.log_speedup
    if before.spread is None or after.spread is None:
        return Interval(centre=difference)
    return welch_of_moments(difference, (before.spread, before.passes), (after.spread, after.passes), level)


def _word(change: Interval, tolerance: float, threshold: float) -> Word:
    if change.low is None or change.high is None:
        return Word.UNDECIDED
    if change.low > tolerance:
        return Word.REGRESSED
    if change.high < -tolerance:
        return Word.IMPROVED
    return Word.UNCHANGED if change.high < threshold else Word.UNDECIDED


def sweep_of(base: Baseline) -> Sweep:
    """Give the sweep that a run must measure to be held against a baseline."""
    problems = dict.fromkeys(base.problems.values())
    return Sweep(entries=tuple(entry_of(problem) for problem in problems), device=base.conditions.device)


def names_of(base: Baseline) -> tuple[str, ...]:
    """Give the implementations that a baseline has cells of."""
    return tuple(dict.fromkeys(key.partition(" ")[0] for key in base.cells))
