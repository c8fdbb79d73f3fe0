"""Checks that a frame is what ``schema`` says, and gives its columns their types."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .schema import Column, ResultRow, Status, columns

_PANDAS_TYPE = {str: "string", int: "Int64", bool: "boolean", float: "float64"}
"""Floats stay numpy's: NaN is their null, and matplotlib and numpy read it as such."""

_INTERVALS = (
    ("latency_low_s", "latency_s", "latency_high_s"),
    ("speedup_low", "speedup", "speedup_high"),
    ("change_low", "change", "change_high"),
)
_ROUNDING = 1e-9
"""exp and log on the way to an interval may move its ends by a few parts in 1e16."""
_SIGNED = frozenset({"autocorrelation"})
_ABOVE_ZERO = {"N", "C", "H", "W", "G", "eps", "speedup", "base_speedup", "head_speedup", "change", "calls"}


class FrameError(ValueError):
    """A frame that no run can have written; one line that names the column and the row."""


def check(frame: pd.DataFrame, row_class: type) -> pd.DataFrame:
    """Give the frame with the columns of ``row_class``, in their order and of nullable types.

    A nullable column that is missing becomes null. Columns that ``row_class`` does not know are left out and
    named in ``attrs["unknown_columns"]``.

    Raises
    ------
    FrameError
        A column of the key is missing or null, a value has the wrong type or is impossible (negative, infinite,
        an unknown status, an interval that does not hold its estimate), or a cell stands there twice.
    """
    declared = columns(row_class)
    checked = pd.DataFrame({name: _typed(frame, column) for name, column in declared.items()})
    checked = checked.reset_index(drop=True)
    for column in declared.values():
        _refuse_impossible(checked[column.name], column)
    for low, estimate, high in _INTERVALS:
        if low in checked:
            for lesser, greater in ((low, high), (low, estimate), (estimate, high)):
                above = checked[lesser] > checked[greater] * (1 + _ROUNDING)
                _refuse(above, lesser, checked[lesser], f"is above {greater}")
    if row_class is ResultRow:
        key = [name for name, column in declared.items() if not column.nullable and name != "status"]
        _refuse(checked.duplicated(key), "implementation", checked["implementation"], "has this cell a second time")
    checked.attrs["unknown_columns"] = [str(name) for name in frame.columns if name not in declared]
    return checked


def _typed(frame: pd.DataFrame, column: Column) -> pd.Series:
    if column.name not in frame:
        if not column.nullable:
            raise FrameError(f"column {column.name} is missing; a frame of this kind cannot be without it")
        return pd.Series(None, index=frame.index, dtype=_PANDAS_TYPE[column.kind])
    try:
        return pd.Series(frame[column.name], dtype=_PANDAS_TYPE[column.kind])
    except (TypeError, ValueError) as error:
        kind = column.kind.__name__
        raise FrameError(f"column {column.name} does not hold {kind} values: {' '.join(str(error).split())}") from error


def _refuse_impossible(values: pd.Series, column: Column) -> None:
    if not column.nullable:
        _refuse(values.isna(), column.name, values, "stands where a value must")
    if column.name == "status":
        _refuse(~values.isin(list(Status)), column.name, values, "is no known status")
    if column.kind is float:
        _refuse(pd.Series(np.isinf(values), index=values.index), column.name, values, "is infinite")
    if column.kind in (int, float) and column.name not in _SIGNED:
        _refuse(values < 0, column.name, values, "is negative")
    if column.name in _ABOVE_ZERO:
        _refuse((values == 0) & (column.name != "N"), column.name, values, "is zero")


def _refuse(bad: pd.Series, name: str, values: pd.Series, why: str) -> None:
    bad = bad.fillna(value=False).astype(bool)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = values.iloc[row]
        found = repr(value) if isinstance(value, str) else "a null" if pd.isna(value) else str(value)
        raise FrameError(f"column {name}, row {row}: {found} {why}")
