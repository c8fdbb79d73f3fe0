"""A gate's forms, each held against what reads it: a terminal, a comment's limit, XML, GitHub's commands."""

import io
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

sys.path.append(str(Path(__file__).parents[1]))

from gated import INFO, ROWS, frame, row, timed

from reports import gate
from reports.figures import forest
from reports.forms import annotations, gate_junit, gate_markdown
from reports.forms.gate_terminal import verdicts


def test_a_terminal_shows_what_failed_at_any_width():
    for width in (60, 80, 200):
        shown = Console(width=width, file=io.StringIO(), highlight=False)
        shown.print(verdicts(frame(), INFO))
        text = shown.file.getvalue()
        assert "regression: 3 regressed" in " ".join(text.split())
        assert "+8.0 % [+7.0, +9.0]" in text
        assert max(map(len, text.splitlines())) <= width


def test_a_comment_has_the_outcome_first_and_every_row_worth_reading():
    lines = gate_markdown.comment(frame(), INFO).splitlines()
    assert lines[0].startswith("## ❌ GroupNorm: regression: 3 regressed")
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 2 + len(ROWS) - 1
    assert all(line.count(" | ") == 7 for line in table)


@pytest.mark.parametrize("count", [300, 3_000, 10_000])
def test_a_comment_keeps_what_failed_whatever_its_length(count):
    new = [row("new", implementation="added", problem=f"new {place}", reason="r" * 200) for place in range(600)]
    failed = [timed("regressed", 1.1, problem=f"cell {place}") for place in range(count)]
    text = gate_markdown.comment(frame([*failed, *new]), INFO)
    assert len(text) <= gate_markdown.MOST_CHARACTERS
    assert text.startswith("## ❌ GroupNorm: regression")
    assert f"{count} regressed" in text
    if count == 300:
        assert all(f"cell {place} " in text for place in range(count))
        assert "600 rows that did not fail the gate are left out here" in text
    if count == 10_000:
        assert "10000 cells: cell 0; " in text


def test_names_of_plugins_are_no_markdown():
    text = gate_markdown.comment(frame([timed("regressed", 1.1, implementation="<b>|x`")]), INFO)
    assert "\\<b\\>\\|x\\`" in text


def test_junit_counts_failures_and_skips_and_is_read_by_a_parser():
    root = ET.fromstring(gate_junit.xml(frame(), INFO))
    suites = {suite.get("name"): suite for suite in root}
    assert [suites["cpp"].get(name) for name in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    failure = suites["cpp"].find("testcase/failure")
    assert failure.get("message") == "regressed: +8.0 % [+7.0, +9.0]"
    assert suites["native"].find("testcase/failure") is None
    bad = gate_junit.xml(frame([timed("regressed", 1.1, implementation="a\x00<&>")]), INFO)
    assert ET.fromstring(bad)[0].get("name") == "a�<&>"


def test_junit_fails_where_all_cells_together_did():
    info = INFO | {"suite": {"verdict": "regressed", "centre": 1.04, "low": 1.02, "high": 1.06}}
    root = ET.fromstring(gate_junit.xml(frame([timed("unchanged", 1.02)]), info))
    assert "all cells together are 4 % slower" in root.find(".//failure").get("message")


def test_annotations_name_the_kernels_file():
    lines = annotations.lines(frame(), INFO)
    assert lines[1] == (
        "::error file=kernels/cpp/__init__.py,title=cpp regressed::latency 2×320×64×64 G=32 float32"
        " +8.0 %25 [+7.0, +9.0]"
    )
    many = annotations.lines(frame([timed("regressed", 1.1)] * 30), INFO)
    assert len(many) == 10
    assert many[-1] == "::error title=GroupNorm gate::21 more; see the gate's comment"
    assert annotations.lines(frame([timed("unchanged", 1.0)]), INFO | {"outcome": "no regression"}) == []
    (one,) = annotations.lines(frame([timed("undecided", 1.03)]), INFO | {"outcome": "undecided"})
    assert one.startswith("::warning title=GroupNorm gate::undecided: 1 undecided")


def test_the_forest_has_a_row_a_timed_cell_the_largest_change_first():
    timed_rows = gate.latencies(frame())
    assert list(timed_rows["change"]) == [1.2, 1.08, 1.03, 1.001]
    figure = forest.draw(timed_rows, INFO)
    axes = figure.axes[0]
    assert len(axes.get_yticks()) == 4
    lines = sorted(line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2)
    assert lines[:3] == [0.0, 1.5, 5.0]
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    assert drawn.getvalue().startswith(b"\x89PNG")
