"""Every column that is printed has a case whose value is known, worked out here from the injected costs alone.

Nothing of ``bench.stats`` is used to say what is expected: medians, means and ends of intervals are written out, with
Student's t from a table.
"""

import dataclasses
import math
import statistics

import numpy as np
import pandas as pd
import pytest
import torch
from exact import Machine, measure, rows

from bench.compare import compare
from bench.measure.messages import CLONE, COPY, TWIN
from bench.plan.problem import Problem
from bench.record import frames
from reports import views
from reports.intake import check
from reports.schema import ResultRow, SampleRow, columns, to_record

PROBLEM = Problem(N=2, C=8, H=6, W=6, G=4)
T_2 = 4.302652729911275  # Student's t, 97.5 %, 2 degrees of freedom
PASSES, ROUNDS = 3, 5

BASE_NS = {"native": 1_000_000, "mine": 400_000, TWIN: 1_000_000, COPY: 300_000, CLONE: 350_000, "interpreted": 10**8}
CALLS = {"native": 3, "mine": 7, TWIN: 3, COPY: 9, CLONE: 8}  # the fewest that last 2.5 ms
A_PASS = {  # per mille, pass by pass
    "native": (1000, 1100, 1210),
    "mine": (1000, 1110, 1200),
    TWIN: (1001, 1101, 1213),
    COPY: (1000, 1000, 1030),
    CLONE: (1000, 1000, 1000),
}
A_ROUND = {  # per mille, round by round; native's third is far out and must move nothing but its count
    "native": (1000, 1010, 9000, 1020, 1030),
    "mine": (1010, 1000, 1020, 1040, 1030),
}


def cost_ns(name, pass_, round_):
    cost = BASE_NS[name]
    if round_ is None:
        return cost
    return cost * A_PASS[name][pass_] * A_ROUND.get(name, (1000,) * ROUNDS)[round_] // 1_000_000


def call_s(name, pass_):
    return [cost_ns(name, pass_, round_) / 1e9 for round_ in range(ROUNDS)]


def middle_half(values):
    """The interquartile mean of five: a quarter of the weight, 1.25 values, is cut at each end."""
    _, second, third, fourth, _ = sorted(values)
    return (0.75 * second + third + 0.75 * fourth) / 2.5


def log_ratios(over, name):
    return [
        middle_half([math.log(a / b) for a, b in zip(call_s(over, pass_), call_s(name, pass_), strict=True)])
        for pass_ in range(PASSES)
    ]


def spread(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1))


def geometric(logs):
    """Centre and ends of exp of the mean of three, by Student's t."""
    mean, reach = sum(logs) / 3, T_2 * spread(logs) / math.sqrt(3)
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def off_by_a_little(x, num_groups, weight, bias, eps):
    """The truth, rounded, its largest value 2 ULP too small; in channels_last memory, which nobody asked for."""
    y = own_truth(x, num_groups, weight, bias, eps).astype(np.float32)
    at = np.unravel_index(np.abs(y).argmax(), y.shape)
    y[at] -= np.sign(y[at]) * 2 * np.spacing(np.abs(y[at]))
    return x.new_tensor(y).contiguous(memory_format=torch.channels_last)


def own_truth(x, num_groups, weight, bias, eps):
    groups = x.numpy().astype(np.float64).reshape(x.shape[0], num_groups, -1)
    centred = groups - groups.mean(-1, keepdims=True)
    y = (centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)).reshape(x.shape)
    return y * weight.numpy().astype(np.float64)[:, None, None] + bias.numpy().astype(np.float64)[:, None, None]


KERNELS = {
    "mine": off_by_a_little,
    "interpreted": torch.nn.functional.group_norm,
}
FIRST_NS = {"native": 7_000_000, "mine": 900_000_000, "interpreted": 3_000_000}
ALLOCATED = {"native": 2304 + 64, "mine": 2304 + 1000, "interpreted": 100}
FAULTS = (0, 2, 2, 5, 9)  # a call, round by round
X_BYTES, PARAMETER_BYTES = 2 * 8 * 6 * 6 * 4, 2 * 8 * 4


def machine(**changed):
    made = Machine(
        cost_ns=cost_ns, first_call_ns=FIRST_NS, allocated=ALLOCATED, faults_a_call=lambda name, round_: FAULTS[round_]
    )
    return dataclasses.replace(made, **changed)


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module")
def given():
    """What "mine" and "native" were given and returned in the first call of each pass, whose errors are told."""
    return {"mine": {}, "native": {}}


