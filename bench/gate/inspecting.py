"""Runs in a worker: what a row's ``inspect`` says of its kernels, and what a call allocates, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from bench.devices.allocations import allocation_changes
from bench.measure.call import bind, kernel_of
from bench.measure.inputs import make_inputs
from bench.plan.problem import Problem
from kernels.table import Implementation


def inspect(row: Implementation, question: Mapping[str, Any], _tell: Callable[[str], object]) -> dict[str, Any]:
    """Give ``{"kernels": {name: {"registers": …, "spill_bytes": …, "shared_bytes": …}}}`` for one architecture.

    Raises
    ------
    LookupError
        The row has no ``inspect``.
    """
    if row.inspect is None:
        raise LookupError(f"{row.name} has no inspect(arch)")
    found = row.inspect(question["arch"])
    return {"kernels": {name: _plain(one) for name, one in found.items()}}


def allocated(row: Implementation, question: Mapping[str, Any], _tell: Callable[[str], object]) -> dict[str, Any]:
    """Give ``{"allocated_bytes": …}``: all that one call, not its first, takes from torch's CPU allocator."""
    problem = Problem(**question["problem"])
    call = bind(kernel_of(row, problem), problem, make_inputs(problem, 0))
    call()
    return {"allocated_bytes": sum(change for change in allocation_changes(call) if change > 0)}


def _plain(one: Any) -> dict[str, Any]:
    return asdict(one) if is_dataclass(one) and not isinstance(one, type) else dict(one)
