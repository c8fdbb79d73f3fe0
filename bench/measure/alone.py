"""One implementation on one problem in this process: checked, weighed, and a call for loops that are not ours."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.devices.base import Device
from bench.devices.choice import device_named
from bench.devices.environment import timer_of
from bench.errors import UsageError, nearest
from bench.host import available_cores
from bench.measure.call import kernel_of
from bench.measure.messages import Checked
from bench.measure.opened import OpenedBlock
from bench.plan.problem import Problem
from kernels import discovery
from kernels.table import Implementation
from reports.schema import ResultRow, Status, columns

_REFERENCE = "native"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alone:
    """What came of it."""

    name: str
    columns: dict[str, Any]
    """What was measured, under the names of the results' columns; what was not is left out."""
    call: Callable[[], Any] | None = None
    """Calls it once and waits for the device; None where it takes no part."""
    stopwatch: Callable[[], float] | None = None
    """The device's own clock; None is the host's."""
    wrong: str | None = None
    """Why it is not right."""
    refused: str | None = None
    """Why it takes no part in the problem."""


def alone(
    problem: Problem, name: str, function: Callable[..., Any] | None = None, *, plugins: Sequence[Path] = ()
) -> Alone:
    """Open a problem for one implementation and the reference, and check and weigh it.

    Parameters
    ----------
    problem
        What to compute.
    name
        A row of the plugin table, where ``function`` is None.
    function
        ``function(x, num_groups, weight, bias, eps)``, with ``activation`` where it takes that.
    plugins
        Plugin files.

    Raises
    ------
    UsageError
        There is no such row or device.
    """
    device = _device(problem.device)
    table = discovery.load(plugins=plugins)
    if function is None:
        row = _row(table, name)
        if (why := _refusal(row, problem)) is not None:
            return Alone(name=name, columns={}, refused=why)
        kernel: Any = kernel_of(row, problem)
    else:
        name, kernel = getattr(function, "__name__", type(function).__name__), function
    label = name if function is None else f"{name}()"  # a function may be called native, and be none
    block = OpenedBlock(
        problem,
        {_REFERENCE: kernel_of(table[_REFERENCE], problem), label: kernel},
        reference=_REFERENCE,
        device=device,
        cold=False,
        seed=problem.seed(0),
        placement=random.Random(0),
    )
    for one in dict.fromkeys((_REFERENCE, label)):
        checked = block.check(one)
    if checked.status != Status.OK:
        return Alone(name=name, columns=_columns(problem, name, checked), wrong=checked.reason)
    weighed = {key: value for key, value in asdict(block.weigh(label)).items() if key not in {"status", "reason"}}
    once = block.call(label)

    def call() -> None:
        once()
        device.synchronize()

    found = _columns(problem, name, checked) | {key: value for key, value in weighed.items() if value is not None}
    return Alone(name=name, columns=found, call=call, stopwatch=device.stopwatch())


@functools.cache
def _device(name: str) -> Device:
    try:
        made = device_named(name)
        made.prepare(available_cores())
    except RuntimeError as error:
        raise UsageError("--gnbench-device", f"{name} cannot be used ({error})", "use cpu") from None
    return made


def _row(table: dict[str, Implementation], name: str) -> Implementation:
    if name not in table:
        raise UsageError("--gnbench-impl", f"no implementation is called {name!r}", nearest(name, table))
    return table[name]


def _refusal(row: Implementation, problem: Problem) -> str | None:
    if (refusal := row.refusal(problem)) is not None:
        return refusal.reason
    return row.untimed(problem) if row.untimed is not None else None


def _columns(problem: Problem, name: str, checked: Checked) -> dict[str, Any]:
    found = {
        **problem.to_dict(),
        **asdict(checked),
        "implementation": name,
        "timer": timer_of(problem.device),
        "cache": "warm",
        "threads": available_cores(),
        "minimum_bytes": problem.minimum_bytes,
    }
    known = columns(ResultRow)
    return {key: value for key, value in found.items() if key in known and value is not None}