@pytest.fixture(scope="module")
def warm(patch, given):
    device = machine()
    kernels = {"native": torch.nn.functional.group_norm, **KERNELS}

    def watched(name, kernel):
        def group_norm(x, *rest):
            y = kernel(x, *rest)
            given[name].setdefault(device.pass_, (x.clone(), *rest, y.clone()))
            return y

        return group_norm if name in given else kernel

    table = rows(device, **{name: watched(name, kernel) for name, kernel in kernels.items()})
    return measure(patch, device, table, problem=PROBLEM, passes=PASSES, threads=2), device


def worst_errors(calls):
    """The worst over the passes of each error, by numpy."""
    found = []
    for x, groups, weight, bias, eps, y in calls.values():
        expected = own_truth(x, groups, weight, bias, eps)
        difference, magnitude = np.abs(y.numpy() - expected), np.abs(expected).max()
        found.append(
            {
                "error_max_abs": difference.max(),
                "error_max_rel": difference.max() / magnitude,
                "error_rms": math.sqrt((difference**2).mean()) / magnitude,
                "error_ulp": difference.max() / float(np.spacing(np.float32(magnitude))),
            }
        )
    return {column: max(one[column] for one in found) for column in found[0]}


def expected_of(name, given):
    logs = [math.log(statistics.median(call_s(name, pass_))) for pass_ in range(PASSES)]
    latency, low, high = geometric(logs)
    speedup = geometric(log_ratios("native", name))
    twin = geometric(log_ratios("native", TWIN))
    errors = worst_errors(given[name])
    within = [[math.log(one) for one in call_s(name, pass_)] for pass_ in range(PASSES)]
    allocated = ALLOCATED[name]
    return {
        "run_id": "r",
        "implementation": name,
        **{column: getattr(PROBLEM, column) for column in ("device", "N", "C", "H", "W", "G", "dtype", "layout")},
        "weight_dtype": "float32",
        "affine": True,
        "eps": 1e-5,
        "direction": "forward",
        "activation": "none",
        "status": "ok",
        "reason": None,
        "timer": "host",
        "cache": "warm",
        "threads": 2,
        "latency_s": latency,
        "latency_low_s": low,
        "latency_high_s": high,
        "host_latency_s": 5.0,  # the median of 6, 5 and 4
        "fastest_pass_s": min(statistics.median(call_s(name, pass_)) for pass_ in range(PASSES)),
        "first_call_s": FIRST_NS[name] / 1e9,
        "fresh_output_s": 2.0,  # the median of 3, 1 and 2
        "passes": 3,
        "rounds": 15,
        "outliers": 3 if name == "native" else 0,
        "spread_between": spread(logs),
        # Pooled: the mean of the passes' variances, for all have as many rounds.
        "spread_within": math.sqrt(sum(spread(one) ** 2 for one in within) / PASSES),
        "noise_floor": max(abs(twin[1] - 1), abs(twin[2] - 1)),
        "speedup": speedup[0] if name == "mine" else 1.0,
        "speedup_low": speedup[1] if name == "mine" else 1.0,
        "speedup_high": speedup[2] if name == "mine" else 1.0,
        "minimum_bytes": 2 * X_BYTES + PARAMETER_BYTES,
        "bandwidth_bytes_per_s": (2 * X_BYTES + PARAMETER_BYTES) / latency,
        "roofline_fraction": min(geometric(log_ratios(copy, name))[0] for copy in (COPY, CLONE)),
        "peak_bytes": X_BYTES + PARAMETER_BYTES + allocated,
        "extra_bytes": allocated - X_BYTES,
        "saved_bytes": None,
        "page_faults": 2.0,  # the median of 0, 2, 2, 5 and 9
        **errors,
        "error_vs_reference": errors["error_max_abs"] / worst_errors(given["native"])["error_max_abs"],
        "bitwise_equal": name == "native",
        "output_layout": "contiguous" if name == "native" else "channels_last",
    }


@pytest.mark.parametrize("name", ["native", "mine"])
def test_every_column_of_the_results_is_what_the_costs_make_it(warm, given, name):
    measured, _ = warm
    row = to_record(measured.results[name])
    assert {one: len(calls) for one, calls in given.items()} == {"native": PASSES, "mine": PASSES}
    expected = expected_of(name, given)
    assert set(expected) == set(row) == set(columns(ResultRow))
    for column, value in expected.items():
        wanted = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        assert row[column] == wanted, column


