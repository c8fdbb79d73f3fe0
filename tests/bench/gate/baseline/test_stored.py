"""Baselines: from results to text and back, and what two of them say of each other."""

import json
import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.gate.baseline import against, stored
from bench.gate.baseline.stored import Baseline, Cell, problem_of
from bench.gate.policy import Policy
from bench.gate.verdicts import Rules, outcome
from bench.plan.problem import ACTIVATIONS, DIRECTIONS, LAYOUTS, Problem
from bench.record.frames import frame_of
from bench.stats.intervals import t_interval
from reports.gate_schema import Outcome, Word
from reports.schema import ResultRow

PROBLEM = Problem(N=2, C=8, H=4, W=4, G=2, eps=1e-6)
INFO = {
    "started": "2026-11-25T10:00:00+00:00",
    "settings": {"reference": "native"},
    "cpu": {"model": "a processor"},
    "versions": {"groupnorm-bench": "0.1.0", "torch": "2.13.0+cpu"},
    "git": {"revision": "0123456789abcdef"},
}
RULES = Rules(policy=Policy(), today=date(2026, 11, 25), places={})
LOGS = [0.40, 0.41, 0.42, 0.40, 0.41, 0.42]


def result(name="cpp", problem=PROBLEM, logs=LOGS, **given):
    interval = t_interval(logs).exp()
    known = {"extra_bytes": 64, "peak_bytes": 1064, "error_rms": 1e-7, "threads": 2, "timer": "host", "cache": "warm"}
    known |= {"speedup": interval.centre, "speedup_low": interval.low, "speedup_high": interval.high}
    key = problem.to_dict() | {"run_id": "r", "implementation": name, "status": "ok", "passes": len(logs)}
    return ResultRow(**(key | known | given))


def baseline(*rows):
    return stored.of_results(frame_of(ResultRow, rows or [result()]), INFO)


def verdicts(base, head, *, strict=False):
    return {row.metric: row for row in against.rows(base, head, RULES, strict=strict)}


def test_a_cell_keeps_the_mean_and_the_spread_of_its_passes():
    (cell,) = baseline().cells.values()
    assert cell.log_speedup == pytest.approx(0.41)
    assert cell.spread == pytest.approx(math.sqrt(sum((one - 0.41) ** 2 for one in LOGS) / 5))
    assert (cell.passes, cell.extra_bytes, cell.error_rms) == (6, 64, 1e-7)


def test_a_hundred_cells_are_small_text_that_is_read_back(tmp_path):
    rows = [result(problem=replace(PROBLEM, N=n)) for n in range(1, 101)]
    rows.append(result("wrong", status="incorrect"))
    one = baseline(*rows)
    path = tmp_path / "one.json"
    path.write_text(one.text())
    assert path.stat().st_size < 50_000
    assert len(one.text().splitlines()) == 102
    assert stored.is_one(path)
    read = stored.read(path)
    assert (read.taken, read.revision, read.conditions) == (one.taken, one.revision, one.conditions)
    assert read.problems == one.problems
    assert read.text() == one.text()


GIVEN = {
    **{name: st.integers(1, 8) for name in ("N", "C", "H", "W", "G")},
    "dtype": st.sampled_from(["float32", "bfloat16"]),
    "affine": st.booleans(),
    "eps": st.floats(1e-12, 1.0),
    "layout": st.sampled_from(LAYOUTS),
    "direction": st.sampled_from(DIRECTIONS),
    "activation": st.sampled_from(ACTIVATIONS),
}


@given(st.fixed_dictionaries(GIVEN))
def test_every_problem_is_read_back_from_its_key(values):
    problem = Problem(**(values | {"C": values["C"] * values["G"]}))
    assert problem_of(problem.key) == problem
    with pytest.raises(ValueError, match="is no problem's key"):
        problem_of(problem.key + " ")


def test_the_same_figures_are_no_regression():
    found = verdicts(baseline(), baseline())
    assert {row.verdict for row in found.values()} == {Word.UNCHANGED}
    assert outcome(list(found.values()), None) == Outcome.CLEAR


