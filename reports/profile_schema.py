"""The columns of what ``gnbench profile`` writes, declared as those of ``schema`` are.

Cells have the key columns of ``results``; ``CELL_COLUMNS`` are those on which the two can be merged, since a profile
has a ``run_id`` of its own. Figures taken under a profiler are disturbed by it and are never latencies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .schema import KEY_COLUMNS, CellKey, _column

CELL_COLUMNS = tuple(name for name in KEY_COLUMNS if name != "run_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileRow(CellKey):
    """One profiled cell."""

    status: str = field(metadata=_column("what became of the cell"))
    reason: str | None = field(default=None, metadata=_column("why, where the status is not ok, or a remark"))

    trace: str | None = field(default=None, metadata=_column("the trace's file, below the profile's folder"))
    trace_bytes: int | None = field(default=None, metadata=_column("its size as it lies there", "B"))
    traced_calls: int | None = field(default=None, metadata=_column("calls in the trace"))
    call_s: float | None = field(default=None, metadata=_column("a warm call without a profiler, one process", "s"))
    traced_call_s: float | None = field(default=None, metadata=_column("a call under the profiler", "s"))

    minimum_bytes: int | None = field(default=None, metadata=_column("fewest bytes the problem must move", "B"))
    moved_bytes: float | None = field(
        default=None, metadata=_column("bytes a call moved to and from memory, counted by hardware", "B")
    )
    moved_source: str | None = field(default=None, metadata=_column("the counters that say so"))
    touched_bytes: int | None = field(
        default=None, metadata=_column("bytes of the tensors a call's operators read and write; caches not seen", "B")
    )
    touched_reason: str | None = field(default=None, metadata=_column("why there are no touched bytes"))
    allocated_bytes: int | None = field(
        default=None, metadata=_column("most memory a call holds beyond its inputs", "B")
    )

    counted_calls: int | None = field(default=None, metadata=_column("calls the counters ran over"))
    cycles: float | None = field(default=None, metadata=_column("processor cycles a call (CPU)"))
    instructions: float | None = field(default=None, metadata=_column("instructions a call (CPU)"))
    cache_misses: float | None = field(default=None, metadata=_column("the processor's 'cache-misses' a call (CPU)"))
    llc_loads: float | None = field(default=None, metadata=_column("last-level cache loads a call (CPU)"))
    llc_load_misses: float | None = field(default=None, metadata=_column("of them missed (CPU)"))
    page_faults: float | None = field(default=None, metadata=_column("page faults a call (CPU)"))
    task_s: float | None = field(default=None, metadata=_column("time on a core a call, all threads (CPU)", "s"))
    counters_reason: str | None = field(default=None, metadata=_column("why counters are missing"))


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelRow(CellKey):
    """One operator (on the host) or kernel (on the device) of one cell, as torch's profiler timed it."""

    kind: str = field(metadata=_column("operator or kernel"))
    kernel: str = field(metadata=_column("its name"))
    calls: int = field(metadata=_column("times it ran in all traced calls"))
    self_s: float = field(metadata=_column("own time in one call of the cell", "s"))
    share: float = field(metadata=_column("of the own times of its kind in the cell", "1"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceKernelRow(CellKey):
    """One kernel of one cell on the GPU, as ``ncu`` counted it in one call with the caches emptied before it."""

    kernel: str = field(metadata=_column("its name"))
    launches: int = field(metadata=_column("launches in a call"))
    kernel_s: float | None = field(default=None, metadata=_column("time of all launches", "s"))
    dram_read_bytes: float | None = field(default=None, metadata=_column("read from DRAM by all launches", "B"))
    dram_write_bytes: float | None = field(default=None, metadata=_column("written to DRAM by all launches", "B"))
    dram_bytes: float | None = field(default=None, metadata=_column("both", "B"))
    dram_bytes_per_s: float | None = field(default=None, metadata=_column("dram_bytes over kernel_s", "B/s"))
    dram_throughput: float | None = field(
        default=None, metadata=_column("of the DRAM's peak; mean over launches, by their time", "1")
    )
    occupancy: float | None = field(
        default=None, metadata=_column("warps active of the most there can be; mean over launches, by their time", "1")
    )
    registers: int | None = field(default=None, metadata=_column("registers a thread, the most of all launches"))
