import pandas as pd
import pytest
from rich.console import Console

from reports.forms.terminal import comparison, summary
from reports.schema import ComparisonRow, to_record


def shown(renderable, width):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_summary_fits_and_cuts_no_figure(frames, width):
    lines = shown(summary(frames.results, frames.info), width).splitlines()
    assert all(len(line) <= width for line in lines)
    rows = [line for line in lines if "×" in line]
    assert all("[" not in line or "]" in line.rpartition("[")[2] for line in rows)


def test_a_wide_one_has_every_column(frames):
    heading = shown(summary(frames.results, frames.info), 200).splitlines()[1]
    assert heading.split("  ")[0] == "problem"
    for column in ("fastest", "speed-up", "interval", "latency", "error", "extra memory"):
        assert column in heading


def test_who_went_wrong_is_said_below(frames):
    text = " ".join(shown(summary(frames.results, frames.info), 80).split())
    assert "cpp was incorrect on 1 problem" in text


def test_markup_in_a_name_is_a_name(hostile):
    assert "[bold]" in shown(summary(hostile.results.replace({"cpp": "[bold]x"}), hostile.info), 200)


def test_a_comparison_says_first_how_the_machines_differ():
    rows = [
        ComparisonRow(
            implementation="cpp",
            problem="2×320×64×64 G=32",
            base_speedup=1.5,
            head_speedup=1.2,
            change=0.8,
            change_low=0.78,
            change_high=0.82,
            verdict="slower",
        )
    ]
    frame = pd.DataFrame([to_record(row) for row in rows])
    lines = shown(comparison(frame, ["threads: 1 in base, 2 in head"]), 120).splitlines()
    assert "threads: 1 in base, 2 in head" in lines[1]
    assert any("slower" in line and "0.800×" in line for line in lines[2:])
