import io
import json

import pandas as pd
import pytest

from reports.forms import tabular
from reports.intake import check
from reports.schema import ResultRow, columns


def test_csv_reads_back_to_the_same_frame(frames):
    checked = check(frames.results, ResultRow)
    again = check(pd.read_csv(io.StringIO(tabular.csv_text(checked))), ResultRow)
    pd.testing.assert_frame_equal(again, checked)


@pytest.mark.parametrize("name", ["=1+1", "@sum", "-cmd", "+x"])
def test_a_formula_is_disarmed(frames, name):
    checked = check(frames.results.replace({"implementation": {"naive": name}}), ResultRow)
    assert f"run-a,'{name}," in tabular.csv_text(checked)


def test_json_has_null_for_null_and_the_meaning_of_every_column(frames):
    def refuse(word):
        raise AssertionError(word)

    document = json.loads(tabular.json_text(check(frames.results, ResultRow), [frames.info]), parse_constant=refuse)
    assert set(document["columns"]) == set(columns(ResultRow))
    assert len(document["results"]) == 48
    unavailable = next(row for row in document["results"] if row["status"] == "unavailable")
    assert unavailable["latency_s"] is None
    assert document["runs"] == [frames.info]
