"""Rows to Parquet and Parquet to pandas, with the columns that ``reports.schema`` declares."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.record.durable import DamagedRun, replacing
from bench.record.rundir import RESULTS, SAMPLES
from reports.schema import Column, ResultRow, SampleRow, columns, to_record

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_PANDAS = {
    pa.string(): pd.StringDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


_GROUP_ROWS = 20_000
"""Rows of a Parquet row group: more would be held as Python objects, some 2 kB each while they are packed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frames:
    """What a run measured. Nullable dtypes: what was not measured is ``pandas.NA``."""

    results: pd.DataFrame
    """One row a cell: the columns of ``reports.schema.ResultRow``."""
    samples: pd.DataFrame
    """One row a timed batch: the columns of ``reports.schema.SampleRow``."""


class Writer:
    """The two frames of a run directory, written part by part; each appears whole or not at all.

    A context manager: the files take their places when its block ends well, and nothing is left when it does not.
    Rows are kept until there are enough for a row group, so memory does not grow with the run.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows: dict[type, list[Any]] = {ResultRow: [], SampleRow: []}
        self._open: dict[type, pq.ParquetWriter] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for row, name in ((ResultRow, RESULTS), (SampleRow, SAMPLES)):
                file = stack.enter_context(replacing(self._directory / name))
                self._open[row] = stack.enter_context(pq.ParquetWriter(file, arrow_schema(row)))
            self._stack = stack.pop_all()
        return self

    def add(self, results: Iterable[ResultRow], samples: Iterable[SampleRow]) -> None:
        """Add rows.

        Raises
        ------
        ValueError
            A float is not finite, or a column that must have a value has none.
        """
        for row, added in ((ResultRow, results), (SampleRow, samples)):
            for one in added:
                self._rows[row].append(one)
                if len(self._rows[row]) >= _GROUP_ROWS:
                    self._flush(row)

    def add_tables(self, results: pa.Table | None, samples: pa.Table | None) -> None:
        """Add rows that are tables of these frames' schemas already."""
        for row, table in ((ResultRow, results), (SampleRow, samples)):
            if table is not None:
                self._open[row].write_table(table.cast(arrow_schema(row)))

    def _flush(self, row: type) -> None:
        self._open[row].write_table(_table(row, self._rows[row]))
        self._rows[row].clear()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._stack:
            if error is None:
                for row, waiting in self._rows.items():
                    if waiting:
                        self._flush(row)
            else:
                # Handed to the stack, so that the unfinished files are removed instead of put in place.
                raise error


def write(directory: Path, results: Iterable[ResultRow], samples: Iterable[SampleRow]) -> None:
    """Write the two frames of a run directory, each whole or not at all.

    Raises
    ------
    ValueError
        A float is not finite, or a column that must have a value has none.
    """
    with Writer(directory) as writer:
        writer.add(results, samples)


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
    table = _table(row, rows)
    with replacing(path) as file:
        pq.write_table(table, file)


def frame_of(row: type, rows: Iterable[Any]) -> pd.DataFrame:
    """Make a frame of rows of any declared class; ValueError as ``write``."""
    frame: pd.DataFrame = _table(row, rows).to_pandas(types_mapper=_PANDAS.get)
    return frame


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
