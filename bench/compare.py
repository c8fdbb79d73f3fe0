"""Two runs side by side: the ratio of their speed-ups to the reference, never of absolute times.

A run's absolute times carry its day's clock, neighbors and placement; a speed-up to the reference measured in
the same rounds does not. The pass is the unit: each pass of each run gives one log ratio, and the interval of
the difference is Welch's, since two runs need not be equally steady. Where the runs measured in different
ways (timer, cache, threads, device, reference) there is no ratio, and the verdict says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pandas as pd

from bench.record.frames import Frames
from bench.stats.intervals import Interval, welch_interval
from bench.stats.paired import log_ratio_of_pass, speedup
from reports.quantities import problem_label
from reports.schema import PROBLEM_COLUMNS, ComparisonRow, Status
from reports.views import call_seconds

Info = Mapping[str, Any]
_Key = tuple[Any, ...]

_CONDITIONS = ("device", "timer", "cache", "threads")
"""What must be equal before two figures may be compared."""

_ENVIRONMENT = {
    "CPU model": ("cpu", "model"),
    "cores": ("cpu", "available_cores"),
    "CPU quota in cores": ("cpu", "quota_cores"),
    "governor": ("cpu", "governor"),
    "hyper-threading": ("cpu", "smt"),
    "turbo": ("cpu", "turbo"),
    "system": ("host", "system"),
    "kernel": ("host", "release"),
    "machine": ("host", "machine"),
    "virtual machine": ("host", "virtual"),
    "Python": ("host", "python"),
    "reference": ("settings", "reference"),
    "seed": ("seed",),
}
"""Where run.json keeps what may explain a difference, the weightiest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two runs, cell by cell."""

    differences: tuple[str, ...]
    """How the runs' environments differ, one line each; to be said first."""
    rows: tuple[ComparisonRow, ...]
    """One row a cell of either run, the reference's aside, in the base run's order."""
    totals: tuple[ComparisonRow, ...]
    """Likewise of the sums over a model's calls, where the runs are of a model's preset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cell:
    """What one run says of one cell."""

    run: str
    implementation: str
    reference: str
    problem: str
    status: str
    conditions: dict[str, Any]
    noise_floor: float
    log_ratios: list[float]
    """The log of the speed-up, pass by pass."""
    lacking: str
    """What it lacks that has none of these."""


def compare(base: Frames, head: Frames, base_info: Info, head_info: Info) -> Comparison:
    """Set a run (head) against an earlier one (base); the infos are the runs' ``run.json``."""
    pair = (base.results, head.results)
    # Cells of a CPU run and a GPU run meet, to be told why they aren't compared; within one run they stay apart.
    has_one_device = all(frame["device"].nunique() <= 1 for frame in pair)
    key = [name for name in PROBLEM_COLUMNS if not (has_one_device and name == "device")]
    in_base, in_head = _cells("base", base, base_info, key), _cells("head", head, head_info, key)
    return Comparison(
        differences=tuple(chain(_condition_differences(*pair), _differences(base_info, head_info))),
        rows=_rows(in_base, in_head),
        totals=_rows(_totals("base", base.results, base_info), _totals("head", head.results, head_info)),
    )


def _rows(base: dict[_Key, _Cell], head: dict[_Key, _Cell]) -> tuple[ComparisonRow, ...]:
    return tuple(_row(base.get(one), head.get(one)) for one in base | head)


def _cells(run: str, frames: Frames, info: Info, key: list[str]) -> dict[_Key, _Cell]:
    reference = _told(info, ("settings", "reference")) or "native"
    ratios = _log_ratios(frames.samples, reference)
    rows: list[dict[str, Any]] = frames.results.to_dict("records")  # type: ignore[assignment]  # names are str
    return {
        _key(row, key): _Cell(
            run=run,
            implementation=row["implementation"],
            reference=reference,
            problem=problem_label(row, {*PROBLEM_COLUMNS}.difference(key)),
            status=row["status"],
            conditions={name: _or_none(row.get(name)) for name in _CONDITIONS} | _sustained(info),
            noise_floor=_or_none(row.get("noise_floor")) or 0.0,
            log_ratios=ratios.get(_key(row, PROBLEM_COLUMNS), []) if row["status"] == Status.OK else [],
            lacking=f"no round paired with {reference}",
        )
        for row in rows
        if row["implementation"] != reference
    }


def _totals(run: str, results: pd.DataFrame, info: Info) -> dict[_Key, _Cell]:
    """Give a run's sums over its model's calls; they are as noisy as the middle one of its cells."""
    reference = _told(info, ("settings", "reference")) or "native"
    floor = results["noise_floor"].median() if len(results) else None
    return {
        (one["implementation"], one["model"], one["variant"]): _Cell(
            run=run,
            implementation=one["implementation"],
            reference=reference,
            problem=f"{one['model']}{one['variant'] and ' ' + one['variant']}",
            status=Status.OK,
            conditions={name: _listed(results[name].dropna().unique()) for name in _CONDITIONS}
            | _sustained(info)
            | {"calls in the sum": f"{one['calls']} of {one['of_calls']}"},
            noise_floor=_or_none(floor) or 0.0,
            log_ratios=[math.log(ratio) for ratio in one.get("pass_speedups") or ()],
            lacking="no pass with a figure for every call",
        )
        for one in info.get("totals") or ()
        if one["implementation"] != reference
    }


