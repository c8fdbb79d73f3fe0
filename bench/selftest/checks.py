"""What a self-test's runs found against what is true: one record a check, met or not."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.selftest import assess, truths
from bench.selftest.passes import log_ratios
from bench.stats.intervals import Interval
from reports.quantities import is_null

MOST_BIAS = 0.01
COVERAGE = (0.93, 0.97)
LEAST_TOLD = 0.95
MOST_TRIAL_S = 10.0
LEAST_INTERVALS = 1000
"""Fewer are shown and not judged."""
PASSES_AN_INTERVAL = 6
"""What a run makes at least."""
_ROUNDING_ULP = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing whose answer is known."""

    check: str
    """What was measured."""
    unit: str
    """s, B, ULP, 1 (a ratio or a share), or empty for a status."""
    expected: float | str
    measured: float | str | None
    """None where there is no figure; ``remark`` says why."""
    low: float | None = None
    """Ends of the 95 % interval, in the same unit."""
    high: float | None = None
    bias: float | None = None
    """Relative, signed; None where it has no meaning."""
    goal: str = ""
    met: bool | None = None
    """None where there is no goal, or too little to judge by."""
    remark: str = ""


Row = Mapping[str, Any]
Rows = Mapping[str, Row]


def by_name(results: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Give the rows of a run with one problem by implementation, null as None."""
    return {
        str(row["implementation"]): {str(name): None if is_null(value) else value for name, value in row.items()}
        for row in results.to_dict("records")
    }


def known_checks(rows: Rows) -> Iterator[Check]:
    """Judge times, bytes and errors that are known."""
    for wait in truths.WAITS:
        row = rows.get(wait.name)
        yield _judged(f"time of {wait.name}", "s", wait.seconds, _latency(row), _why(row))
    for taking in truths.TAKINGS:
        row = rows.get(taking.name)
        found = None if row is None else row["extra_bytes"]
        yield Check(
            check=f"memory of {taking.name}",
            unit="B",
            expected=float(taking.extra_bytes),
            measured=None if found is None else float(found),
            bias=None if found is None else assess.relative_bias(found, taking.extra_bytes),
            goal="exact",
            met=found == taking.extra_bytes,
            remark=_why(row),
        )
    for off in truths.OFFS:
        row = rows.get(off.name)
        found = None if row is None else row["error_ulp"]
        is_right = row is not None and row["status"] == off.status
        yield Check(
            check=f"error of {off.name}",
            unit="ULP",
            expected=float(off.ulp),
            measured=found,
            goal=f"within {_ROUNDING_ULP} ULP, {off.status}",
            met=is_right and found is not None and abs(found - off.ulp) <= _ROUNDING_ULP,
            remark="" if is_right else _why(row),
        )


def liar_checks(rows: Rows) -> Iterator[Check]:
    """Judge whether each liar was caught, and by the right name."""
    for liar in truths.LIARS:
        row = rows.get(liar.name)
        status = row["status"] if row else None
        yield Check(
            check=f"liar {liar.name}",
            unit="",
            expected=" or ".join(liar.caught),
            measured=status,
            goal="caught",
            met=status in liar.caught,
            remark=liar.lie,
        )


def ratio_checks(results: pd.DataFrame, samples: pd.DataFrame, cost: Mapping[str, float], seed: int) -> Iterator[Check]:
    """Judge ratios of times that are known: their bias, their intervals' coverage, and what can be told apart."""
    rows = by_name(results)
    base = truths.REFERENCE
    held: list[bool] = []
    false: list[bool] = []
    told: dict[int, list[bool]] = {}
    independent = 0
    for pair in truths.PAIRS:
        row = rows.get(pair.name)
        yield _judged(f"time ratio of {pair.name}", "1", pair.units / base.units, _time_ratio(row), _why(row))
        launches = assess.whole(log_ratios(samples, pair.name, base.name)) if row and row["status"] == "ok" else []
        intervals = assess.assembled(launches, PASSES_AN_INTERVAL, random.Random(seed))
        held += [assess.holds(one, base.units / pair.units) for one in intervals]
        if pair.units == base.units:
            false += [not assess.holds(one, 1.0) for one in intervals]
        # Told on the right side: a row of more units that is shown to be faster was not told, but mistaken.
        told[pair.units] = [one.high is not None and one.high < 1.0 for one in intervals]
        independent = max(independent, assess.independent_of(launches, PASSES_AN_INTERVAL))
    enough = len(held) >= LEAST_INTERVALS
    yield _coverage(assess.share_of(held, independent * len(truths.PAIRS)), is_judged=enough)
    yield _false_alarms(assess.share_of(false, independent), is_judged=enough)
    smallest = min(pair.units for pair in truths.PAIRS if pair.units != base.units)
    yield _told(smallest / base.units, assess.share_of(told[smallest], independent), trial_s(samples, cost, smallest))


def trial_s(samples: pd.DataFrame, cost: Mapping[str, float], units: int) -> float | None:
    """Give the wall time of one trial of one pair, s: six passes with everything but the other rows' batches.

    Every batch of these rows is preceded by one untimed call of the same length, hence twice.
    """
    passes = int(samples["pass"].nunique())
    if not passes:
        return None
    names = {truths.REFERENCE.name, *(pair.name for pair in truths.PAIRS if pair.units == units)}
    own_s = 2 * float(samples.loc[samples["implementation"].isin(names), "seconds"].sum())
    besides_s = cost["wall_s"] - cost["reporting_s"] - cost["measuring_s"]
    return PASSES_AN_INTERVAL * (own_s + besides_s) / passes


def _coverage(found: assess.Share | None, *, is_judged: bool) -> Check:
    least, most = COVERAGE
    met, remark = None, "too few passes to assemble any"
    if found is not None:
        remark = (
            f"{found.of} intervals of {PASSES_AN_INTERVAL} passes, at most {found.independent} of them independent, "
            "by which the share's own interval is made"
        )
        met = least <= found.share <= most if is_judged else None
        if not is_judged:
            remark += f"; {LEAST_INTERVALS} are needed to judge"
        elif not met and found.high >= least and found.low <= most:
            remark += "; it reaches the goal, so more passes may"
    goal = f"{least:.0%} to {most:.0%}"
    return _share("95 % intervals that hold the truth", 0.95, found, goal=goal, met=met, remark=remark)


def _false_alarms(found: assess.Share | None, *, is_judged: bool) -> Check:
    most = 1 - COVERAGE[0]
    met = found.share <= most if found and is_judged else None
    return _share("1.00 taken for a difference", 0.05, found, goal=f"at most {most:.0%}", met=met)


def _told(ratio: float, found: assess.Share | None, seconds: float | None) -> Check:
    met = found is not None and found.share >= LEAST_TOLD and seconds is not None and seconds <= MOST_TRIAL_S
    remark = "" if seconds is None else f"a trial takes {seconds:.1f} s"
    goal = f"at least {LEAST_TOLD:.0%}, in {MOST_TRIAL_S:g} s a pair"
    return _share(f"{ratio:.2f} told from 1.00", 1.0, found, goal=goal, met=met, remark=remark)


def _share(
    check: str, expected: float, found: assess.Share | None, *, goal: str, met: bool | None, remark: str = ""
) -> Check:
    return Check(
        check=check,
        unit="1",
        expected=expected,
        measured=None if found is None else found.share,
        low=None if found is None else found.low,
        high=None if found is None else found.high,
        goal=goal,
        met=met,
        remark=remark,
    )


def _time_ratio(row: Row | None) -> Interval | None:
    """Give this one's time over the reference's: a row's speed-up is the other way round."""
    if row is None or row["speedup"] is None:
        return None
    low, high = row["speedup_low"], row["speedup_high"]
    return Interval(centre=1 / row["speedup"], low=high and 1 / high, high=low and 1 / low)


def _latency(row: Row | None) -> Interval | None:
    if row is None or row["latency_s"] is None:
        return None
    return Interval(centre=row["latency_s"], low=row["latency_low_s"], high=row["latency_high_s"])


def _judged(check: str, unit: str, truth: float, found: Interval | None, remark: str) -> Check:
    bias = None if found is None else assess.relative_bias(found.centre, truth)
    if bias is not None and math.fabs(bias) > MOST_BIAS and found is not None and assess.holds(found, truth):
        remark = "its interval holds the truth: noise is enough to explain it"
    return Check(
        check=check,
        unit=unit,
        expected=truth,
        measured=None if found is None else found.centre,
        low=None if found is None else found.low,
        high=None if found is None else found.high,
        bias=bias,
        goal=f"bias at most {MOST_BIAS:.0%}",
        met=bias is not None and math.fabs(bias) <= MOST_BIAS,
        remark=remark,
    )


def _why(row: Row | None) -> str:
    if row is None:
        return "the run has no such row"
    return "" if row["status"] == "ok" and not row["reason"] else f"{row['status']}: {row['reason']}"
