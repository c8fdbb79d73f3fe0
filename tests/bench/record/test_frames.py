import dataclasses

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.record import frames
from bench.record.durable import DamagedRun
from reports.schema import ResultRow, SampleRow, columns, to_record

VALUES = {
    str: st.text(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
}


def rows(row):
    """Any row of a class: every value of its columns' types, None wherever the schema allows it."""
    values = {
        (f"{name}_" if name == "pass" else name): (
            st.none() | VALUES[column.kind] if column.nullable else VALUES[column.kind]
        )
        for name, column in columns(row).items()
    }
    return st.builds(row, **values)


def records(frame):
    return [
        {name: None if value is pd.NA else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(results=st.lists(rows(ResultRow), max_size=3), samples=st.lists(rows(SampleRow), max_size=3))
def test_rows_come_back_exactly(tmp_path, results, samples):
    frames.write(tmp_path, results, samples)
    back = frames.read(tmp_path)
    assert records(back.results) == [to_record(row) for row in results]
    assert records(back.samples) == [to_record(row) for row in samples]


def test_empty_frames_keep_their_columns_and_types(tmp_path):
    frames.write(tmp_path, [], [])
    back = frames.read(tmp_path)
    assert list(back.results.columns) == list(columns(ResultRow))
    assert list(back.samples.columns) == list(columns(SampleRow))
    assert back.results.dtypes["N"] == pd.Int64Dtype()
    assert back.results.dtypes["latency_s"] == pd.Float64Dtype()
    assert back.results.dtypes["bitwise_equal"] == pd.BooleanDtype()
    assert back.samples.dtypes["implementation"] == pd.StringDtype()


def test_the_file_tells_units_and_meanings(tmp_path):
    frames.write(tmp_path, [], [])
    schema = pq.read_schema(tmp_path / "results.parquet")
    metadata = schema.field("latency_s").metadata
    assert metadata[b"unit"] == b"s"
    assert metadata[b"meaning"] == b"geometric mean over passes of each one's median"
    assert not schema.field("status").nullable
    assert schema.field("latency_s").nullable


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path):
    folder = tmp_path / "N=2"
    folder.mkdir()
    frames.write(folder, [], [])
    assert frames.read(folder).results.dtypes["N"] == pd.Int64Dtype()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_float_that_is_not_finite_is_refused(tmp_path, result_row, value):
    with pytest.raises(ValueError, match=r"^ResultRow\.speedup: not finite; what was not measured is None$"):
        frames.write(tmp_path, [result_row, dataclasses.replace(result_row, speedup=value)], [])
    assert list(tmp_path.iterdir()) == []


def test_a_key_without_a_value_is_refused(tmp_path, result_row):
    with pytest.raises(ValueError, match=r"^ResultRow\.dtype: 1 rows have no value$"):
        frames.write(tmp_path, [dataclasses.replace(result_row, dtype=None)], [])


def test_a_missing_frame_says_how_to_finish(tmp_path):
    with pytest.raises(DamagedRun) as error:
        frames.read(tmp_path)
    mend = f"finish the run with 'gnbench run --resume {tmp_path}'"
    assert str(error.value) == f"{tmp_path / 'results.parquet'}: is not there; {mend}"


def test_a_damaged_file_is_named(tmp_path):
    frames.write(tmp_path, [], [])
    path = tmp_path / "samples.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        DamagedRun, match=r"samples\.parquet: is no readable Parquet file .*; restore it, or start a new"
    ):
        frames.read(tmp_path)


def test_another_table_is_not_taken_for_a_frame(tmp_path):
    frames.write(tmp_path, [], [])
    pd.DataFrame({"run_id": ["a"]}).to_parquet(tmp_path / "results.parquet")
    with pytest.raises(DamagedRun, match=r"results\.parquet: has no column implementation; restore"):
        frames.read(tmp_path)


def test_frames_written_part_by_part_are_those_written_at_once(tmp_path, result_row, monkeypatch):
    monkeypatch.setattr(frames, "_GROUP_ROWS", 3)
    many = [dataclasses.replace(result_row, N=n + 1) for n in range(8)]
    with frames.Writer(tmp_path) as writer:
        for start in range(0, 8, 2):
            writer.add(many[start : start + 2], ())
    assert pq.ParquetFile(tmp_path / "results.parquet").metadata.num_row_groups == 3
    assert records(frames.read(tmp_path).results) == [to_record(row) for row in many]


def test_a_writer_that_fails_leaves_the_frames_that_were_there(tmp_path, result_row):
    frames.write(tmp_path, [result_row], [])
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    lacking = dataclasses.replace(result_row, dtype=None)
    with pytest.raises(ValueError, match="dtype"), frames.Writer(tmp_path) as writer:
        writer.add([result_row, lacking], [])
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before
