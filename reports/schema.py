"""The frames' columns, declared once: name, type, unit and meaning.

``bench`` fills rows of these classes, ``record`` writes them, ``intake`` checks what it is given against
them. What does not apply or was not measured is None in a row and null in a frame, never 0, "" or infinity.
SI units; a column's unit stands in its name or in its field's ``unit``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT_VERSION = 1


class Status(StrEnum):
    """What became of a cell."""

    OK = "ok"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    INCORRECT = "incorrect"
    INCONSISTENT = "inconsistent"
    IMPLAUSIBLE = "implausible"
    UNSTEADY = "unsteady"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    NOT_MEASURED = "not_measured"


NO_FAULT = frozenset({Status.OK, Status.UNSUPPORTED, Status.UNAVAILABLE})
"""Nothing went wrong in such a cell."""

STATUS_MEANING = {
    Status.OK: "agreed with the oracle",
    Status.UNSUPPORTED: "the implementation does not take this problem, or it does not fit in memory",
    Status.UNAVAILABLE: "the implementation cannot run on this machine",
    Status.FAILED: "raised an error",
    Status.INCORRECT: "wrong when checked, so never timed",
    Status.INCONSISTENT: "right when checked, wrong while timed, or its inputs changed",
    Status.IMPLAUSIBLE: "faster than the bytes it must move",
    Status.UNSTEADY: "recompiled or retuned while timed",
    Status.OUT_OF_MEMORY: "asked for more memory than there is",
    Status.TIMEOUT: "gave no answer in the time a cell may take",
    Status.CRASHED: "took its process down",
    Status.NOT_MEASURED: "the budget never reached it, or another program disturbed every round",
}
"""One line for each status, for legends."""


def _column(meaning: str, unit: str = "", *, name: str = "") -> dict[str, str]:
    return {"meaning": meaning, "unit": unit, "name": name}


@dataclass(frozen=True, kw_only=True, slots=True)
class CellKey:
    """What tells one cell of one run from every other."""

    run_id: str = field(metadata=_column("the run"))
    implementation: str = field(metadata=_column("row of the plugin table"))
    device: str = field(metadata=_column("cpu or cuda"))
    N: int = field(metadata=_column("batch"))
    C: int = field(metadata=_column("channels"))
    H: int = field(metadata=_column("height (depth and height multiplied where there are three)"))
    W: int = field(metadata=_column("width"))
    G: int = field(metadata=_column("number of groups"))
    dtype: str = field(metadata=_column("type of x and y"))
    weight_dtype: str = field(metadata=_column("type of weight and bias"))
    affine: bool = field(metadata=_column("weight and bias are given"))
    eps: float = field(metadata=_column("added to the variance"))
    layout: str = field(metadata=_column("contiguous or channels_last"))
    direction: str = field(metadata=_column("forward, training_forward or backward"))
    activation: str = field(metadata=_column("none, silu or relu"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRow(CellKey):
    """One cell of a run: one implementation on one problem."""

    status: str = field(metadata=_column("what became of the cell"))
    reason: str | None = field(default=None, metadata=_column("why, where the status is not ok, or a remark"))

    timer: str | None = field(default=None, metadata=_column("host, events, graph, cupti or nvbench"))
    cache: str | None = field(default=None, metadata=_column("cold or warm"))
    threads: int | None = field(default=None, metadata=_column("CPU threads of the worker"))

    latency_s: float | None = field(
        default=None, metadata=_column("geometric mean over passes of each one's median", "s")
    )
    latency_low_s: float | None = field(
        default=None, metadata=_column("lower end of its 95 % interval, t over passes", "s")
    )
    latency_high_s: float | None = field(default=None, metadata=_column("upper end of its 95 % interval", "s"))
    host_latency_s: float | None = field(
        default=None, metadata=_column("a call's end-to-end time on the host (CUDA)", "s")
    )
    mean_latency_s: float | None = field(
        default=None, metadata=_column("the same of whole batches, rare slow calls included", "s")
    )
    fastest_pass_s: float | None = field(default=None, metadata=_column("median of the fastest pass", "s"))
    first_call_s: float | None = field(default=None, metadata=_column("first call of all, compilation included", "s"))
    fresh_output_s: float | None = field(
        default=None, metadata=_column("a call that writes to memory never touched (CPU)", "s")
    )
    passes: int | None = field(default=None, metadata=_column("passes with a figure"))
    rounds: int | None = field(default=None, metadata=_column("timed rounds over all passes"))
    outliers: int | None = field(
        default=None, metadata=_column("rounds beyond three interquartile ranges of their pass, kept")
    )

    struck: int | None = field(
        default=None, metadata=_column("batches repeated because another program held a core, in no figure")
    )

    spread_between: float | None = field(
        default=None, metadata=_column("relative standard deviation between passes", "1")
    )
    spread_within: float | None = field(
        default=None, metadata=_column("relative standard deviation of rounds within a pass", "1")
    )
    drift: str | None = field(
        default=None, metadata=_column("slower with time, faster with time or moves slowly, over the passes' medians")
    )
    autocorrelation: float | None = field(
        default=None,
        metadata=_column("of neighbouring rounds, mean over passes; near 0 when rounds are independent", "1"),
    )
    noise_floor: float | None = field(
        default=None, metadata=_column("larger distance from 1 of the ends of the twin's interval", "1")
    )

    speedup: float | None = field(
        default=None, metadata=_column("reference's time over this one's, paired by round", "1")
    )
    speedup_low: float | None = field(
        default=None, metadata=_column("lower end of its 95 % interval, t over passes", "1")
    )
    speedup_high: float | None = field(default=None, metadata=_column("upper end of its 95 % interval", "1"))

    minimum_bytes: int | None = field(default=None, metadata=_column("fewest bytes the problem must move", "B"))
    bandwidth_bytes_per_s: float | None = field(default=None, metadata=_column("minimum_bytes over latency_s", "B/s"))
    roofline_fraction: float | None = field(
        default=None, metadata=_column("a plain copy's time over this one's, same bytes, same rounds", "1")
    )
    clone_speedup: float | None = field(
        default=None,
        metadata=_column("reference's time over that of a plain copy into fresh memory; one a problem", "1"),
    )
    clone_speedup_low: float | None = field(default=None, metadata=_column("lower end of its 95 % interval", "1"))
    clone_speedup_high: float | None = field(default=None, metadata=_column("upper end of its 95 % interval", "1"))

    peak_bytes: int | None = field(
        default=None, metadata=_column("most memory during the call, inputs and outputs counted", "B")
    )
    extra_bytes: int | None = field(default=None, metadata=_column("what of it is beyond inputs and outputs", "B"))
    saved_bytes: int | None = field(default=None, metadata=_column("kept for the backward pass", "B"))
    page_faults: float | None = field(default=None, metadata=_column("page faults a call (CPU)"))

    error_max_abs: float | None = field(default=None, metadata=_column("largest absolute error against the oracle"))
    error_max_rel: float | None = field(
        default=None, metadata=_column("largest error over the oracle's largest magnitude", "1")
    )
    error_rms: float | None = field(
        default=None, metadata=_column("root mean square error over the oracle's largest magnitude", "1")
    )
    error_ulp: float | None = field(
        default=None,
        metadata=_column("largest error in units in the last place of the output's type at that magnitude", "ULP"),
    )
    error_vs_reference: float | None = field(
        default=None, metadata=_column("largest error over the reference's largest error", "1")
    )
    bitwise_equal: bool | None = field(default=None, metadata=_column("equal to the reference's bits"))
    output_layout: str | None = field(default=None, metadata=_column("memory format of what came back"))


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRow(CellKey):
    """One timed batch of calls.

    The reference's twin has the implementation ``@twin``, plain copies have ``@copy`` and ``@clone``.
    """

    pass_: int = field(metadata=_column("pass, from 0", name="pass"))
    launch: int = field(
        metadata=_column("process whose placement of torch's code this batch shared (the zygote), from 0")
    )
    round: int = field(metadata=_column("round within the visit, from 0"))
    position: int = field(metadata=_column("place in the round's order, from 0"))
    calls: int = field(metadata=_column("calls in the batch"))
    seconds: float = field(metadata=_column("time of the whole batch", "s"))
    call_s: float | None = field(
        default=None, metadata=_column("a call's time, the median over parts of the batch where it has parts", "s")
    )
    spin_s: float | None = field(
        default=None, metadata=_column("a fixed bit of arithmetic before the round: the machine's speed (CPU)", "s")
    )
    sm_clock_hz: float | None = field(default=None, metadata=_column("SM clock during the batch (CUDA)", "Hz"))
    throttled: bool | None = field(default=None, metadata=_column("the GPU said that it slowed down (CUDA)"))
    power_w: float | None = field(default=None, metadata=_column("most power during the batch (CUDA)", "W"))
    temperature_c: float | None = field(default=None, metadata=_column("most heat during the batch (CUDA)", "°C"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonRow:
    """One cell of two runs: the ratio of their speed-ups to the reference, never of absolute times."""

    implementation: str = field(metadata=_column("row of the plugin table"))
    problem: str = field(metadata=_column("the cell's problem in words"))
    base_speedup: float | None = field(default=None, metadata=_column("speed-up in the base run", "1"))
    head_speedup: float | None = field(default=None, metadata=_column("speed-up in the head run", "1"))
    change: float | None = field(default=None, metadata=_column("head's speed-up over base's; above 1 is faster", "1"))
    change_low: float | None = field(
        default=None, metadata=_column("lower end of its 95 % interval (Welch's t over passes)", "1")
    )
    change_high: float | None = field(default=None, metadata=_column("upper end of its 95 % interval", "1"))
    verdict: str = field(metadata=_column("faster, slower, no difference shown, or why there is none"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a frame."""

    name: str
    kind: type
    """str, int, float or bool."""
    nullable: bool
    unit: str
    meaning: str


def columns(row: type) -> dict[str, Column]:
    """List the columns of a row's class in their order.

    >>> columns(ResultRow)["latency_s"].unit
    's'
    """
    hints = get_type_hints(row)
    declared = {}
    for one in fields(row):
        alternatives = getattr(hints[one.name], "__args__", (hints[one.name],))
        name = one.metadata["name"] or one.name
        declared[name] = Column(
            name=name,
            kind=alternatives[0],
            nullable=type(None) in alternatives,
            unit=one.metadata["unit"],
            meaning=one.metadata["meaning"],
        )
    return declared


KEY_COLUMNS = tuple(columns(CellKey))
PROBLEM_COLUMNS = tuple(name for name in KEY_COLUMNS if name not in {"run_id", "implementation"})


def to_record(row: DataclassInstance) -> dict[str, Any]:
    """Give a row as plain data under its columns' names."""
    return {name.rstrip("_"): value for name, value in asdict(row).items()}
