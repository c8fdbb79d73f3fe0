import numpy as np
import pandas as pd
import pytest

from reports.intake import FrameError, check
from reports.schema import ComparisonRow, ResultRow, SampleRow, columns


def changed(frames, column, value, row=0):
    frame = frames.results.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def test_a_checked_frame_has_the_declared_columns_and_checks_again_to_itself(frames):
    once = check(frames.results, ResultRow)
    assert list(once.columns) == list(columns(ResultRow))
    pd.testing.assert_frame_equal(check(once, ResultRow), once)


def test_a_missing_nullable_column_is_null_and_an_unknown_one_is_named(frames):
    frame = frames.results.drop(columns=["speedup", "passes", "bitwise_equal", "reason"]).assign(colour="red")
    checked = check(frame, ResultRow)
    assert checked[["speedup", "passes", "bitwise_equal", "reason"]].isna().all(axis=None)
    assert "colour" not in checked
    assert checked.attrs["unknown_columns"] == ["colour"]


def test_samples_and_an_empty_frame_are_checked_alike(frames):
    assert len(check(frames.samples, SampleRow)) == len(frames.samples)
    assert check(pd.DataFrame(columns=list(columns(ComparisonRow))), ComparisonRow).empty


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("latency_s", -1.0, "column latency_s, row 0: -1.0 is negative"),
        ("latency_s", np.inf, "column latency_s, row 0: inf is infinite"),
        ("status", "fine", "column status, row 0: 'fine' is no known status"),
        ("status", None, "column status, row 0: a null stands where a value must"),
        ("speedup_low", 2.0, "column speedup_low, row 0: 2.0 is above speedup_high"),
        ("latency_low_s", 1.0, "column latency_low_s, row 0: 1.0 is above latency_high_s"),
        ("G", 0, "column G, row 0: 0 is zero"),
        ("passes", "six", "column passes does not hold int values"),
    ],
)
def test_an_impossible_value_is_refused_with_its_column_and_row(frames, column, value, message):
    with pytest.raises(FrameError) as caught:
        check(changed(frames, column, value), ResultRow)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_missing_key_column_and_a_repeated_cell_are_refused(frames):
    with pytest.raises(FrameError, match=r"^column N is missing"):
        check(frames.results.drop(columns="N"), ResultRow)
    twice = pd.concat([frames.results, frames.results.tail(1)])
    with pytest.raises(FrameError, match=r"row 48: 'triton' has this cell a second time"):
        check(twice, ResultRow)


def test_rounding_of_a_degenerate_interval_is_no_error(frames):
    frame = frames.results.copy()
    frame.loc[0, ["latency_low_s", "latency_high_s"]] = frame.loc[0, "latency_s"] * (1 + 1e-15)
    check(frame, ResultRow)