def _sustained(info: Info) -> dict[str, Any]:
    return {"sustained load": bool(_told(info, ("settings", "sustained")))}


def _key(row: Info, names: Iterable[str]) -> _Key:
    return (row["implementation"], *(row[name] for name in names))


def _log_ratios(samples: pd.DataFrame, reference: str) -> dict[_Key, list[float]]:
    """Give each cell's log ratio to the reference, pass by pass, from the rounds that both were timed in."""
    round_key = [*PROBLEM_COLUMNS, "pass", "launch", "round"]
    timed = samples.assign(call_s=call_seconds(samples))[["implementation", *round_key, "call_s"]]
    references = timed[timed["implementation"] == reference].drop(columns="implementation")
    paired = timed.merge(references, on=round_key, suffixes=("", "_reference"))
    ratios: dict[_Key, list[float]] = {}
    for (*cell, _), rounds in paired.groupby(["implementation", *PROBLEM_COLUMNS, "pass"], sort=True):
        ratio = log_ratio_of_pass(rounds["call_s_reference"].to_list(), rounds["call_s"].to_list())
        if ratio is not None:
            ratios.setdefault(tuple(cell), []).append(ratio)
    return ratios


def _row(base: _Cell | None, head: _Cell | None) -> ComparisonRow:
    either = head or base
    assert either is not None
    before, after = (cell and speedup(cell.log_ratios) for cell in (base, head))
    change = None
    if base is None or head is None:
        verdict = f"only in {either.run}"
    elif obstacle := _obstacle(base, head):
        verdict = f"not compared: {obstacle}"
    else:
        difference = welch_interval(head.log_ratios, base.log_ratios)
        assert difference is not None
        change = difference.exp()
        verdict = _verdict(change, max(base.noise_floor, head.noise_floor))
    return ComparisonRow(
        implementation=either.implementation,
        problem=either.problem,
        base_speedup=before.centre if before else None,
        head_speedup=after.centre if after else None,
        change=change.centre if change else None,
        change_low=change.low if change else None,
        change_high=change.high if change else None,
        verdict=verdict,
    )


def _obstacle(base: _Cell, head: _Cell) -> str | None:
    """Say why two cells have no ratio; None where they have one."""
    bad = [f"{cell.status} in {cell.run}" for cell in (base, head) if cell.status != Status.OK]
    if bad:
        return " and ".join(bad)
    if base.reference != head.reference:
        return f"reference {base.reference} against {head.reference}"
    for name, found in base.conditions.items():
        if found != head.conditions[name]:
            return _against(name, found, head.conditions[name])
    silent = [cell.run for cell in (base, head) if not cell.log_ratios]
    return f"{base.lacking} in {' and '.join(silent)}" if silent else None


def _verdict(change: Interval, noise_floor: float) -> str:
    """Judge by the interval, and by the noise floor: what the reference's twin differs by proves nothing."""
    if change.low is None or change.high is None:
        return "no interval: a run has one pass alone"
    if change.low > 1 and change.centre > 1 + noise_floor:
        return "faster"
    if change.high < 1 and change.centre < 1 / (1 + noise_floor):
        return "slower"
    return "no difference shown"


def _differences(base: Info, head: Info) -> Iterator[str]:
    packages = sorted({*(base.get("versions") or {}), *(head.get("versions") or {})})
    places = _ENVIRONMENT | {name: ("versions", name) for name in packages}
    for name, place in places.items():
        before, after = _told(base, place), _told(head, place)
        if before != after:
            yield _against(name, before, after)
    before, after = (", ".join(str(gpu.get("name")) for gpu in info.get("gpu") or []) or None for info in (base, head))
    if before != after:
        yield _against("GPU", before, after)
    before, after = _revision(base), _revision(head)
    if before != after:
        yield _against("git revision", before, after)


def _condition_differences(base: pd.DataFrame, head: pd.DataFrame) -> Iterator[str]:
    """Tell the conditions that differ in the frames, which know what was done, not only what was asked for."""
    for name in _CONDITIONS:
        before, after = (_listed(frame[name].dropna().unique()) for frame in (base, head))
        if before != after:
            yield _against(name, before, after)


def _listed(values: Iterable[Any]) -> str | None:
    return " and ".join(sorted(map(str, values))) or None


def _told(info: Info, place: Sequence[str]) -> Any:
    """Follow a path through nested facts, any of which may be missing."""
    found: Any = info
    for word in place:
        found = (found or {}).get(word)
    return found


def _revision(info: Info) -> str | None:
    revision = _told(info, ("git", "revision"))
    return f"{revision[:12]}{' with changes' if _told(info, ('git', 'dirty')) else ''}" if revision else None


def _against(name: str, base: Any, head: Any) -> str:
    return f"{name} {_said(base)} against {_said(head)}"


def _said(value: Any) -> str:
    if value is None:
        return "unknown"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _or_none(value: Any) -> Any:
    return None if value is None or pd.isna(value) else value
