"""What is derived from the columns, in comparisons and reports, worked out from the injected costs alone."""

import math
import statistics

import pandas as pd
import pytest
from by_hand import (
    KERNELS,
    PARAMETER_BYTES,
    PASSES,
    PROBLEM,
    ROUNDS,
    T_2,
    X_BYTES,
    call_s,
    cost_ns,
    geometric,
    log_ratios,
    machine,
    middle_half,
    spread,
)
from exact import measure, rows

from bench.compare import compare
from bench.measure.messages import CLONE, COPY
from bench.record import frames
from reports import views
from reports.intake import check
from reports.schema import ResultRow, SampleRow

HEAD_PER_MILLE = 900


def head_cost_ns(name, pass_, round_):
    """A later run on a machine that has become twice as slow, with "mine" a tenth faster."""
    cost = 2 * cost_ns(name, pass_, round_)
    if name == "mine":
        cost = cost * HEAD_PER_MILLE // 1000 * (1000, 1004, 1002)[pass_] // 1000
    return cost


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    measured = []
    with pytest.MonkeyPatch.context() as patch:
        for run_id, cost in (("base", cost_ns), ("head", head_cost_ns)):
            device = machine(cost_ns=cost)
            table = rows(device, **KERNELS)
            measured.append(measure(patch, device, table, problem=PROBLEM, passes=PASSES, threads=2, run_id=run_id))
    found = []
    for one in measured:
        folder = tmp_path_factory.mktemp("run")
        frames.write(folder, one.results.values(), one.samples)
        found.append(frames.read(folder))
    return found


def test_a_comparison_is_the_ratio_of_speed_ups_with_welchs_ends(two_runs):
    info = {"settings": {"reference": "native"}}
    row = next(row for row in compare(*two_runs, info, info).rows if row.implementation == "mine")
    base = log_ratios("native", "mine")
    head = []
    for pass_ in range(PASSES):
        pairs = ((head_cost_ns("native", pass_, one), head_cost_ns("mine", pass_, one)) for one in range(ROUNDS))
        head.append(middle_half([math.log(a / b) for a, b in pairs]))
    difference = sum(head) / 3 - sum(base) / 3
    first, second = spread(head) ** 2 / 3, spread(base) ** 2 / 3
    freedom = (first + second) ** 2 / (first**2 / 2 + second**2 / 2)
    assert 2 < freedom < 4
    reach = student_t(freedom) * math.sqrt(first + second)
    assert row.base_speedup == pytest.approx(math.exp(sum(base) / 3), rel=1e-9)
    assert row.head_speedup == pytest.approx(math.exp(sum(head) / 3), rel=1e-9)
    assert row.change == pytest.approx(math.exp(difference), rel=1e-9)
    assert row.change == pytest.approx(1000 / HEAD_PER_MILLE, rel=5e-3)  # whatever the machine's own speed
    assert row.change_low == pytest.approx(math.exp(difference - reach), rel=1e-6)
    assert row.change_high == pytest.approx(math.exp(difference + reach), rel=1e-6)
    assert row.verdict == "faster"


def student_t(freedom, tail=0.025):
    """The point beyond which ``tail`` of t lies, by bisection on its integral by Simpson's rule."""

    def density(t):
        scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
        return scale * (1 + t * t / freedom) ** (-(freedom + 1) / 2)

    def beyond(end, steps=2000):
        step = end / steps
        inner = sum((4 if place % 2 else 2) * density(place * step) for place in range(1, steps))
        return 0.5 - (density(0) + inner + density(end)) * step / 3

    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > tail else (low, middle)
    return low


def test_students_t_of_this_page_is_the_tables():
    assert student_t(2) == pytest.approx(T_2, rel=1e-6)
    assert student_t(5) == pytest.approx(2.570581836, rel=1e-6)


def test_the_reports_derived_figures_follow_from_the_columns(two_runs):
    cells = views.cells(check(two_runs[0].results, ResultRow))
    mine = geometric(log_ratios("native", "mine"))
    winner = views.winners(cells).iloc[0]
    assert (winner["leader"], winner["winner"]) == ("mine", "mine")
    assert (winner["speedup"], winner["speedup_low"]) == (pytest.approx(mine[0]), pytest.approx(mine[1]))
    shown = views.speedup_map(cells).set_index("implementation")
    assert (shown.loc["mine", "step"], shown.loc["native", "step"]) == (2, 0)  # 2.5 times is much
    counts = views.answer_counts(cells).set_index("implementation")
    assert (counts.loc["mine", "wins"], counts.loc["mine", "cells"], counts.loc["interpreted", "measured"]) == (1, 1, 0)
    points = views.bytes_time(cells).set_index("implementation")
    # The copy's time as each row implies it: fraction times latency. "mine" drew two passes a per cent apart from it.
    fraction = min(geometric(log_ratios(copy, "mine"))[0] for copy in (COPY, CLONE))
    latency = geometric([math.log(statistics.median(call_s("mine", pass_))) for pass_ in range(PASSES)])[0]
    assert points.loc["mine", "copy_s"] == pytest.approx(fraction * latency, rel=1e-9)
    assert points.loc["mine", "bandwidth_bytes_per_s"] == pytest.approx((2 * X_BYTES + PARAMETER_BYTES) / latency)


def test_the_mean_of_speed_ups_over_problems_is_geometric(two_runs):
    one = check(two_runs[0].results, ResultRow)
    other = one.assign(N=4)
    mine = other["implementation"] == "mine"
    other.loc[mine, ["speedup", "speedup_low", "speedup_high"]] *= 4
    cells = views.cells(check(pd.concat([one, other]), ResultRow))
    counts = views.answer_counts(cells).set_index("implementation").loc["mine"]
    speedup = geometric(log_ratios("native", "mine"))[0]
    assert counts["problems"] == 2
    assert counts["speedup"] == pytest.approx(2 * speedup)  # sqrt(1 · 4), where the arithmetic mean says 2.5
    assert (counts["speedup_least"], counts["speedup_most"]) == (pytest.approx(speedup), pytest.approx(4 * speedup))


def test_a_round_drawn_in_the_report_is_seconds_a_call(two_runs):
    results, samples = two_runs[0].results, two_runs[0].samples
    dots = views.rounds(views.timed(views.cells(check(results, ResultRow))), check(samples, SampleRow))
    own = dots[(dots["implementation"] == "mine") & (dots["pass"] == 1)].sort_values("round")
    assert list(own["call_s"]) == pytest.approx(call_s("mine", 1), rel=1e-9)
