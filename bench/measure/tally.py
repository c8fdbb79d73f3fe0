"""What the visits of one block add up to: whether it is done, and its rows. No clock, no process."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import messages
from bench.measure.visited import CellVisit, Series, Visited
from bench.plan.block import Block
from bench.stats import drift, paired
from bench.stats.intervals import Interval
from bench.stats.stopping import Stopping
from reports.schema import ResultRow, SampleRow, Status

_IMPLAUSIBLE_BELOW = 0.7
"""Times the faster plain copy: no kernel moves its bytes in less. Refused when the interval's end says so too, for on
a busy machine native's centre alone was once below it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What all figures of a run have in common, and no figures of different kinds may share."""

    run_id: str
    reference: str
    timer: str
    cache: str
    threads: int


class Tally:
    """One block's visits, fed pass by pass.

    Parameters
    ----------
    block
        What is measured.
    slow
        Names that start slowly: they take part in every other pass.
    stopping
        When the block is done.
    """

    def __init__(self, block: Block, slow: Collection[str], stopping: Stopping) -> None:
        self.block = block
        self._slow = frozenset(slow)
        self._stopping = stopping
        self._visits: list[Visited] = []

    @property
    def passes(self) -> int:
        """How many visits there were."""
        return len(self._visits)

    def feed(self, visited: Visited) -> None:
        """Take one visit's record."""
        self._visits.append(visited)

    def names_for(self, pass_: int, reference: str) -> tuple[str, ...]:
        """Give the names of a pass: none that failed, an untimed one once, a slow one every other time.

        The reference takes part in all: without it a pass gives nobody a speed-up.
        """
        return tuple(
            name
            for name in self.block.names
            if self._status(name) == Status.OK
            and not (self.passes and self._is_untimed(name))
            and not (pass_ % 2 and name in self._slow and name != reference)
        )

    def is_done(self, reference: str, *, budget_is_spent: bool) -> bool:
        """Say whether the block needs no further pass."""
        if not any(self._status(name) == Status.OK and not self._is_untimed(name) for name in self.block.names):
            return self.passes > 0
        if self.passes >= self._stopping.least_passes and budget_is_spent:
            return True
        ratios = {
            name: self._log_ratios(name, reference)
            for name in self.block.names
            if name != reference and self._status(name) == Status.OK and not self._is_untimed(name)
        }
        return self._stopping.is_done(ratios, self.passes, self._slow)

    def _cells(self, name: str) -> list[CellVisit]:
        return [visited.cells[name] for visited in self._visits if name in visited.cells]

    def _status(self, name: str) -> str:
        return next((cell.status for cell in self._cells(name) if cell.status != Status.OK), Status.OK)

    def _is_untimed(self, name: str) -> bool:
        return self.passes > 0 and not any(name in visited.series for visited in self._visits)

    def _figures(self, name: str, reference: str) -> list[paired.PassFigures]:
        found = []
        for visited in self._visits:
            timings = {one: visited.series[one].call_seconds() for one in (reference, name) if one in visited.series}
            found += [figures for one, figures in paired.figures_of_pass(timings, reference).items() if one == name]
        return found

    def _log_ratios(self, name: str, reference: str) -> list[float]:
        return [one.log_ratio for one in self._figures(name, reference) if one.log_ratio is not None]

    def results(self, conditions: Conditions) -> list[ResultRow]:
        """Make the block's rows."""
        if not self._visits:
            return [
                _row(
                    self.block,
                    conditions,
                    name,
                    status=Status.NOT_MEASURED,
                    reason="the run ended before its first visit",
                )
                for name in self.block.names
            ]
        reference_error = _worst(self._checks(conditions.reference), "error_max_abs")
        twin = paired.speedup(self._log_ratios(messages.TWIN, conditions.reference))
        clone = paired.speedup(self._log_ratios(messages.CLONE, conditions.reference))
        common = {"noise_floor": paired.noise_floor(twin)} | _interval_fields("clone_speedup", clone, "")
        return [self._result(conditions, name, common, reference_error) for name in self.block.names]

    def _roofline(self, name: str) -> Interval | None:
        """Give the faster plain copy's time over this one's, paired by round as a speed-up is."""
        ratios = [paired.speedup(self._log_ratios(name, copy)) for copy in (messages.COPY, messages.CLONE)]
        return min((ratio for ratio in ratios if ratio is not None), key=lambda ratio: ratio.centre, default=None)

    def _checks(self, name: str) -> list[messages.Checked]:
        return [cell.checked for cell in self._cells(name) if cell.checked is not None]

    def _result(
        self,
        conditions: Conditions,
        name: str,
        common: dict[str, float | None],
        reference_error: float | None,
    ) -> ResultRow:
        status = self._status(name)
        fields = self._reason(name, status) | self._checked_fields(name, reference_error)
        if status != Status.OK:
            return _row(self.block, conditions, name, status=status, **fields)
        fields |= self._memory_fields(name)
        figures = self._figures(name, conditions.reference)
        latency = paired.latency([one.median_s for one in figures])
        if latency is None:
            struck = sum(visited.series[name].struck for visited in self._visits if name in visited.series)
            if struck:
                why = f"another program was busy: each of {struck} batches was disturbed"
                return _row(self.block, conditions, name, status=Status.NOT_MEASURED, **(fields | {"reason": why}))
            return _row(self.block, conditions, name, status=status, **fields)
        roofline = self._roofline(name)
        if roofline is not None and (roofline.low or roofline.centre) > 1 / _IMPLAUSIBLE_BELOW:
            why = (
                f"{latency.centre:.3g} s a call, {roofline.centre:.3g} times as fast as a plain copy of the same bytes"
            )
            return _row(self.block, conditions, name, status=Status.IMPLAUSIBLE, **(fields | {"reason": why}))
        fields |= self._latency_fields(name, figures, latency, roofline) | common
        if (why_none := self._no_reference(conditions.reference)) is not None:
            fields["reason"] = fields.get("reason") or why_none
        elif name == conditions.reference:
            fields |= {"speedup": 1.0, "speedup_low": 1.0, "speedup_high": 1.0}  # over itself: no estimate
        else:
            fields |= _interval_fields("speedup", paired.speedup(self._log_ratios(name, conditions.reference)), "")
        return _row(self.block, conditions, name, status=status, **fields)

    def _no_reference(self, reference: str) -> str | None:
        """Say why the block is measured without speed-ups, where its reference fell out."""
        status = self._status(reference)
        if status == Status.OK:
            return None
        why = self._reason(reference, status)["reason"]
        return f"no speed-up: {reference} is {status}" + (f" ({why})" if why else "")

    def _latency_fields(
        self, name: str, figures: Sequence[paired.PassFigures], latency: Interval, roofline: Interval | None
    ) -> dict[str, Any]:
        medians = [one.median_s for one in figures]
        series = [visited.series[name] for visited in self._visits if name in visited.series]
        faults = [fault / one.calls for one in series for fault in one.page_faults if fault is not None]
        return _interval_fields("latency", latency, "_s") | {
            "mean_latency_s": _mean_latency(series),
            "fastest_pass_s": min(medians),
            "passes": len(figures),
            "rounds": sum(one.rounds for one in figures),
            "outliers": sum(one.outliers for one in figures),
            "struck": sum(one.struck for one in series),
            "spread_between": drift.spread_between(medians),
            "spread_within": drift.spread_within([one.call_seconds() for one in series]),
            **_movement(medians, [one.call_seconds() for one in series]),
            "bandwidth_bytes_per_s": self.block.problem.minimum_bytes / latency.centre,
            "roofline_fraction": roofline.centre if roofline else None,
            "page_faults": statistics.median(faults) if faults else None,
        }

    def _reason(self, name: str, status: str) -> dict[str, Any]:
        cells = self._cells(name)
        reason = next((cell.reason for cell in cells if cell.status == status and cell.reason), None)
        if reason is None and status == Status.OK and name in self._slow and len(cells) < self.passes:
            reason = f"starts slowly: took part in {len(cells)} of {self.passes} passes"
        return {"reason": reason}

    def _checked_fields(self, name: str, reference_error: float | None) -> dict[str, Any]:
        checks = self._checks(name)
        if not checks:
            return {}
        error = _worst(checks, "error_max_abs")
        bits = [check.bitwise_equal for check in checks if check.bitwise_equal is not None]
        return {
            "first_call_s": checks[0].first_call_s,
            **{
                column: _worst(checks, column)
                for column in ("error_max_abs", "error_max_rel", "error_rms", "error_ulp")
            },
            "error_vs_reference": error / reference_error if error is not None and reference_error else None,
            "bitwise_equal": all(bits) if bits else None,
            "output_layout": checks[0].output_layout,
        }

    def _memory_fields(self, name: str) -> dict[str, Any]:
        weighed = next((cell.weighed for cell in self._cells(name) if cell.weighed is not None), None)
        if weighed is None:
            return {}
        return {
            "peak_bytes": weighed.peak_bytes,
            "extra_bytes": weighed.extra_bytes,
            "saved_bytes": weighed.saved_bytes,
            "fresh_output_s": weighed.fresh_output_s,
            "host_latency_s": weighed.host_latency_s,
        }

    def samples(self, run_id: str) -> Iterable[SampleRow]:
        """Make a row of every timed batch."""
        for visited in self._visits:
            for name, series in visited.series.items():
                for round_, (seconds, call_s) in enumerate(zip(series.seconds, series.call_seconds(), strict=True)):
                    yield SampleRow(
                        run_id=run_id,
                        implementation=name,
                        **self.block.problem.to_dict(),
                        pass_=visited.pass_,
                        launch=visited.launch,
                        round=round_,
                        position=series.positions[round_],
                        calls=series.calls,
                        seconds=seconds,
                        call_s=call_s,
                        spin_s=visited.spins_s[round_] if visited.spins_s else None,
                        sm_clock_hz=series.sm_clock_hz[round_] if series.sm_clock_hz else None,
                        throttled=series.throttled[round_] if series.throttled else None,
                        power_w=series.power_w[round_] if series.power_w else None,
                        temperature_c=series.temperature_c[round_] if series.temperature_c else None,
                    )


