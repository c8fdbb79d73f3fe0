import io

import pytest
from rich.console import Console

from bench.cli import progress
from bench.events import Progress


@pytest.fixture
def lines(monkeypatch):
    """A listener that writes plain lines, its clock, and what it wrote."""
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    written = io.StringIO()
    return progress._Lines(Console(file=written, width=200)), clock, written


def test_progress_is_told_at_most_every_few_seconds(lines):
    listener, clock, written = lines
    for second in range(20):
        clock[0] = 100.0 + second
        listener.progressed(Progress(done=second, left=20 - second, failing={}, left_s=20.0 - second))
    assert written.getvalue().splitlines() == [
        "[  0.0 s] visits: 0 done, 20 left; failing: none; about 20 s left",
        "[  6.0 s] visits: 6 done, 14 left; failing: none; about 14 s left",
        "[ 12.0 s] visits: 12 done, 8 left; failing: none; about 8 s left",
        "[ 18.0 s] visits: 18 done, 2 left; failing: none; about 2 s left",
    ]


def test_the_first_failures_are_told_and_the_rest_counted(lines):
    listener, _, written = lines
    for number in range(100):
        listener.cell_left(f"N{number}-C8-H4-W4-G4-float32-rest", "mine", "crashed", "SIGSEGV")
    told = written.getvalue().splitlines()
    assert told[0] == "[  0.0 s] mine on N0-C8-H4-W4-G4-float32: crashed: SIGSEGV"
    assert told[20:] == ["[  0.0 s] further cells that fail are counted only; the report lists them"]


def test_what_is_only_refused_is_not_told(lines):
    listener, _, written = lines
    listener.cell_left("N1-C8-H4-W4-G4-float32-rest", "mine", "unsupported", "G is even")
    assert written.getvalue() == ""


def test_failing_cells_are_counted_by_status():
    made = Progress(done=1234, left=1, failing={"timeout": 1, "crashed": 2}, left_s=None)
    assert progress._counted(made) == "visits: 1,234 done, 1 left; failing: 2 crashed, 1 timeout"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (95, "2 min"), (7300, "2 h 2 min")])
def test_a_duration_has_the_unit_that_matters(seconds, words):
    assert progress._duration(seconds) == words
