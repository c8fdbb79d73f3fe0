"""Rows to Parquet and Parquet to pandas, with the columns that ``reports.schema`` declares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.record.durable import DamagedRun, replace_file
from bench.record.rundir import RESULTS, SAMPLES
from reports.schema import Column, ResultRow, SampleRow, columns, to_record

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_PANDAS = {
    pa.string(): pd.StringDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frames:
    """What a run measured. Nullable dtypes: what was not measured is ``pandas.NA``."""

    results: pd.DataFrame
    """One row a cell: the columns of ``reports.schema.ResultRow``."""
    samples: pd.DataFrame
    """One row a timed batch: the columns of ``reports.schema.SampleRow``."""


def write(directory: Path, results: Iterable[ResultRow], samples: Iterable[SampleRow]) -> None:
    """Write the two frames of a run directory, each whole or not at all.

    Raises
    ------
    ValueError
        A float is not finite, or a column that must have a value has none.
    """
    tables = {RESULTS: _table(ResultRow, results), SAMPLES: _table(SampleRow, samples)}
    for name, table in tables.items():
        replace_file(directory / name, partial(pq.write_table, table))


def read(directory: Path) -> Frames:
    """Read the two frames of a run directory.

    Raises
    ------
    DamagedRun
        One is missing, no Parquet, or without a column that every row has.
    """
    return Frames(results=_frame(directory / RESULTS, ResultRow), samples=_frame(directory / SAMPLES, SampleRow))


def write_rows(path: Path, row: type, rows: Iterable[Any]) -> None:
    """Write rows of any declared class to one Parquet file, whole or not at all; ValueError as ``write``."""
    replace_file(path, partial(pq.write_table, _table(row, rows)))


def read_rows(path: Path, row: type) -> pd.DataFrame:
    """Read what ``write_rows`` wrote; DamagedRun as ``read``."""
    return _frame(path, row)


def arrow_schema(row: type) -> pa.Schema:
    """Give a row's columns as an Arrow schema; each field's metadata tells its unit and meaning."""
    return pa.schema([_field(column) for column in columns(row).values()])


def _field(column: Column) -> pa.Field:
    metadata = {"unit": column.unit, "meaning": column.meaning}
    return pa.field(column.name, _ARROW[column.kind], nullable=column.nullable, metadata=metadata)


def _table(row: type, rows: Iterable[Any]) -> pa.Table:
    table = pa.Table.from_pylist([to_record(one) for one in rows], schema=arrow_schema(row))
    for field, column in zip(table.schema, table.columns, strict=True):
        if not field.nullable and column.null_count:
            raise ValueError(f"{row.__name__}.{field.name}: {column.null_count} rows have no value")
        if pa.types.is_floating(field.type) and not pc.all(pc.is_finite(column), min_count=0).as_py():
            raise ValueError(f"{row.__name__}.{field.name}: not finite; what was not measured is None")
    return table


def _frame(path: Path, row: type) -> pd.DataFrame:
    if not path.is_file():
        raise DamagedRun(path, "is not there", f"finish the run with 'gnbench run --resume {path.parent}'")
    try:
        # partitioning=None: a parent folder named N=2 would otherwise become a column.
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DamagedRun(path, f"is no readable Parquet file ({error})", _MEND) from None
    missing = [name for name, column in columns(row).items() if not column.nullable and name not in table.column_names]
    if missing:
        raise DamagedRun(path, f"has no column {missing[0]}", _MEND)
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS.get)
    return frame


_MEND = "restore it, or start a new run"