def unfitting_rows(block: Block, needed_bytes: int, available_bytes: int, conditions: Conditions) -> list[ResultRow]:
    """Make the rows of a problem that does not fit in memory."""
    reason = f"needs {needed_bytes:,} bytes with its oracle, where {available_bytes:,} are available"
    return [_row(block, conditions, name, status=Status.UNSUPPORTED, reason=reason) for name in block.names]


def _row(block: Block, conditions: Conditions, name: str, *, status: str, **fields: Any) -> ResultRow:
    return ResultRow(
        run_id=conditions.run_id,
        implementation=name,
        **block.problem.to_dict(),
        status=status,
        timer=conditions.timer,
        cache=conditions.cache,
        threads=conditions.threads,
        minimum_bytes=block.problem.minimum_bytes,
        **fields,
    )


def _mean_latency(series: Sequence[Series]) -> float | None:
    """Give the latency that whole batches have: geometric mean over passes of each one's median."""
    interval = paired.latency([statistics.median(one.whole_call_seconds()) for one in series if one.seconds])
    return None if interval is None else interval.centre


def _movement(medians: Sequence[float], passes: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Say how a cell's times moved: over the passes, and from one round to the next within them."""
    over_passes = drift.drift(medians)
    memories = [memory for one in passes if (memory := drift.autocorrelation(one)) is not None]
    return {
        "drift": over_passes.word if over_passes else None,
        "autocorrelation": statistics.fmean(memories) if memories else None,
    }


def _worst(checks: Sequence[messages.Checked], column: str) -> float | None:
    return max((value for check in checks if (value := getattr(check, column)) is not None), default=None)


def _interval_fields(name: str, interval: Interval | None, unit: str) -> dict[str, float | None]:
    if interval is None:
        return {}
    return {
        f"{name}{unit}": interval.centre,
        f"{name}_low{unit}": interval.low,
        f"{name}_high{unit}": interval.high,
    }
