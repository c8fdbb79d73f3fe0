"""Which launch is fastest on this device: tried once at a first call, kept on disk for every later process.

GNBENCH_TRITON_TUNE=0 takes the default everywhere and tries nothing. Choices differ in the number of warps and so in
the order in which a sum is made: results are the same bits from call to call and process to process, but two devices,
or a machine whose cache was emptied, may differ in the last bit. With tuning off they do not.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import torch

from .. import cache
from .plan import Choice

TRIALS = 5
_CALLS = 10

_known: dict[Hashable, Choice] = {}  # what this process has read or found; a cache of the disk's


def chosen(
    key: tuple[Hashable, ...], device: torch.device, choices: tuple[Choice, ...], launch: Callable[[Choice], None]
) -> Choice:
    """Give the fastest of ``choices`` for ``key`` on ``device``, tried now by ``launch`` if nobody did before.

    While a graph is captured nothing can be tried: the default it is, and the next call tries.
    """
    if len(choices) == 1 or os.environ.get("GNBENCH_TRITON_TUNE") == "0":
        return choices[0]
    known = _known.get((device, key))
    if known is None:
        if torch.cuda.is_current_stream_capturing():
            return choices[0]
        known = kept(key, ingredients(device), choices, lambda: fastest(choices, launch, seconds_on_gpu))
        _known[device, key] = known
    return known


def kept(
    key: tuple[Hashable, ...], ingredients: tuple[str, ...], choices: tuple[Choice, ...], find: Callable[[], Choice]
) -> Choice:
    """Give what the disk holds for ``key``, or find it and keep it."""

    def make(folder: Path) -> None:
        one = find()
        (folder / "choice.json").write_text(json.dumps({"key": repr(key), "warps": one.warps, "chunk": one.chunk}))

    folder = cache.built("triton", (repr(key), *ingredients, repr(choices)), make)
    with contextlib.suppress(OSError, ValueError, KeyError):
        read = json.loads((folder / "choice.json").read_text())
        one = Choice(warps=int(read["warps"]), chunk=int(read["chunk"]))
        if one in choices:
            return one
    return choices[0]


def ingredients(device: torch.device) -> tuple[str, ...]:
    """Give what a choice depends on besides its problem: the device's kind, Triton, the kernels' source."""
    import triton  # noqa: PLC0415 (an extra)

    sources = sorted(Path(__file__).parent.glob("*.py"))
    return torch.cuda.get_device_name(device), triton.__version__, *(path.read_text() for path in sources)


def fastest(
    choices: tuple[Choice, ...], launch: Callable[[Choice], None], seconds: Callable[[Callable[[], Any]], float]
) -> Choice:
    """Give the choice of the least median over trials, taken in turn; one that cannot be launched is left out."""
    found: dict[Choice, list[float]] = {}
    for trial in range(TRIALS):
        for one in choices:
            if trial and one not in found:
                continue
            with contextlib.suppress(Exception):  # too many registers or too much shared memory for this device
                found.setdefault(one, []).append(seconds(lambda one=one: launch(one)))  # type: ignore[misc]
    medians = {one: statistics.median(times) for one, times in found.items() if times}
    return min(medians, key=lambda one: medians[one], default=choices[0])


def seconds_on_gpu(call: Callable[[], Any]) -> float:
    """Time some calls by events, after one that compiles."""
    call()
    event: Any = torch.cuda.Event
    begin, end = event(enable_timing=True), event(enable_timing=True)
    begin.record()
    for _ in range(_CALLS):
        call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3 / _CALLS
