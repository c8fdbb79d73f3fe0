"""What crosses the wall between the driver and a worker: plain records, as JSON.

JSON and not pickle: the worker runs foreign kernels, and what it says must not run anything in the driver.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

TWIN = "@twin"
"""The reference entered a second time, unseen."""
COPY = "@copy"
"""A plain copy of the problem's bytes into existing memory."""
CLONE = "@clone"
"""The same into memory that the call allocates."""
COMPANIONS = (TWIN, COPY, CLONE)
"""Timed beside the implementations; no rows of the plugin table (its names begin with a letter)."""

YARDSTICK = "@native"
"""torch's own GroupNorm, called when a block is opened to learn how far off an honest answer may be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A second copy of ``kernels``, held beside the harness's own under a name of its side's."""

    label: str
    """Its rows are called ``cpp@label``."""
    root: str
    """The folder that its package ``kernels`` lies in."""
    plugins: list[str] = field(default_factory=list)
    names: list[str] | None = None
    """Built-in rows to load, as the package itself calls them; None for all."""


def sided(name: str, label: str) -> str:
    """Give the name that a side's row has in the worker."""
    return f"{name}@{label}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Load the plugin table's rows and prepare the device."""

    device: str
    threads: int
    names: list[str] | None
    """Built-in rows to load; None for all."""
    plugins: list[str]
    order_seed: int
    """Libraries are loaded in a random order, since where they lie moves figures."""
    sides: list[Side] = field(default_factory=list)
    """Other copies of ``kernels`` to hold beside the harness's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowFacts:
    """One row of the plugin table, as far as the driver needs to know it."""

    name: str
    place: str
    origin: str
    devices: list[str]
    dtypes: list[str]
    layouts: list[str]
    activations: list[str]
    differentiable: bool
    slow_start: bool
    unavailable: str | None
    """Why it cannot run on this machine, or None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The table's rows, or why there is no such device."""

    rows: list[RowFacts]
    device_problem: str | None
    threads: int
    resolution_s: float
    empty_call_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """Make one problem's tensors and truth, and bind the implementations to them."""

    problem: dict[str, Any]
    names: list[str]
    reference: str
    seed: int
    placement_seed: int
    cold: bool
    memory_bytes: int | None = None
    """What the worker may take beyond what it holds; None for no limit."""
    yardstick: bool = True
    """False where native dies of this problem: the tolerance is then what it is without it."""
    timer: str | None = None
    """None is the device's own."""
    sustained: bool = False
    """Keep the device busy before each batch, so that its heat is that of work without a pause."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Why an implementation takes no part in this problem."""

    status: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """Which implementations refuse the problem, and which have no latency here and why."""

    refused: dict[str, Refused]
    untimed: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """Call an implementation for the first time and hold its output against the truth."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What the first call came to."""

    status: str
    reason: str | None
    first_call_s: float | None
    error_max_abs: float | None = None
    error_max_rel: float | None = None
    error_rms: float | None = None
    error_ulp: float | None = None
    bitwise_equal: bool | None = None
    output_layout: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Warm:
    """Call until steady, and say how long a call takes."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Warmed:
    """A steady call's time, s, or why there is none."""

    call_s: float | None
    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Time:
    """Time one round: a batch of calls of each name, in this order."""

    round: int
    batches: list[tuple[str, int]]
    verify: bool
    """Hold each batch's last output against the truth, after its time was taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedBatch:
    """One batch's figures, or what went wrong in it."""

    name: str
    calls: int
    seconds: float | None
    call_s: float | None = None
    """A call's time, by the parts of the batch (see ``devices.base.Batch``)."""
    page_faults: int | None = None
    struck: bool = False
    """Another program held a core that the batch needed, however often it was repeated."""
    repeats: int = 0
    """Batches thrown away before this one, since they were struck."""
    sm_clock_hz: float | None = None
    throttled: bool | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    status: str | None = None
    reason: str | None = None
    """Without a status: what is to be said of how the figure was taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A round's batches in the order asked for; one that was struck ends it."""

    batches: list[TimedBatch]
    spin_s: float | None
    """A fixed bit of arithmetic just before the round (see ``Device.spin_s``)."""
    stolen_s: float | None = None
    """What a hypervisor took of the worker's cores meanwhile, s, where the system tells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cool:
    """Wait until the device is no longer slowed down, at most so many seconds."""

    most_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Cooled:
    """The wait is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """Call on contents never seen, in memory that is known, and hold those calls against others."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenged:
    """What is dishonest in an implementation, or nothing."""

    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Weigh:
    """Measure the memory of one call, and its time with a fresh output and end to end on the host."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """One call's memory, bytes, and its times outside the rounds, s."""

    peak_bytes: int | None = None
    extra_bytes: int | None = None
    saved_bytes: int | None = None
    fresh_output_s: float | None = None
    host_latency_s: float | None = None
    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """Call an implementation again and again while somebody outside counts."""

    name: str
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """Wall time of all the calls, s, or why there is none."""

    seconds: float | None
    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Trace some calls of a checked implementation with torch's profiler."""

    name: str
    title: str
    """Implementation and problem, as a timeline's reader is to find them."""
    calls: int
    path: str
    """Where the trace goes, as gzipped JSON."""
    most_bytes: int
    """Largest trace, unpacked; calls are halved until it is no larger."""
    least_bytes: int
    """What any call must touch: less means that not all of it was seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelTime:
    """Where a traced call's time went: one operator on the host or one kernel on the device."""

    kind: str
    name: str
    calls: int
    """Over all traced calls."""
    self_s: float
    """Own time without that of what it called, over all traced calls."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profiled:
    """What the profiler saw, or why it saw nothing."""

    calls: int | None = None
    seconds: float | None = None
    """Wall time of the traced calls, the profiler's own cost in it."""
    trace_bytes: int | None = None
    kernels: list[KernelTime] = field(default_factory=list)
    touched_bytes: int | None = None
    """Bytes of the tensors that each operator of one call reads and writes."""
    touched_reason: str | None = None
    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Consult:
    """Put a question about one row to a function that a room above this one has for it.

    The function takes the row, the question, and whom to tell whose turn it is; it gives plain data.
    """

    name: str
    function: str
    """As ``package.module:function``."""
    question: dict[str, Any]
    memory_bytes: int | None = None
    """What the worker may take beyond what it holds; None for no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Consulted:
    """What it answered, or what the row raised."""

    answer: dict[str, Any] | None = None
    status: str = "ok"
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Close:
    """End the visit and ask whether the inputs were left alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """Who changed its inputs while timed, and how that was seen."""

    inconsistent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """The worker's own failure: a line for the reason, and the trace for the log."""

    reason: str
    status: str = "failed"


