"""What the recorders of a program's processes saw, summed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTHING = "nothing"
"""Nothing took the norm's result. These two words are the recorder's (``seeing.calls``), which stands by itself."""
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenCall:
    """One call of GroupNorm as the program made it, or the gradient of one."""

    shape: tuple[int, ...]
    """That of x: (N, C, ...)."""
    layout: str
    """``contiguous``, ``channels_last`` or ``strided``."""
    strides: tuple[int, ...] | None
    """Of x, in elements, where it is strided."""
    groups: int
    eps: float
    dtype: str
    """The type that was computed in: autocast may have changed that of x."""
    weight_dtype: str | None
    """None where there is no weight."""
    bias: bool
    device: str
    direction: str
    """``forward``, ``training_forward`` or ``backward``."""
    follows: str
    """The function that took the result first, as ``silu``, ``conv2d``; ``nothing`` or ``unknown``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A program's calls, counted."""

    calls: Mapping[SeenCall, int]
    torch: tuple[str, ...]
    """Versions, of the processes that called."""
    processes: int
    """How many called."""
    compiles: bool
    """The program used torch.compile."""
    faults: Mapping[str, int]
    """Calls that could not be looked at, by the error that kept us from it."""


def summed(snapshots: Iterable[Mapping[str, Any]]) -> Seen:
    """Sum up what recorders saw (``Recorder.snapshot``)."""
    calls: dict[SeenCall, int] = {}
    faults: dict[str, int] = {}
    versions: dict[str, None] = {}
    processes, compiles = 0, False
    for one in snapshots:
        processes += bool(one["calls"])
        compiles |= bool(one["compiles"])
        versions |= {one["torch"]: None}
        for row in one["calls"]:
            call, count = _call(row)
            calls[call] = calls.get(call, 0) + count
        for error, count in one["faults"].items():
            faults[error] = faults.get(error, 0) + count
    return Seen(calls=calls, torch=tuple(versions), processes=processes, compiles=compiles, faults=faults)


def read(folder: Path) -> Seen:
    """Sum up what the processes of a program left in a folder, the first to call first."""
    files = sorted(folder.glob("*.json"), key=lambda file: (file.stat().st_ctime_ns, file.name))
    return summed(json.loads(file.read_text(encoding="utf-8")) for file in files)


def _call(row: Mapping[str, Any]) -> tuple[SeenCall, int]:
    values = dict(row)
    count = int(values.pop("count"))
    strides = values.pop("strides")
    shape = tuple(values.pop("shape"))
    return SeenCall(shape=shape, strides=None if strides is None else tuple(strides), **values), count
