"""A baseline: each cell's ratio to the reference with its spread, its bytes and its error, and where it was taken.

Absolute times are not in it: they carry their day's clock, neighbours and placement. A cell takes a line of some 200
bytes, so that a diff of two baselines is read as one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.special import stdtrit

from bench.devices.environment import model_of
from bench.errors import UsageError
from bench.plan.problem import Problem
from reports.schema import PROBLEM_COLUMNS, Status

KIND = "groupnorm-bench baseline"
VERSION = 1
_DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What is kept of one cell; None where it was not measured."""

    log_speedup: float | None = None
    """Mean over passes of log(reference) - log(this)."""
    spread: float | None = None
    """Standard deviation of it between passes."""
    passes: int = 0
    peak_bytes: int | None = None
    extra_bytes: int | None = None
    saved_bytes: int | None = None
    error_rms: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Where and how a baseline was taken: figures of other conditions are not comparable."""

    reference: str
    device: str
    model: str
    """Of the processor or the GPU."""
    threads: int | None
    timer: str | None
    cache: str | None
    version: str
    """Of groupnorm-bench."""
    torch: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A baseline; ``cells`` by implementation and problem key, as patterns of gnbench.toml name them."""

    taken: str
    revision: str
    conditions: Conditions
    cells: Mapping[str, Cell]
    problems: Mapping[str, Problem]
    """Of each cell."""

    def text(self) -> str:
        """Write it: a head, then a line a cell."""
        head = {"kind": KIND, "format_version": VERSION, "taken": self.taken, "revision": self.revision}
        lines = [json.dumps(head | {"conditions": asdict(self.conditions)})[:-1] + ', "cells": {']
        lines.append(",\n".join(f"{json.dumps(key)}: {json.dumps(_short(cell))}" for key, cell in self.cells.items()))
        return "\n".join([*lines, "}}"]) + "\n"


def _short(cell: Cell) -> dict[str, Any]:
    known = {name: value for name, value in asdict(cell).items() if value is not None}
    return {name: float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value for name, value in known.items()}


def of_results(results: pd.DataFrame, info: Mapping[str, Any]) -> Baseline:
    """Take a baseline from a run's results and its ``run.json``; cells that are not ok are not in it.

    Raises
    ------
    UsageError
        The run has no cell that is ok, or cells of several devices.
    """
    ok = results[results["status"] == Status.OK]
    if ok.empty:
        raise UsageError("--baseline", "has no cell that is ok", "measure it again")
    if ok["device"].nunique() > 1:
        raise UsageError("--baseline", "holds cells of several devices", "take one from a run of one device")
    cells, problems = {}, {}
    for row in ok.to_dict("records"):
        problem = Problem(**{name: row[name] for name in PROBLEM_COLUMNS})
        key = f"{row['implementation']} {problem.key}"
        cells[key], problems[key] = _cell(row), problem
    git = info.get("git") or {}
    return Baseline(
        taken=str(info.get("started") or ""),
        revision=str(git.get("revision") or "")[:12],
        conditions=_conditions(ok, info),
        cells=cells,
        problems=problems,
    )


def _cell(row: Mapping[Any, Any]) -> Cell:
    speedup, low, high, passes = (_known(row, name) for name in ("speedup", "speedup_low", "speedup_high", "passes"))
    spread = None
    if passes and passes > 1 and low and high:
        # The interval is mean ± t · s / √n: s is what it was made of.
        spread = math.log(high / low) / 2 / float(stdtrit(passes - 1, 0.975)) * math.sqrt(passes)
    exact = {name: _known(row, name) for name in ("peak_bytes", "extra_bytes", "saved_bytes", "error_rms")}
    log_speedup = math.log(speedup) if speedup else None
    return Cell(log_speedup=log_speedup, spread=spread, passes=int(passes or 0), **exact)


def _conditions(ok: pd.DataFrame, info: Mapping[str, Any]) -> Conditions:
    first = ok.iloc[0]
    versions = info.get("versions") or {}
    return Conditions(
        reference=str((info.get("settings") or {}).get("reference") or "native"),
        device=str(first["device"]),
        model=model_of(str(first["device"]), info),
        threads=_known(first, "threads"),
        timer=_known(first, "timer"),
        cache=_known(first, "cache"),
        version=str(versions.get("groupnorm-bench") or ""),
        torch=str(versions.get("torch") or ""),
    )


def _known(row: Mapping[Any, Any] | pd.Series[Any], name: str) -> Any:
    value = row.get(name)
    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def is_one(path: Path) -> bool:
    """Say whether a file says that it is a baseline, of whatever version."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("kind") == KIND


def read(path: Path) -> Baseline:
    """Read a baseline's file.

    Raises
    ------
    UsageError
        It is none, is damaged, or was written by a newer version.
    """
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError("--baseline", f"{path} cannot be read ({error})", "name a run or a stored baseline") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        mend = "name a run, or a file that 'gnbench baseline save' wrote"
        raise UsageError("--baseline", f"{path} is no baseline", mend)
    if (version := data.get("format_version")) != VERSION:
        newer = isinstance(version, int) and version > VERSION
        mend = "upgrade groupnorm-bench" if newer else f"this version reads {VERSION}"
        raise UsageError("--baseline", f"{path} has format {version!r}", mend)
    try:
        cells = {key: Cell(**cell) for key, cell in data["cells"].items()}
        problems = {key: problem_of(key.partition(" ")[2]) for key in cells}
        conditions = Conditions(**{field.name: data["conditions"][field.name] for field in fields(Conditions)})
        return Baseline(
            taken=data["taken"], revision=data["revision"], conditions=conditions, cells=cells, problems=problems
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("--baseline", f"{path} is damaged ({error!r})", "save it again") from None


def problem_of(key: str) -> Problem:
    """Read a problem back from its key; ValueError where it is none.

    >>> problem = Problem(N=2, C=8, H=4, W=4, G=2, layout="channels_last", eps=1e-06)
    >>> problem_of(problem.key) == problem
    True
    """
    found = _KEY.fullmatch(key)
    if found is None:
        raise ValueError(f"{key!r} is no problem's key")
    values: dict[str, Any] = {name: value for name, value in found.groupdict().items() if value is not None}
    values |= {name: int(values[name]) for name in "NCHWG"}
    return Problem(**(values | {"eps": float(values["eps"]), "affine": "weight_dtype" in values}))


_KEY = re.compile(
    r"N(?P<N>\d+)-C(?P<C>\d+)-H(?P<H>\d+)-W(?P<W>\d+)-G(?P<G>\d+)-(?P<dtype>\w+)"
    r"-(?:weight-(?P<weight_dtype>\w+)|no-weight)-eps(?P<eps>[\d.e+]+(?:-\d+)?)-(?P<layout>\w+)-(?P<direction>\w+)-(?P<activation>\w+)-(?P<device>\w+)"
)
