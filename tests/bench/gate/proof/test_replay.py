"""Replayed gates and peers' rules on made-up recordings; the figures of rates; a recording's way to disk."""

import json
import random

import numpy as np
import pytest

from bench.errors import UsageError
from bench.gate.judge import CONTROL, Lines
from bench.gate.proof import check, peers, recording
from bench.gate.proof.replay import Added, clopper_pearson, many_gates, one_gate, rate
from bench.measure.messages import TWIN
from bench.measure.visited import Series, Visited
from reports.gate_schema import Outcome

CELLS = [f"cpp P{place}" for place in range(4)]


def recorded(spread, passes=60, drift=0.0):
    """Passes of 6 rounds whose sides differ by chance alone, and whose machine slows down or speeds up by pass."""
    draw = np.random.default_rng(0)
    made = []
    for _ in range(passes):
        machine = float(np.exp(draw.normal(0.0, drift)))
        seconds = {
            cell: (
                (machine * np.exp(draw.normal(0, spread / 4, 6))).tolist(),
                (machine * np.exp(draw.normal(0, spread / 4, 6) + draw.normal(0, spread))).tolist(),
            )
            for cell in (*CELLS, CONTROL)
        }
        wall_s = {f"P{place}": 0.2 for place in range(4)} | {CONTROL: 0.1}
        made.append(recording.Recorded(seconds=seconds, wall_s=wall_s))
    return made


def replayed(spread, added, lines=None, gates=60):
    return many_gates(recorded(spread), lines or Lines(), added, gates=gates, budget_s=60.0, seed=1)


def test_equal_code_raises_no_alarm_and_a_slowdown_is_found():
    assert {one.outcome for one in replayed(0.005, Added(slowdown=0.0))} == {Outcome.CLEAR}
    slowed = replayed(0.005, Added(slowdown=0.05))
    assert all(one.has_found and one.outcome == Outcome.REGRESSION for one in slowed)
    assert all(one.has_found for one in replayed(0.005, Added(slowdown=0.05, to_all=True)))


def test_noise_beyond_the_threshold_leaves_gates_undecided_and_silent():
    outcomes = {one.outcome for one in replayed(0.3, Added(slowdown=0.0))}
    assert Outcome.REGRESSION not in outcomes
    assert Outcome.UNDECIDED in outcomes


def test_a_gate_costs_what_its_visits_cost_and_ends_within_its_budget():
    ended = one_gate(recorded(0.3), CELLS, 0, Lines(), Added(slowdown=0.0), budget_s=9.5, rng=random.Random(0))
    assert ended.outcome == Outcome.UNDECIDED
    assert ended.passes >= 10
    assert 9.5 - 0.9 < ended.seconds <= 9.5


def test_rules_without_pairs_alarm_where_the_machine_moves():
    moving = recorded(0.001, drift=0.1)
    said = peers.many("pytest-benchmark mean:5%", moving, Added(slowdown=0.0), gates=40, length=5, seed=0)
    assert sum(one.has_alarmed for one in said) > 4
    ours = many_gates(moving, Lines(), Added(slowdown=0.0), gates=40, budget_s=60.0, seed=0)
    assert not any(one.outcome == Outcome.REGRESSION for one in ours)


@pytest.mark.parametrize("name", peers.RULES)
def test_every_rule_sees_a_doubling_and_is_silent_on_the_same_figures(name):
    base = np.linspace(1.0, 1.1, 40)
    assert peers.RULES[name](base, 2 * base)
    assert not peers.RULES[name](base, base)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"), [(0, 299, 0.0, 0.00997), (299, 299, 0.99003, 1.0), (5, 10, 0.1871, 0.8129)]
)
def test_clopper_and_pearsons_interval(count, of, low, high):
    found = clopper_pearson(count, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_a_rate_of_nothing_is_bounded_by_gates_that_share_no_pass():
    starts = list(range(100)) * 10
    found = rate(starts, [False] * 1000, recorded=100, length=10.0)
    assert (found.count, found.of) == (0, 1000)
    assert found.interval.high == pytest.approx(clopper_pearson(0, 10).high)
    some = rate(starts, [start < 10 for start in starts], recorded=100, length=10.0)
    assert some.interval.low == 0.0
    assert some.interval.centre == pytest.approx(0.1)
    assert 0.2 <= some.interval.high <= 0.4


def visited(key, **series):
    made = {name: Series(calls=2, seconds=seconds, positions=[0] * len(seconds)) for name, seconds in series.items()}
    return Visited(key=key, pass_=0, launch=0, series=made, seconds={"measure": 0.5})


def test_a_recording_is_read_back(tmp_path):
    draw = np.random.default_rng(0)
    visits = [
        visited("P0", **{"native": [2.0, 4.0, 4.0], TWIN: [2.0, 4.0, 4.0]}),
        visited("P0", **{"cpp@base": [2.0, 2.5, 2.2], "cpp@head": [4.0, 5.0, 4.4]}),
    ]
    path = tmp_path / "recording.jsonl"
    lines = []
    for _ in range(40):
        head = (4.0 + draw.random(3)).tolist()
        other = visited("P1", **{"cpp@base": (2.0 + draw.random(3)).tolist(), "cpp@head": head})
        lines.append(json.dumps(recording.line([*visits, other], "native", 1.25)) + "\n")
    path.write_text("".join(lines))
    passes = recording.read(path)
    assert recording.cells_of(passes) == ("cpp P0", "cpp P1")
    assert passes[0].figures["cpp P0"] == pytest.approx(np.log(2))
    assert passes[0].figures[CONTROL] == 0.0
    assert passes[0].wall_s == {"P0": 0.5, "P1": 0.5, CONTROL: 0.25}
    proof = check.prove(path, gates=4, budget_s=60.0)
    assert len(proof.frame) == len(proof.rows) == 2 * 7 + 2 * len(peers.RULES)
    assert (proof.passes, proof.cells) == (40, 2)


def test_a_file_that_is_no_recording_and_one_that_is_too_short(tmp_path):
    path = tmp_path / "recording.jsonl"
    with pytest.raises(UsageError, match=r"--replay: .* is no recording"):
        recording.read(path)
    path.write_text('{"a": 1}\n')
    with pytest.raises(UsageError, match=r"--replay: .* is no recording \('seconds'\); record one with --self-check"):
        recording.read(path)
    path.write_text(json.dumps({"seconds": {}, "wall_s": {}}) + "\n")
    with pytest.raises(UsageError, match=r"--replay: .* holds 1 passes; record at least 40"):
        recording.read(path)
