import math

import pandas as pd
import pytest

from reports.intake import FrameError, check
from reports.schema import ResultRow, SampleRow, columns


def test_a_checked_frame_has_the_schemas_columns_and_checks_again(frames):
    checked = check(frames.results, ResultRow)
    assert list(checked) == list(columns(ResultRow))
    pd.testing.assert_frame_equal(check(checked, ResultRow), checked)


def test_samples_are_checked_too(frames):
    assert list(check(frames.samples, SampleRow)) == list(columns(SampleRow))


def test_a_missing_column_is_null_and_an_unknown_one_is_named(frames):
    changed = frames.results.drop(columns="page_faults").assign(mood="good")
    checked = check(changed, ResultRow)
    assert checked["page_faults"].isna().all()
    assert checked.attrs["unknown_columns"] == ["mood"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("latency_s", -1.0),
        ("latency_s", math.inf),
        ("status", "fine"),
        ("speedup_low", 1e9),
        ("N", None),
        ("G", "many"),
        ("speedup", 0.0),
    ],
)
def test_what_no_run_can_have_written_is_refused_by_column(frames, column, value):
    results = frames.results.astype({column: object})
    results.loc[0, column] = value
    with pytest.raises(FrameError, match=f"column {column}|{column} ") as error:
        check(results, ResultRow)
    assert "\n" not in str(error.value)


def test_a_cell_stands_there_once(frames):
    with pytest.raises(FrameError, match="second time"):
        check(pd.concat([frames.results, frames.results]), ResultRow)
