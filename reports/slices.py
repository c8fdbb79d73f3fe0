"""Latency along one axis: which problems differ in that axis alone."""

from __future__ import annotations

import pandas as pd

from .quantities import TIMES, qualifiers
from .schema import PROBLEM_COLUMNS
from .views import common_columns, records, timed

AXES = {"N": "batch N", "C": "channels C", "H·W": f"positions H{TIMES}W", "G": "groups G"}
"""Axis to its name on paper."""

_HELD: dict[str, list[tuple[str, ...]]] = {
    "N": [("C", "H", "W", "G")],
    # Models hold the number of groups, or their size, as channels grow.
    "C": [("N", "H", "W", "G"), ("N", "H", "W", "C/G")],
    "H·W": [("N", "C", "G")],
    "G": [("N", "C", "H", "W")],
}
_OTHER = [name for name in PROBLEM_COLUMNS if name not in {"N", "C", "H", "W", "G"}]


def along(cells: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Give the timed cells of every slice that has at least two values of ``axis``, all else being equal.

    Columns: ``slice`` (what is held, in words), ``value`` (of the axis), ``problem``, ``implementation``,
    ``latency_s``, ``latency_low_s``, ``latency_high_s``. Slices with the most values come first. Empty when no two
    problems differ in this axis alone.
    """
    rows = timed(cells)
    rows = rows.assign(**{"H·W": rows["H"] * rows["W"], "C/G": rows["C"] // rows["G"]})
    rows = rows.assign(value=rows[axis])
    found = [part for held in _HELD[axis] for part in _slices(rows, held, common_columns(cells))]
    found.sort(key=lambda part: (-part["value"].nunique(), part["slice"].iloc[0]))
    names = ["slice", "value", "problem", "implementation", "latency_s", "latency_low_s", "latency_high_s"]
    if not found:
        return pd.DataFrame(columns=names)
    return pd.concat(found)[names].reset_index(drop=True)


def _slices(rows: pd.DataFrame, held: tuple[str, ...], common: set[str]) -> list[pd.DataFrame]:
    many_runs = rows["run_id"].nunique() > 1
    parts = []
    for _, part in rows.groupby(["run_id", *held, *_OTHER], sort=False, dropna=False):
        if part["value"].nunique() < 2:
            continue
        first = records(part.head(1))[0]
        words = [*(f"{name}={first[name]}" for name in held), qualifiers(first, common)]
        words += [str(first["run_id"])] if many_runs else []
        # One point for a value: of two maps with as many positions (32×128 and 64×64) the first is drawn.
        single = part.drop_duplicates(["value", "implementation"])
        parts.append(single.assign(slice=" ".join(word for word in words if word)).sort_values("value", kind="stable"))
    return parts
