"""Runs in a worker: what a row's ``inspect`` says of its kernels, and what a call allocates, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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


def launches(row: Implementation, question: Mapping[str, Any], _tell: Callable[[str], object]) -> dict[str, Any]:
    """Give ``{"launches": {arch: [names of the kernels of each problem's call, or None]}}``.

    None is a problem that the row cannot do.

    Raises
    ------
    LookupError
        The row has no ``launches``, as those of older revisions.
    """
    asked = getattr(row, "launches", None)  # an older revision's table does not know the word
    if asked is None:
        raise LookupError(f"{row.name} has no launches(problem, arch)")
    problems = [Problem(**one) for one in question["problems"]]
    return {"launches": {arch: [_launched(asked, one, arch) for one in problems] for arch in question["archs"]}}


def _launched(asked: Callable[..., Collection[str]], problem: Problem, arch: str) -> list[str] | None:
    try:
        return list(asked(problem, arch))
    except (KeyError, ValueError):
        return None


def allocated(row: Implementation, question: Mapping[str, Any], _tell: Callable[[str], object]) -> dict[str, Any]:
    """Give ``{"allocated_bytes": …}``: all that one call, not its first, takes from torch's CPU allocator."""
    problem = Problem(**question["problem"])
    call = bind(kernel_of(row, problem), problem, make_inputs(problem, 0))
    call()
    return {"allocated_bytes": sum(change for change in allocation_changes(call) if change > 0)}


def _plain(one: Any) -> dict[str, Any]:
    return asdict(one) if is_dataclass(one) and not isinstance(one, type) else dict(one)
