"""``gnbench.toml``: what a gate lets pass, metric by metric, and what is allowed for a while."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.errors import UsageError, nearest
from bench.gate.judge import Lines
from bench.plan.tables import as_table, check_keys
from reports.gate_schema import FIRST_CALL, LATENCY

FILE = "gnbench.toml"
GROWTH: Mapping[str, float] = {
    "peak_bytes": 0.01,
    "extra_bytes": 0.01,
    "saved_bytes": 0.01,
    "allocated_bytes": 0.01,
    "instructions": 0.005,
    "error": 0.10,
    FIRST_CALL: 0.5,
    "registers": 0.0,
    "spill_bytes": 0.0,
    "shared_bytes": 0.0,
    "launches": 0.0,
}
"""Relative growth that each metric but latency may have; in a file ``[gate.NAME] growth = …``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """Lines of their own for some cells."""

    cells: str
    """A shell pattern over ``NAME PROBLEM-KEY``."""
    metric: str
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A regression that is known and accepted, until a date."""

    cells: str
    metric: str
    """A shell pattern over metrics."""
    reason: str
    until: date

    def covers(self, cell: str, metric: str, today: date) -> bool:
        """Say whether it lets this metric of this cell pass today."""
        return today <= self.until and fnmatchcase(cell, self.cells) and fnmatchcase(metric, self.metric)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a gate lets pass."""

    lines: Lines = field(default_factory=Lines)
    growth: Mapping[str, float] = field(default_factory=lambda: dict(GROWTH))
    overrides: tuple[Override, ...] = ()
    allowances: tuple[Allowance, ...] = ()

    def lines_of(self, cell: str) -> Lines:
        """Give a cell's Δ and τ; the last override that fits it wins."""
        lines = self.lines
        for one in self.overrides:
            if one.metric == LATENCY and fnmatchcase(cell, one.cells):
                lines = replace(lines, **one.values)
        return lines

    def growth_of(self, cell: str, metric: str) -> float:
        """Give the growth that a metric of a cell may have."""
        growth = self.growth[metric]
        for one in self.overrides:
            if one.metric == metric and fnmatchcase(cell, one.cells):
                growth = one.values["growth"]
        return growth

    def first_call_growth(self, rows: Iterable[str]) -> dict[str, float]:
        """Give the growth that each row's first call may have."""
        return {row: self.growth_of(row, FIRST_CALL) for row in rows}

    def allowed(self, cell: str, metric: str, today: date) -> str | None:
        """Say why a metric of a cell may be worse today, if it may."""
        for one in self.allowances:
            if one.covers(cell, metric, today):
                return f"{one.reason} (until {one.until})"
        return None

    def expired(self, today: date) -> tuple[Allowance, ...]:
        """Give the allowances that are over: they allow nothing, and are to be taken out."""
        return tuple(one for one in self.allowances if one.until < today)


def read(path: Path) -> str:
    """Give a policy file's text; UsageError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError("--policy", f"{path} cannot be read ({error.strerror})", "give a TOML file") from error
    except ValueError as error:
        raise UsageError("--policy", f"{path} is no UTF-8 text", "mend it there") from error


def parse(text: str, file: str = FILE) -> Policy:
    """Read the ``[gate]`` table of a TOML text; a text without one changes nothing.

    Raises
    ------
    UsageError
        It is no TOML, a key is misspelt or missing, or a value makes no sense; the key is named with its path.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        raise UsageError("--policy", f"{file} is not TOML ({error})", "mend it there") from error
    return _policy(as_table(document.get("gate", {}), f"{file}: gate"), f"{file}: gate")


def _policy(gate: Mapping[str, Any], where: str) -> Policy:
    check_keys(gate, ("alpha", LATENCY, *GROWTH, "override", "allow"), f"{where}.")
    alpha = {"alpha": _number(gate["alpha"], f"{where}.alpha")} if "alpha" in gate else {}
    growth = dict(GROWTH)
    for metric in GROWTH.keys() & gate.keys():
        growth[metric] = _values(metric, as_table(gate[metric], f"{where}.{metric}"), f"{where}.{metric}")["growth"]
    latency = as_table(gate.get(LATENCY, {}), f"{where}.{LATENCY}")
    lines = _lines(Lines(), alpha | _values(LATENCY, latency, f"{where}.{LATENCY}"), f"{where}.{LATENCY}")
    overrides = [_override(one, lines, f"{where}.override[{place}]") for place, one in _list(gate, "override", where)]
    allowances = [_allowance(one, f"{where}.allow[{place}]") for place, one in _list(gate, "allow", where)]
    return Policy(lines=lines, growth=growth, overrides=tuple(overrides), allowances=tuple(allowances))


def _override(one: Mapping[str, Any], lines: Lines, where: str) -> Override:
    metric = _word(one, "metric", where, LATENCY)
    if metric != LATENCY and metric not in GROWTH:
        raise UsageError(f"{where}.metric", f"{metric!r} is unknown", nearest(metric, (LATENCY, *GROWTH)))
    given = {key: value for key, value in one.items() if key not in {"cells", "metric"}}
    values = _values(metric, given, where)
    if metric == LATENCY:
        _lines(lines, values, where)
    return Override(cells=_word(one, "cells", where), metric=metric, values=values)


def _allowance(one: Mapping[str, Any], where: str) -> Allowance:
    check_keys(one, ("cells", "metric", "reason", "until"), f"{where}.")
    until = one.get("until")
    if type(until) is not date:  # a datetime is a date, too
        raise UsageError(f"{where}.until", f"is {until!r}", "give the last day, as 2026-12-31 (without quotes)")
    return Allowance(
        cells=_word(one, "cells", where),
        metric=_word(one, "metric", where, "*"),
        reason=_word(one, "reason", where),
        until=until,
    )


def _lines(lines: Lines, values: Mapping[str, float], where: str) -> Lines:
    try:
        return replace(lines, **values)
    except ValueError as error:
        raise UsageError(where, str(error), "write 5 % as 0.05") from None


def _values(metric: str, given: Mapping[str, Any], where: str) -> dict[str, float]:
    known = ("threshold", "tolerance") if metric == LATENCY else ("growth",)
    check_keys(given, known, f"{where}.")
    if metric != LATENCY and "growth" not in given:
        raise UsageError(where, "growth is missing", "add growth = 0.01, or another share of the base's figure")
    values = {key: _number(value, f"{where}.{key}") for key, value in given.items()}
    for key, value in values.items():
        if value < 0:
            raise UsageError(f"{where}.{key}", f"{value} is below 0", "write 5 % as 0.05")
    return values


def _list(gate: Mapping[str, Any], name: str, where: str) -> list[tuple[int, Mapping[str, Any]]]:
    found = gate.get(name, [])
    if not isinstance(found, list):
        raise UsageError(f"{where}.{name}", "is one table", f"write [[gate.{name}]], once for each")
    return [(place, as_table(one, f"{where}.{name}[{place}]")) for place, one in enumerate(found)]


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(where, f"{value!r} is no number", "write 5 % as 0.05")
    return float(value)


def _word(table: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}.{key}", f"is {value!r}", "give a text in quotes")
    return value
