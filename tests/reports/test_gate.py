"""What every form of a gate's report says."""

import pytest
from gated import INFO, ROWS, frame, timed

from reports import gate
from reports.gate_schema import WORST_FIRST, Word


def test_the_worst_comes_first_and_what_is_unchanged_not_at_all():
    told = gate.told(frame())
    assert list(told["problem"])[:2] == ["from nothing", "2×320×64×64 G=32 float32"]
    assert "unchanged" not in set(told["verdict"])
    ranks = [WORST_FIRST.index(Word(word)) for word in told["verdict"]]
    assert ranks == sorted(ranks)


def test_what_is_allowed_fails_nothing():
    assert [row["problem"] for row in gate.failing(frame())] == ["from nothing", ROWS[2].problem, "broken"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "regression: 3 regressed; 1 broken; 1 undecided; 1 new; 1 unchanged"),
        (
            {"suite": {"verdict": "regressed", "centre": 1.04, "low": 1.02, "high": 1.06}},
            "regression: all cells together are 4 % slower; 3 regressed; 1 broken; 1 undecided; 1 new; 1 unchanged",
        ),
        (
            {"outcome": "no verdict", "control": {"centre": 1.04, "low": 1.02, "high": 1.06}},
            "no verdict: this machine treats equal code unequally (a control that should be 1 is [1.02, 1.06])",
        ),
    ],
)
def test_the_headline_says_the_outcome_and_counts_the_rest(given, said):
    assert gate.headline(frame(), INFO | given) == said


def test_an_undecided_gate_says_what_it_would_need():
    rows = frame([timed("undecided", 1.03, passes_wanted=7)])
    undecided = INFO | {"outcome": "undecided"}
    assert gate.headline(rows, undecided | {"wanted_s": 42.4}) == (
        "undecided: 1 undecided; about 42 s more would decide it: gnbench gate --resume runs/gate --budget 42"
    )
    assert "cannot be told from its few passes" in gate.headline(rows, undecided)


def test_conditions_name_both_sides_and_the_error_of_the_whole_gate():
    assert gate.conditions(INFO) == (
        "Base main (0123456789ab), head fedcba987654. Threshold 5 %, tolerance 1.5 %; the whole gate alarms falsely"
        " with at most 1 %. 12 passes on fresh workers, 41 s."
    )
    assert "with changes that no commit holds" in gate.conditions(INFO | {"is_dirty": True})


def test_a_change_has_its_interval_and_none_comes_from_nothing():
    written = {row["problem"]: gate.cells(row)["change"] for row in gate.records(frame())}
    assert written["undecided"] == "+3.0 % [+2.0, +4.0]"
    assert written["from nothing"] == "from nothing"
    assert written["broken"] == "–"
