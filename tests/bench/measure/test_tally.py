"""Rows from visits made up with exact times."""

import math

import pytest

from bench.measure import messages
from bench.measure.tally import Conditions, Tally, unfitting_rows
from bench.measure.visited import CellVisit, Series, Visited
from bench.plan.block import Block
from bench.plan.problem import Problem
from bench.stats.stopping import Stopping

PROBLEM = Problem(N=1, C=4, H=8, W=8, G=2)
CONDITIONS = Conditions(run_id="r", reference="native", timer="host", cache="warm", threads=1)
NAMES = ("native", "mine")


def series(*call_s, calls=10):
    return Series(calls=calls, seconds=[one * calls for one in call_s], positions=list(range(len(call_s))))


def checked(error=1e-7):
    return messages.Checked(status="ok", reason=None, first_call_s=0.5, error_max_abs=error, bitwise_equal=True)


def visited(pass_=0, cells=None, **times):
    made = {name: series(*seconds) for name, seconds in times.items() if name in NAMES}
    made |= {f"@{name}": series(*seconds) for name, seconds in times.items() if name not in NAMES}
    return Visited(
        key=PROBLEM.key,
        pass_=pass_,
        launch=pass_ // 3,
        cells=cells or {name: CellVisit(checked=checked()) for name in NAMES},
        series=made,
    )


def tally(*visits, slow=(), names=NAMES, most=8):
    made = Tally(Block(problem=PROBLEM, names=names), slow, Stopping(precision=0.01, most_passes=most))
    for one in visits:
        made.feed(one)
    return made


def row(made, name="mine"):
    return next(one for one in made.results(CONDITIONS) if one.implementation == name)


def test_a_speedup_is_the_ratio_of_times_and_its_interval_lies_over_passes():
    made = tally(
        visited(0, native=[4, 4, 4], mine=[2, 2, 2], twin=[4, 4, 4], copy=[1, 1, 1], clone=[1, 1, 1]),
        visited(1, native=[8, 8, 8], mine=[4, 4, 4], twin=[8, 8, 8], copy=[2, 2, 2], clone=[2, 2, 2]),
    )
    mine = row(made)
    assert mine.speedup == pytest.approx(2)
    assert mine.speedup_low == pytest.approx(2)  # exactly the same ratio in both passes
    assert mine.latency_s == pytest.approx(math.sqrt(2 * 4))
    assert mine.latency_low_s < 2
    assert mine.latency_high_s > 4
    assert (mine.fastest_pass_s, mine.passes, mine.rounds) == (pytest.approx(2), 2, 6)
    assert mine.roofline_fraction == pytest.approx(0.5)
    assert mine.noise_floor == pytest.approx(0, abs=1e-12)
    native = row(made, "native")
    assert (native.speedup_low, native.speedup, native.speedup_high) == (1, 1, 1)


def test_a_figure_below_the_bytes_it_must_move_is_refused():
    made = tally(*(visited(n, native=[4, 4], mine=[0.5, 0.5], copy=[1, 1], clone=[1.2, 1.2]) for n in range(2)))
    assert row(made).status == "implausible"
    assert row(made).latency_s is None
    assert row(made).reason == "0.5 s a call, 2 times as fast as a plain copy of the same bytes"


def test_a_noisy_figure_below_the_copy_is_not_refused():
    times = [0.3, 0.9, 0.4, 1.2]
    made = tally(*(visited(n, native=[4], mine=[one], copy=[1], clone=[1]) for n, one in enumerate(times)))
    assert row(made).status == "ok"
    assert row(made).roofline_fraction > 1 / 0.7


def test_the_first_bad_status_stays():
    bad = {"native": CellVisit(checked=checked()), "mine": CellVisit(status="inconsistent", reason="oh")}
    made = tally(visited(0, native=[1], mine=[1]), visited(1, cells=bad, native=[1]), visited(2, native=[1], mine=[1]))
    assert (row(made).status, row(made).reason, row(made).latency_s) == ("inconsistent", "oh", None)
    assert made.names_for(3, "native") == ("native",)