def test_every_column_of_the_samples_is_the_batch_as_it_was_asked_for_and_timed(warm):
    measured, device = warm
    by_key = {(row.implementation, row.pass_, row.round): to_record(row) for row in measured.samples}
    assert len(by_key) == len(measured.samples) == PASSES * ROUNDS * len(CALLS)
    for (name, pass_, round_), row in by_key.items():
        expected = {
            "run_id": "r",
            "implementation": name,
            **PROBLEM.to_dict(),
            "pass": pass_,
            "launch": (10, 10, 11)[pass_],
            "round": round_,
            "position": device.positions[pass_, round_, name],
            "calls": CALLS[name],
            "seconds": pytest.approx(CALLS[name] * cost_ns(name, pass_, round_) / 1e9, rel=1e-9),
            "sm_clock_hz": 1.5e9,
            "throttled": round_ == 1,
        }
        assert set(expected) == set(columns(SampleRow))
        assert row == expected
    # Each round is an order of all the names: places from 0 on, none twice.
    for pass_ in range(PASSES):
        for round_ in range(ROUNDS):
            places = [by_key[name, pass_, round_]["position"] for name in CALLS]
            assert sorted(places) == list(range(len(CALLS)))


def test_a_row_without_a_latency_has_a_reason_and_null_for_all_that_was_not_measured(warm):
    row = to_record(warm[0].results["interpreted"])
    assert (row["status"], row["reason"]) == ("ok", "interpreted")
    assert (row["first_call_s"], row["peak_bytes"]) == (pytest.approx(0.003), X_BYTES + PARAMETER_BYTES + 100)
    assert row["extra_bytes"] == 0  # 100 bytes are fewer than the output's, never a negative number
    names = ["latency_s", "latency_low_s", "latency_high_s", "host_latency_s", "fastest_pass_s", "fresh_output_s"]
    names += ["passes", "rounds", "outliers", "spread_between", "spread_within", "noise_floor", "page_faults"]
    names += ["speedup", "speedup_low", "speedup_high", "bandwidth_bytes_per_s", "roofline_fraction"]
    assert {row[name] for name in names} == {None}


@pytest.mark.parametrize(
    ("direction", "dtype", "minimum", "inputs", "outputs", "saved"),
    [
        # x 2·8·6·6, weight and bias 8 each, mean and rstd 2·4 each in float32.
        ("forward", "bfloat16", 2 * 1152 + 32, 1152 + 32, 1152, None),
        ("training_forward", "float32", 2 * 2304 + 64 + 64, 2304 + 64, 2304, 2304 + 32 + 64),
        ("backward", "float32", 3 * 2304 + 96 + 64, 2 * 2304 + 64, 2304 + 64, None),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_bytes_are_counted_by_direction_and_type(monkeypatch, direction, dtype, minimum, inputs, outputs, saved, seed):
    device = machine(allocated={"native": outputs + 7})
    problem = dataclasses.replace(PROBLEM, direction=direction, dtype=dtype, weight_dtype=dtype)
    row = measure(monkeypatch, device, rows(device), problem=problem, passes=1, seed=seed).results["native"]
    assert row.status == "ok", row.reason
    assert row.minimum_bytes == minimum
    assert (row.peak_bytes, row.extra_bytes) == (inputs + outputs + 7, 7)
    assert row.saved_bytes == saved


def test_a_cold_batch_is_one_call(monkeypatch):
    device = machine()
    measured = measure(monkeypatch, device, rows(device, **KERNELS), problem=PROBLEM, passes=2, cold=True)
    row = measured.results["mine"]
    assert {sample.calls for sample in measured.samples} == {1}
    assert (row.cache, row.threads, row.rounds) == ("cold", 1, 2 * ROUNDS)
    assert row.fastest_pass_s == pytest.approx(statistics.median(call_s("mine", 0)))


HEAD_PER_MILLE = 900


def head_cost_ns(name, pass_, round_):
    """A later run on a machine that has become twice as slow, with "mine" a tenth faster."""
    cost = 2 * cost_ns(name, pass_, round_)
    if name == "mine":
        cost = cost * HEAD_PER_MILLE // 1000 * (1000, 1004, 1002)[pass_] // 1000
    return cost


@pytest.fixture(scope="module")
def two_runs(warm, patch, tmp_path_factory):
    device = machine(cost_ns=head_cost_ns)
    head = measure(patch, device, rows(device, **KERNELS), problem=PROBLEM, passes=PASSES, threads=2, run_id="head")
    found = []
    for measured in (warm[0], head):
        folder = tmp_path_factory.mktemp("run")
        frames.write(folder, measured.results.values(), measured.samples)
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
