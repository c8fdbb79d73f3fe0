"""What cells answered, as rows of ``reports.profile_schema``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure.messages import KernelTime
from bench.plan.block import Cell
from bench.profiling.ncu import SOURCE, KernelCounts
from bench.profiling.perf import LINE_BYTES
from bench.profiling.visit import CellFound
from reports.profile_schema import DeviceKernelRow, KernelRow, ProfileRow
from reports.schema import Status

PERF_SOURCE = f"perf: LLC-load-misses x {LINE_BYTES} B; writes and prefetches are not in it"


def profile_row(
    found: CellFound,
    *,
    run_id: str,
    trace: str,
    device_kernels: Sequence[KernelCounts] = (),
    counters_reason: str | None = None,
) -> ProfileRow:
    """Make a cell's row. ``device_kernels`` and ``counters_reason`` are what ``ncu`` said, where it was asked."""
    profiled = found.profiled
    counts = _a_call(found)
    moved, source = _moved(counts, device_kernels)
    problem = found.cell.problem
    reason = counters_reason or (found.counted.reason if found.counted else None)
    is_ok = found.status == Status.OK
    return ProfileRow(
        **_key(found.cell, run_id),
        status=str(found.status),
        reason=found.reason,
        trace=trace if profiled else None,
        trace_bytes=profiled.trace_bytes if profiled else None,
        traced_calls=profiled.calls if profiled else None,
        call_s=found.call_s,
        traced_call_s=_over(profiled.seconds, profiled.calls) if profiled else None,
        minimum_bytes=problem.minimum_bytes,
        moved_bytes=moved,
        moved_source=source,
        touched_bytes=profiled.touched_bytes if profiled else None,
        touched_reason=profiled.touched_reason if profiled else None,
        allocated_bytes=_allocated(found),
        counted_calls=found.counted_calls,
        cycles=counts.get("cycles"),
        instructions=counts.get("instructions"),
        cache_misses=counts.get("cache-misses"),
        llc_loads=counts.get("LLC-loads"),
        llc_load_misses=counts.get("LLC-load-misses"),
        page_faults=counts.get("page-faults"),
        task_s=_over(counts.get("task-clock"), 1000),
        counters_reason=reason if is_ok else None,
    )


def kernel_rows(found: CellFound, run_id: str) -> list[KernelRow]:
    """Make a row an operator and kernel of a traced cell, the longest of each kind first."""
    if found.profiled is None or not found.profiled.calls:
        return []
    totals = _totals(found.profiled.kernels)
    return [
        KernelRow(
            **_key(found.cell, run_id),
            kind=one.kind,
            kernel=one.name,
            calls=one.calls,
            self_s=one.self_s / found.profiled.calls,
            share=one.self_s / totals[one.kind] if totals[one.kind] else 0.0,
        )
        for one in found.profiled.kernels
    ]


def device_kernel_rows(cell: Cell, kernels: Sequence[KernelCounts], run_id: str) -> list[DeviceKernelRow]:
    """Make a row a kernel that ``ncu`` counted."""
    return [
        DeviceKernelRow(
            **_key(cell, run_id),
            kernel=one.kernel,
            launches=one.launches,
            kernel_s=one.kernel_s,
            dram_read_bytes=one.read_bytes,
            dram_write_bytes=one.write_bytes,
            dram_bytes=_dram_bytes(one),
            dram_bytes_per_s=_over(_dram_bytes(one), one.kernel_s),
            dram_throughput=one.throughput,
            occupancy=one.occupancy,
            registers=one.registers,
        )
        for one in kernels
    ]


def _key(cell: Cell, run_id: str) -> dict[str, Any]:
    return {"run_id": run_id, "implementation": cell.implementation, **cell.problem.to_dict()}


def _a_call(found: CellFound) -> dict[str, float]:
    if found.counted is None or not found.counted_calls:
        return {}
    return {event: count / found.counted_calls for event, count in found.counted.counts.items()}


def _moved(counts: Mapping[str, float], device_kernels: Sequence[KernelCounts]) -> tuple[float | None, str | None]:
    """Give the bytes that hardware counted, and which counters said so."""
    of_kernels = [_dram_bytes(one) for one in device_kernels]
    known = [one for one in of_kernels if one is not None]
    if known and len(known) == len(of_kernels):
        return sum(known), SOURCE
    if "LLC-load-misses" in counts:
        return counts["LLC-load-misses"] * LINE_BYTES, PERF_SOURCE
    return None, None


def _dram_bytes(kernel: KernelCounts) -> float | None:
    if kernel.read_bytes is None or kernel.write_bytes is None:
        return None
    return kernel.read_bytes + kernel.write_bytes


def _allocated(found: CellFound) -> int | None:
    """Give what a call holds beyond its inputs (x, weight, bias and, backward, the upstream gradient)."""
    if found.weighed is None or found.weighed.peak_bytes is None:
        return None
    problem = found.cell.problem
    inputs = problem.input_bytes * (2 if problem.direction == "backward" else 1)
    return found.weighed.peak_bytes - inputs - problem.parameter_bytes


def _totals(kernels: Sequence[KernelTime]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for one in kernels:
        totals[one.kind] = totals.get(one.kind, 0.0) + one.self_s
    return totals


def _over(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by else None
