"""What a model's norms take together: the sum over its problems of count times latency, with its interval.

A pass is the unit, as for a cell: each pass in which all problems have a figure gives one total, and the interval is
Student's t over passes. The speed-up of a total weighs each problem's paired ratio by what the reference spends there:
sum(count * reference) / sum(count * reference / speed-up), so drift cancels round by round as it does in a cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import pandas as pd

from bench.plan.sweep import Sweep, expand
from bench.record.frames import Frames
from bench.stats.intervals import Interval
from bench.stats.paired import PassFigures, figures_of_pass, latency, speedup
from reports.schema import PROBLEM_COLUMNS, Status
from reports.views import call_seconds

_Problem = tuple[Any, ...]
_Figures = Mapping[tuple[str, _Problem], Mapping[int, PassFigures]]
"""By implementation and problem, pass by pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """One implementation's sum over one model's calls; None is what there is no figure for."""

    model: str
    variant: str
    """The values of the axes that the sweep varies, as ``dtype=float16``; empty where it varies none.

    A model whose calls differ in direction, as a recorded training's, has the sum of all and one of each direction.
    """
    implementation: str
    calls: int
    """Of those that are in the sum: the reference has a figure for each."""
    of_calls: int
    """Of one forward pass."""
    covered: float
    """Share of the reference's total that lies in problems for which this implementation has a figure."""
    latency_s: float | None = None
    latency_low_s: float | None = None
    latency_high_s: float | None = None
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    pass_speedups: tuple[float, ...] = ()
    """Of each pass that has every problem: what two runs are compared by."""

    @property
    def passes(self) -> int:
        """How many passes have every problem."""
        return len(self.pass_speedups)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, for run.json."""
        return asdict(self) | {"passes": self.passes}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What a run's frames say of each cell that is right and timed."""

    reference: str
    names: tuple[str, ...]
    latencies: Mapping[tuple[str, _Problem], float]
    figures: _Figures


def totals(sweep: Sweep, frames: Frames, reference: str) -> tuple[Total, ...]:
    """Sum up a model's calls for each implementation; none where the sweep is no model's.

    The sum is over the problems for which the reference has a figure; an implementation that lacks one of them has no
    total, but the share of the reference's that its problems cover.
    """
    if not sweep.model or frames.samples.empty:
        return ()
    ok = frames.results[(frames.results["status"] == Status.OK) & frames.results["latency_s"].notna()]
    latencies = {_cell(row): float(row["latency_s"]) for row in ok.to_dict("records")}
    figures = {cell: found for cell, found in _figures(frames.samples, reference).items() if cell in latencies}
    run = _Run(
        reference=reference,
        names=tuple(str(name) for name in frames.results["implementation"].unique()),
        latencies=latencies,
        figures=figures,
    )
    return tuple(
        total
        for variant, counts in _variants(sweep).items()
        for total in _of_variant(variant, sweep.model, counts, run)
    )


def _variants(sweep: Sweep) -> dict[str, dict[_Problem, int]]:
    """Give the counts of each variant's problems."""
    problems = expand(sweep).problems
    varied = sweep.varied
    axes = [varied]
    if "direction" not in varied and len({one.problem.direction for one in problems}) > 1:
        axes.append((*varied, "direction"))
    variants: dict[str, dict[_Problem, int]] = {}
    for names in axes:
        for one in problems:
            facts = one.problem.to_dict()
            variant = " ".join(f"{name}={facts[name]}" for name in names)
            variants.setdefault(variant, {})[tuple(facts[name] for name in PROBLEM_COLUMNS)] = one.count
    return variants


def _cell(row: Mapping[Any, Any]) -> tuple[str, _Problem]:
    return row["implementation"], tuple(row[name] for name in PROBLEM_COLUMNS)


def _figures(samples: pd.DataFrame, reference: str) -> _Figures:
    figures: dict[tuple[str, _Problem], dict[int, PassFigures]] = {}
    timed = samples.assign(call_s=call_seconds(samples)).sort_values("round")
    for key, rows in timed.groupby([*PROBLEM_COLUMNS, "pass"], sort=True):
        *problem, pass_ = cast("tuple[Any, ...]", key)
        timings = {str(name): one["call_s"].to_list() for name, one in rows.groupby("implementation")}
        for name, found in figures_of_pass(timings, reference).items():
            figures.setdefault((name, tuple(problem)), {})[int(pass_)] = found
    return figures


def _of_variant(variant: str, model: str, counts: Mapping[_Problem, int], run: _Run) -> list[Total]:
    summed = {problem: count for problem, count in counts.items() if (run.reference, problem) in run.latencies}
    weights = {problem: count * run.latencies[run.reference, problem] for problem, count in summed.items()}
    whole = math.fsum(weights.values())
    found = []
    for name in run.names if summed else ():
        has = [problem for problem in summed if (name, problem) in run.latencies]
        sums = _pass_sums(name, summed, run) if len(has) == len(summed) else []
        ratio = speedup([math.log(one) for _, one in sums])
        if ratio is not None and name == run.reference:
            ratio = Interval(centre=1.0, low=1.0, high=1.0)  # over itself: no estimate
        found.append(
            Total(
                model=model,
                variant=variant,
                implementation=name,
                calls=sum(summed.values()),
                of_calls=sum(counts.values()),
                covered=math.fsum(weights[problem] for problem in has) / whole,
                pass_speedups=tuple(one for _, one in sums),
                **_ends("latency", latency([one for one, _ in sums]), "_s"),
                **_ends("speedup", ratio, ""),
            )
        )
    return found


def _pass_sums(name: str, counts: Mapping[_Problem, int], run: _Run) -> list[tuple[float, float]]:
    """Give total and speed-up of each pass in which this one and the reference have every problem."""
    both = [
        (count, run.figures[run.reference, problem], run.figures[name, problem]) for problem, count in counts.items()
    ]
    passes = set.intersection(*({*theirs} & {*own} for _, theirs, own in both))
    sums = []
    for one in sorted(passes):
        seconds = math.fsum(count * own[one].median_s for count, _, own in both)
        spent = math.fsum(count * theirs[one].median_s for count, theirs, _ in both)
        implied = math.fsum(
            count * theirs[one].median_s * math.exp(-(own[one].log_ratio or 0.0)) for count, theirs, own in both
        )
        sums.append((seconds, spent / implied))
    return sums


def _ends(name: str, interval: Interval | None, unit: str) -> dict[str, float | None]:
    ends = (interval.centre, interval.low, interval.high) if interval else (None, None, None)
    return dict(zip((f"{name}{unit}", f"{name}_low{unit}", f"{name}_high{unit}"), ends, strict=True))
