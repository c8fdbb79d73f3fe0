"""Metrics without noise: known figures, symmetry of the words, and the verdict of cells that cannot be compared."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.candidate import Candidate
from bench.gate.exact import Exact, of_cell, of_kernels
from bench.gate.pairs import Pair
from bench.measure.messages import Checked, Weighed
from bench.measure.visited import CellVisit
from bench.plan.problem import Problem
from reports.gate_schema import Word

PAIR = Pair(problem=Problem(N=1, C=4, H=1, W=1, G=2), row="cpp")


def side(extra=100, error=1e-7, status="ok", reason=None):
    return CellVisit(
        status=status,
        reason=reason,
        checked=Checked(status="ok", reason=None, first_call_s=None, error_rms=error),
        weighed=Weighed(peak_bytes=1000 + extra, extra_bytes=extra),
    )


def candidate(base, head, *, is_timed=True):
    return Candidate(pair=PAIR, base=base, head=head, is_timed=is_timed)


@pytest.mark.parametrize(
    ("base", "head", "growth", "word"),
    [
        (100, 101, 0.01, Word.UNCHANGED),
        (100, 102, 0.01, Word.REGRESSED),
        (100, 98, 0.01, Word.IMPROVED),
        (0, 0, 0.01, Word.UNCHANGED),
        (0, 8, 0.01, Word.REGRESSED),
        (8, 0, 0.01, Word.IMPROVED),
        (32, 33, 0.0, Word.REGRESSED),
    ],
)
def test_growth_beyond_what_is_allowed_is_a_regression(base, head, growth, word):
    assert Exact(metric="allocated_bytes", base=base, head=head).word(growth) == word


def test_resident_bytes_have_a_grain():
    grain = 1 << 19
    assert Exact(metric="extra_bytes", base=0, head=grain).word(0.01) == Word.UNCHANGED
    assert Exact(metric="extra_bytes", base=0, head=grain + 1).word(0.01) == Word.REGRESSED


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1))
def test_exchanging_the_sides_turns_a_regression_into_an_improvement(base, head, growth):
    there = Exact(metric="error", base=base, head=head).word(growth)
    back = Exact(metric="error", base=head, head=base).word(growth)
    turned = {Word.REGRESSED: Word.IMPROVED, Word.UNCHANGED: Word.UNCHANGED}
    assert there not in turned or back in {turned[there], Word.UNCHANGED}
    assert (there, back).count(Word.REGRESSED) < 2


def test_a_cell_has_the_metrics_that_both_sides_have():
    found = {one.metric: (one.base, one.head, one.unit) for one in of_cell(candidate(side(100), side(200, 2e-7)))}
    assert found == {"peak_bytes": (1100, 1200, "B"), "extra_bytes": (100, 200, "B"), "error": (1e-7, 2e-7, "1")}


def test_instructions_are_compared_beyond_what_an_address_can_change():
    counted = replace(candidate(side(), side()), instructions=(100_000, 100_600))
    (one,) = [one for one in of_cell(counted) if one.metric == "instructions"]
    assert (one.word(0.005), one.unit) == (Word.REGRESSED, "1")
    assert replace(one, head=100_500).word(0.0) == Word.UNCHANGED


def test_an_interpreters_bytes_are_no_metric():
    assert [one.metric for one in of_cell(candidate(side(100), side(200), is_timed=False))] == ["error"]


def test_kernels_are_compared_by_name():
    base = {"a": {"registers": 32, "spill_bytes": 0}, "gone": {"registers": 1}}
    head = {"a": {"registers": 40, "spill_bytes": None}, "new": {"registers": 1}}
    assert list(of_kernels(base, head, "sm_90")) == [
        Exact(metric="registers", base=32, head=40, kernel="a on sm_90"),
    ]


@pytest.mark.parametrize(
    ("base", "head", "word", "reason"),
    [
        (side(), side(), None, None),
        (side(), side(status="incorrect", reason="off"), Word.BROKEN, "head is incorrect: off"),
        (side(), side(status="unavailable", reason="no g++"), Word.BROKEN, "head is unavailable: no g++"),
        (side(), side(status="unsupported", reason="H odd"), Word.GONE, "head is unsupported: H odd"),
        (side(), None, Word.GONE, "head has no such row"),
        (None, side(), Word.NEW, "base has no such row"),
        (side(status="crashed", reason="SIGSEGV"), side(), Word.MENDED, "base is crashed: SIGSEGV"),
        (None, None, Word.NOT_COMPARED, "base has no such row; head has no such row"),
    ],
)
def test_a_cell_that_one_side_cannot_compute_has_its_word(base, head, word, reason):
    one = candidate(base, head)
    assert (one.word, one.reason) == (word, reason)
    assert Candidate.from_dict(one.to_dict()) == one


def test_of_two_weighings_the_lighter_counts_on_each_side():
    one = candidate(side(100), side(900))
    assert one.weighs_differently
    again = one.lighter(side(500), side(100))
    assert (again.base.weighed, again.head.weighed) == (side(100).weighed, side(100).weighed)
    assert not again.weighs_differently
    assert not replace(one, is_timed=False).weighs_differently
