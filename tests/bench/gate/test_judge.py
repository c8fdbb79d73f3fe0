"""Verdicts: known cases, symmetry, and how often a gate without a regression alarms."""

import math

import numpy as np
import pytest

from bench.gate.judge import CONTROL, Judge, Lines
from reports.gate_schema import Outcome, Word

SLOWER = math.log(1.05)


def judged(series, lines=None, control=None):
    """Feed each cell's figures until it is decided."""
    judge = Judge(list(series), lines or Lines())
    for pass_ in range(max(map(len, series.values()))):
        figures = {cell: values[pass_] for cell, values in series.items() if cell in judge.open}
        judge.feed(figures | ({} if control is None else {CONTROL: control[pass_]}))
        if not judge.open:
            break
    return judge


def around(mean, passes=30, spread=0.002):
    """Figures that are ``spread`` above and below their mean in turn."""
    return [mean + spread * (-1) ** pass_ for pass_ in range(passes)]


@pytest.mark.parametrize(
    ("mean", "word"),
    [(0.0, Word.UNCHANGED), (math.log(1.10), Word.REGRESSED), (-math.log(1.10), Word.IMPROVED), (0.01, Word.UNCHANGED)],
)
def test_a_clear_cell_has_its_word_and_is_measured_no_more(mean, word):
    judge = judged({"a": around(mean)})
    verdict = judge.verdicts()["a"]
    assert verdict.word == word
    assert judge.open == judge.next == ()
    assert verdict.passes == judge.passes < 30
    assert verdict.change.low < math.exp(mean) < verdict.change.high


def test_an_improvement_is_no_regression_and_a_regression_is_one():
    assert judged({"a": around(-0.1), "b": around(0.0)}).outcome == Outcome.CLEAR
    assert judged({"a": around(0.1), "b": around(0.0)}).outcome == Outcome.REGRESSION


def test_noise_leaves_a_cell_undecided_and_says_how_many_passes_it_wants():
    judge = judged({"a": around(0.0, passes=8, spread=0.5)})
    verdict = judge.verdicts()["a"]
    assert (verdict.word, judge.outcome) == (Word.UNDECIDED, Outcome.UNDECIDED)
    longer = judged({"a": around(0.0, passes=8 + verdict.wanting, spread=0.5)})
    assert longer.verdicts()["a"].word == Word.UNCHANGED


def test_a_cell_between_the_lines_may_have_either_verdict_in_the_end():
    assert judged({"a": around(math.log(1.03), passes=200)}).verdicts()["a"].word in {Word.UNCHANGED, Word.REGRESSED}


def test_all_cells_a_little_slower_are_found_together_before_any_alone():
    draw = np.random.default_rng(1)
    cells = [f"c{place}" for place in range(24)]
    judge = Judge(cells, Lines())
    while judge.next and judge.passes < 30:
        judge.feed({cell: draw.normal(SLOWER, 0.03) for cell in judge.open})
    assert judge.outcome == Outcome.REGRESSION
    assert judge.suite.word == Word.REGRESSED
    assert judge.next == ()
    assert judge.passes <= 12


def test_suspects_are_measured_alone_after_the_sixth_pass():
    draw = np.random.default_rng(2)
    judge = Judge(["slow", "equal"], Lines())
    means = {"slow": SLOWER, "equal": 0.0}
    for _ in range(6):
        assert judge.next == ("slow", "equal")
        judge.feed({cell: draw.normal(means[cell], 0.03) for cell in judge.next})
    assert judge.next == ("slow",)


def test_a_machine_that_treats_equal_code_unequally_has_no_verdict():
    judge = judged({"a": around(0.1)}, control=around(0.05))
    assert judge.outcome == Outcome.NO_VERDICT
    assert judge.next == ()
    assert judge.control.low > 1.015


def test_going_on_later_is_the_same_gate():
    series = {"a": around(0.02, passes=40, spread=0.02), "b": around(0.0, passes=40, spread=0.02)}
    straight, resumed = judged(series), Judge(list(series), Lines())
    for pass_ in range(40):
        figures = {cell: values[pass_] for cell, values in series.items() if cell in resumed.open}
        if figures:
            resumed.feed(figures)
    assert straight.verdicts() == resumed.verdicts()


def test_a_decided_cell_gets_no_second_chance():
    judge = judged({"a": around(0.0)})
    with pytest.raises(ValueError, match="'a' is decided: a figure more would be a second chance"):
        judge.feed({"a": 0.5})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tolerance": 0.05}, "tolerance = 0.05 is not from 0 to below the threshold 0.05"),
        ({"tolerance": -0.1}, "tolerance = -0.1 is not from 0 to below the threshold 0.05"),
        ({"alpha": 0.0}, "alpha = 0.0 is not between 0 and 1"),
    ],
)
def test_lines_in_the_wrong_order(given, message):
    with pytest.raises(ValueError, match=message):
        Lines(**given)


@pytest.mark.parametrize("figures", [{"b": 0.0}, {"a": math.inf}])
def test_what_is_no_figure_of_a_cell(figures):
    with pytest.raises(ValueError, match=r"no cell of this gate|is no figure"):
        Judge(["a"], Lines()).feed(figures)


@pytest.mark.parametrize(("effect", "least", "most"), [(0.0, 0, 0), (0.05, 49, 50)])
def test_fifty_simulated_gates_stay_silent_and_find_what_they_must(effect, least, most):
    """24 cells of 1 % noise between passes; the whole proof is a recording of real passes, replayed."""
    alarms = 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        judge = Judge([f"c{place}" for place in range(24)], Lines())
        while judge.next and judge.passes < 40:
            judge.feed({cell: draw.normal(math.log1p(effect) if cell == "c0" else 0.0, 0.01) for cell in judge.next})
        alarms += judge.outcome == Outcome.REGRESSION
    assert least <= alarms <= most


def test_cells_that_may_still_come_take_part_in_sharing_alpha():
    """A judge of one cell that knows of another is as careful as a judge of two."""
    alone, beside = Judge(["a"], Lines()), Judge(["a"], Lines(), beside=1)
    both = Judge(["a", "b"], Lines())
    for figure in around(math.log(1.10), passes=9):
        for judge in (alone, beside, both):
            if "a" in judge.open:
                judge.feed({"a": figure})
    assert beside.verdicts()["a"].change == both.verdicts()["a"].change != alone.verdicts()["a"].change