def test_errors_are_the_worst_of_all_passes_and_held_against_the_references():
    cells = {"native": CellVisit(checked=checked(2e-7)), "mine": CellVisit(checked=checked(6e-7))}
    made = tally(visited(0, cells=cells, native=[1], mine=[1]), visited(1, native=[1], mine=[1]))
    assert row(made).error_max_abs == 6e-7
    assert row(made).error_vs_reference == pytest.approx(3)


def test_an_untimed_row_is_right_without_a_latency_and_visited_once():
    made = tally(visited(0, native=[1, 1]))
    assert (row(made).status, row(made).latency_s, row(made).first_call_s) == ("ok", None, 0.5)
    assert made.names_for(1, "native") == ("native",)


def test_a_slow_row_takes_part_in_every_other_pass():
    made = tally(visited(0, native=[1], mine=[1]), slow=("mine",))
    assert [made.names_for(pass_, "native") for pass_ in (2, 3)] == [("native", "mine"), ("native",)]


@pytest.mark.parametrize(
    ("passes", "budget_is_spent", "done"),
    [(5, True, False), (6, True, True), (6, False, False), (8, False, True)],
)
def test_six_passes_are_made_even_past_the_budget(passes, budget_is_spent, done):
    made = tally(*(visited(n, native=[1, 1], mine=[1 + n % 2, 1 + n % 2]) for n in range(passes)))
    assert made.is_done("native", budget_is_spent=budget_is_spent) == done


def test_a_narrow_interval_ends_a_block_after_six_passes():
    made = tally(*(visited(n, native=[2, 2], mine=[1, 1]) for n in range(6)))
    assert made.is_done("native", budget_is_spent=False)


def test_what_the_budget_never_reached_says_so():
    assert [one.status for one in tally().results(CONDITIONS)] == ["not_measured"] * 2


def test_what_does_not_fit_names_the_bytes():
    rows = unfitting_rows(Block(problem=PROBLEM, names=NAMES), 2_000, 1_000, CONDITIONS)
    assert {one.status for one in rows} == {"unsupported"}
    assert rows[0].reason == "needs 2,000 bytes with its oracle, where 1,000 are available"


def test_samples_are_the_batches_as_they_were_timed():
    samples = list(tally(visited(3, native=[1, 2], twin=[3, 4])).samples("r"))
    assert [(one.implementation, one.pass_, one.launch, one.round, one.calls, one.seconds) for one in samples] == [
        ("native", 3, 1, 0, 10, 10),
        ("native", 3, 1, 1, 10, 20),
        ("@twin", 3, 1, 0, 10, 30),
        ("@twin", 3, 1, 1, 10, 40),
    ]


def test_a_visit_survives_the_journal():
    made = visited(0, native=[1, 2], mine=[1, 2])
    made.cells["mine"].weighed = messages.Weighed(peak_bytes=3)
    assert Visited.from_dict(made.to_dict()) == made


def test_how_times_moved_is_told():
    made = tally(*(visited(n, native=[1, 2, 1, 2], mine=[1 + n, 1 + n, 1 + n, 1 + n]) for n in range(6)))
    assert (row(made).drift, row(made, "native").drift) == ("slower with time", None)
    assert row(made, "native").autocorrelation == pytest.approx(-0.75)
    assert row(made).autocorrelation is None  # equal rounds have no memory to speak of


def test_struck_batches_are_counted():
    busy = visited(0, native=[1, 1], mine=[1, 1])
    busy.series["mine"].struck = 3
    made = tally(busy, visited(1, native=[1, 1], mine=[1, 1]))
    assert (row(made).struck, row(made, "native").struck) == (3, 0)


def test_a_cell_of_which_every_batch_was_struck_has_no_figure_and_says_why():
    busy = visited(0, native=[], mine=[])
    for series in busy.series.values():
        series.struck = 12
    made = tally(busy)
    assert row(made).status == "not_measured"
    assert row(made).reason == "another program was busy: each of 12 batches was disturbed"
    assert row(made).latency_s is None


def test_a_slow_row_says_in_how_many_passes_it_took_part():
    made = tally(
        visited(0, native=[1], mine=[1]), visited(1, cells={"native": CellVisit()}, native=[1]), slow=("mine",)
    )
    assert row(made).reason == "starts slowly: took part in 1 of 2 passes"
    assert row(made, "native").reason is None