Request = Load | Open | Check | Warm | Time | Cool | Challenge | Weigh | Repeat | Profile | Consult | Close
Reply = (
    Loaded
    | Opened
    | Checked
    | Warmed
    | Timed
    | Cooled
    | Challenged
    | Weighed
    | Repeated
    | Profiled
    | Consulted
    | Closed
    | Broken
)

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Load,
        Loaded,
        Open,
        Opened,
        Check,
        Checked,
        Warm,
        Warmed,
        Time,
        Timed,
        Cool,
        Cooled,
        Challenge,
        Challenged,
        Weigh,
        Weighed,
        Repeat,
        Repeated,
        Profile,
        Profiled,
        Consult,
        Consulted,
        Close,
        Closed,
        Broken,
    )
}


def encode(message: Request | Reply) -> bytes:
    """Write a message as one JSON document.

    Raises
    ------
    ValueError
        A number is not finite: what was not measured is None.
    """
    return json.dumps([type(message).__name__, asdict(message)], allow_nan=False).encode()


def decode(data: bytes) -> Any:
    """Read a message back; nested records are records again."""
    kind, fields = json.loads(data)
    if kind == "Load":
        fields["sides"] = [Side(**side) for side in fields["sides"]]
    elif kind == "Loaded":
        fields["rows"] = [RowFacts(**row) for row in fields["rows"]]
    elif kind == "Opened":
        fields["refused"] = {name: Refused(**refused) for name, refused in fields["refused"].items()}
    elif kind == "Time":
        fields["batches"] = [(name, calls) for name, calls in fields["batches"]]
    elif kind == "Timed":
        fields["batches"] = [TimedBatch(**batch) for batch in fields["batches"]]
    elif kind == "Profiled":
        fields["kernels"] = [KernelTime(**one) for one in fields["kernels"]]
    return _KINDS[kind](**fields)