def test_a_slower_head_is_advice_or_a_verdict_as_asked():
    slower = baseline(result(logs=[one - 0.2 for one in LOGS]))
    advice = verdicts(baseline(), slower)["latency"]
    assert (advice.verdict, advice.allowed) == (Word.REGRESSED, against.ADVICE)
    assert advice.change == pytest.approx(math.exp(0.2))
    strict = verdicts(baseline(), slower, strict=True)
    assert strict["latency"].allowed is None
    assert outcome(list(strict.values()), None) == Outcome.REGRESSION
    assert outcome(list(verdicts(baseline(), slower).values()), None) == Outcome.CLEAR


def test_exact_metrics_fail_without_being_asked():
    found = verdicts(baseline(), baseline(result(extra_bytes=1 << 20, error_rms=2e-7)))
    assert found["extra_bytes"].verdict == found["error"].verdict == Word.REGRESSED
    assert outcome(list(found.values()), None) == Outcome.REGRESSION


def test_errors_over_other_inputs_are_not_compared():
    more = result(logs=[*LOGS, 0.41], error_rms=9e-7)
    assert "error" not in verdicts(baseline(), baseline(more))


def test_without_an_interval_nothing_is_decided():
    one = result(speedup_low=None, speedup_high=None, passes=1)
    found = verdicts(baseline(one), baseline())["latency"]
    assert (found.verdict, found.change_low) == (Word.UNDECIDED, None)


def test_a_cell_on_one_side_alone_is_new_or_gone():
    both = baseline(result(), result("triton"))
    assert verdicts(both, baseline())["latency"].verdict == Word.GONE
    new = [row for row in against.rows(baseline(), both, RULES, strict=False) if row.implementation == "triton"]
    assert [row.verdict for row in new] == [Word.NEW]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("model", "another", "device model a processor against another; save one here .* or give --allow model"),
        ("threads", 1, "threads 2 against 1; .* or give --allow threads"),
        ("torch", "3.0", "torch 2 against 3; .*"),
        ("device", "cuda", "device cpu against cuda; save one here with 'gnbench baseline save'$"),
    ],
)
def test_other_conditions_are_refused_unless_they_are_allowed(name, value, told):
    base = baseline()
    head = replace(base, conditions=replace(base.conditions, **{name: value}))
    with pytest.raises(UsageError, match=f"--baseline: was taken under other conditions: {told}"):
        against.refuse_other_conditions(base, head, ())
    if name in against.CONDITIONS:
        assert len(against.refuse_other_conditions(base, head, (name,))) == 1
    minor = replace(base, conditions=replace(base.conditions, torch="2.12.1"))
    assert against.refuse_other_conditions(base, minor, ()) == []


def test_a_baseline_names_what_a_run_must_measure():
    base = baseline(result(), result("triton", replace(PROBLEM, N=3, dtype="bfloat16", affine=False)))
    assert against.names_of(base) == ("cpp", "triton")
    from bench.plan.sweep import expand

    assert tuple(one.problem for one in expand(against.sweep_of(base)).problems) == tuple(base.problems.values())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "is no baseline; name a run, or a file that 'gnbench baseline save' wrote"),
        (json.dumps({"kind": stored.KIND, "format_version": 9}), "has format 9; upgrade groupnorm-bench"),
        (json.dumps({"kind": stored.KIND, "format_version": 0}), "has format 0; this version reads 1"),
        (json.dumps({"kind": stored.KIND, "format_version": 1}), "is damaged .*; save it again"),
        (json.dumps({"kind": stored.KIND, "format_version": 1, "cells": {"cpp N2": {}}}), "is damaged .*no problem"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, told):
    path = tmp_path / "one.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"--baseline: .*{told}"):
        stored.read(path)


def test_a_run_without_a_right_cell_is_no_baseline():
    with pytest.raises(UsageError, match="--baseline: has no cell that is ok; measure it again"):
        baseline(result(status="failed"))
    assert isinstance(baseline(), Baseline)
    assert Cell().passes == 0
