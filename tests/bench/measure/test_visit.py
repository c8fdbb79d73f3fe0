"""A visit's decisions, with a worker whose every answer is known: what is struck, slow or throttled is made again."""

from dataclasses import replace
from itertools import chain, repeat

import pytest

from bench.events import Listener
from bench.measure import messages as m
from bench.measure.visit import visit
from bench.measure.visited import Visit
from bench.plan.problem import Problem

CALL_S = 1e-4
PLAN = Visit(
    problem=Problem(N=1, C=4, H=8, W=8, G=2),
    names=("native", "mine"),
    reference="native",
    pass_=0,
    launch=0,
    seed=0,
    cold=False,
    share_s=0.0,  # so that the least number of rounds is made, five
    clock_s=1e-7,
    timeout_s=1.0,
    weighs=False,
)


class Scripted:
    """Answers each round as told; ``rounds`` gives a function of a batch's name and the spin before the round."""

    def __init__(self, rounds=()):
        self.rounds = chain(rounds, repeat(({}, 4e-5)))
        self.asked = []

    def ask(self, request, timeout_s):
        self.asked.append(request)
        match request:
            case m.Open():
                return m.Opened(refused={}, untimed={})
            case m.Check():
                return m.Checked(status="ok", reason=None, first_call_s=0.1)
            case m.Warm():
                return m.Warmed(call_s=CALL_S)
            case m.Time(batches=batches):
                faults, spin_s, *stolen = next(self.rounds)
                ends = next(
                    (place for place, (name, _) in enumerate(batches) if faults.get(name, {}).get("struck")), 99
                )
                timed = [
                    m.TimedBatch(name=name, calls=calls, seconds=CALL_S * calls, **faults.get(name, {}))
                    for name, calls in batches[: ends + 1]
                ]
                return m.Timed(batches=timed, spin_s=spin_s, stolen_s=stolen[0] if stolen else None)
            case m.Cool():
                return m.Cooled()
            case m.Close():
                return m.Closed()

    def of(self, kind):
        return [request for request in self.asked if isinstance(request, kind)]


def made(rounds=(), **changes):
    worker = Scripted(rounds)
    return visit(replace(PLAN, **changes), worker, Listener()), worker


STRUCK = {"mine": {"struck": True, "repeats": 8}}


def test_a_quiet_visit_makes_its_rounds_once():
    visited, worker = made()
    assert len(worker.of(m.Time)) == 5
    assert {len(series.seconds) for series in visited.series.values()} == {5}
    assert visited.spins_s == [4e-5] * 5
    assert {series.struck for series in visited.series.values()} == {0}


def test_a_struck_round_is_made_again_and_its_batches_are_counted_and_in_no_figure():
    visited, worker = made([({}, 4e-5), (STRUCK, 4e-5)])
    assert len(worker.of(m.Time)) == 6
    assert len(visited.series["mine"].seconds) == 5
    assert (visited.series["mine"].struck, visited.series["native"].struck) == (9, 0)


def test_batches_repeated_in_time_leave_the_round_whole():
    visited, worker = made([({"mine": {"repeats": 2}}, 4e-5)])
    assert len(worker.of(m.Time)) == 5
    assert visited.series["mine"].struck == 2


def test_where_most_rounds_are_struck_batches_become_shorter():
    visited, worker = made([(STRUCK, 4e-5)])
    lengths = [dict(request.batches)["mine"] for request in worker.of(m.Time)]
    assert lengths == [25] + [1] * 5
    assert visited.series["mine"].calls == 1
    assert visited.series["mine"].call_seconds() == pytest.approx([CALL_S] * 5)
    assert visited.series["mine"].struck == 9
    assert visited.batch_s == pytest.approx(2.5e-3 / 16)


def test_a_machine_that_never_rests_gives_no_figure_and_ends():
    visited, worker = made([(STRUCK, 4e-5)] * 1000)
    assert len(worker.of(m.Time)) == 1 + 10
    assert all(not series.seconds for series in visited.series.values())


def test_a_round_after_a_slow_spin_is_made_again():
    visited, worker = made([({}, 4e-5), ({}, 4e-5), ({}, 7e-5)])
    assert len(worker.of(m.Time)) == 6
    assert visited.spins_s == [4e-5] * 5
    assert {series.struck for series in visited.series.values()} == {1}


def test_a_core_that_stays_slow_is_the_machine_as_it_is():
    visited, _ = made([({}, 4e-5), *[({}, 7e-5)] * 100])
    assert len(visited.series["mine"].seconds) == 5


def test_a_round_of_which_a_hypervisor_took_a_fifth_is_made_again_and_the_time_is_kept():
    visited, worker = made([({}, 4e-5, 10.0)])
    assert len(worker.of(m.Time)) == 6
    assert visited.stolen_s == 10.0


def test_a_visit_that_ends_early_is_held_against_the_truth_once_more():
    plan = replace(PLAN, seed=next(seed for seed in range(100) if _first_round_is_not_verified(seed)))
    visited, worker = made([*[({}, 4e-5)] * 3, *[(STRUCK, 4e-5)] * 1000], seed=plan.seed)
    rounds = worker.of(m.Time)
    assert len(visited.series["mine"].seconds) == 3
    assert rounds[-1].verify
    assert not any(request.verify for request in rounds[:3])


def test_fewer_than_three_rounds_are_no_figure():
    visited, _ = made([*[({}, 4e-5)] * 2, *[(STRUCK, 4e-5)] * 1000])
    assert not any(series.seconds for series in visited.series.values())


def _first_round_is_not_verified(seed):
    _, worker = made(seed=seed)
    return not any(request.verify for request in worker.of(m.Time)[:3])


def test_what_one_round_does_not_tell_leaves_the_others_in_their_places():
    told = [{"sm_clock_hz": 1e9, "throttled": False}, {}, {"sm_clock_hz": 2e9, "throttled": False}, {}, {}]
    visited, _ = made([({"mine": one}, None) for one in told])
    assert visited.series["mine"].sm_clock_hz == [1e9, None, 2e9, None, None]
    assert visited.series["native"].sm_clock_hz == []


THROTTLED = {"mine": {"throttled": True}}
COOL = {"mine": {"throttled": False}}


def test_a_throttled_round_is_waited_out_and_made_again():
    visited, worker = made([(THROTTLED, None), *[(COOL, None)] * 5], share_s=10.0)
    assert len(worker.of(m.Cool)) == 1
    assert worker.of(m.Cool)[0].most_s == pytest.approx(2.0)  # 20 % of the visit's share
    assert not any(visited.series["mine"].throttled)


def test_a_gpu_that_stays_throttled_is_measured_and_marked_after_three_waits():
    visited, worker = made([(THROTTLED, None)] * 1000, share_s=10.0)
    rounds = len(visited.series["mine"].seconds)
    assert all(visited.series["mine"].throttled)
    assert len(worker.of(m.Cool)) == 3 * rounds


def test_no_budget_is_no_waiting():
    visited, worker = made([(THROTTLED, None)] * 1000)
    assert not worker.of(m.Cool)
    assert visited.series["mine"].throttled == [True] * 5
