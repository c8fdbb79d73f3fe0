"""Every column that is printed has a case whose value is known, worked out from the injected costs alone."""

import dataclasses
import math
import statistics

import numpy as np
import pytest
import torch
from by_hand import (
    ALLOCATED,
    CALLS,
    FIRST_NS,
    KERNELS,
    PARAMETER_BYTES,
    PARTS,
    PASSES,
    PROBLEM,
    ROUNDS,
    STRUCK,
    X_BYTES,
    call_s,
    cost_ns,
    geometric,
    log_ratios,
    machine,
    memory,
    own_truth,
    spread,
)
from exact import measure, rows

from bench.measure.messages import CLONE, COPY, TWIN
from reports.schema import ResultRow, SampleRow, columns, to_record


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

    def watched(name, kernel):
        def group_norm(x, *rest):
            y = kernel(x, *rest)
            given[name].setdefault(device.pass_, (x.clone(), *rest, y.clone()))
            return y

        return group_norm if name in given else kernel

    kernels = {"native": torch.nn.functional.group_norm, **KERNELS}
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
    clone = geometric(log_ratios("native", CLONE))
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
        "mean_latency_s": latency / PARTS,
        "fastest_pass_s": min(statistics.median(call_s(name, pass_)) for pass_ in range(PASSES)),
        "first_call_s": FIRST_NS[name] / 1e9,
        "fresh_output_s": 2.0,  # the median of 3, 1 and 2
        "passes": 3,
        "rounds": 15,
        "outliers": 3 if name == "native" else 0,
        "struck": PASSES * STRUCK[2] if name == STRUCK[0] else 0,
        "spread_between": spread(logs),
        # Pooled: the mean of the passes' variances, for all have as many rounds.
        "spread_within": math.sqrt(sum(spread(one) ** 2 for one in within) / PASSES),
        "drift": None,  # three passes are too few for a trend
        "autocorrelation": statistics.fmean(memory(call_s(name, pass_)) for pass_ in range(PASSES)),
        "noise_floor": max(abs(twin[1] - 1), abs(twin[2] - 1)),
        "speedup": speedup[0] if name == "mine" else 1.0,
        "speedup_low": speedup[1] if name == "mine" else 1.0,
        "speedup_high": speedup[2] if name == "mine" else 1.0,
        "minimum_bytes": 2 * X_BYTES + PARAMETER_BYTES,
        "bandwidth_bytes_per_s": (2 * X_BYTES + PARAMETER_BYTES) / latency,
        "roofline_fraction": min(geometric(log_ratios(copy, name))[0] for copy in (COPY, CLONE)),
        "clone_speedup": clone[0],
        "clone_speedup_low": clone[1],
        "clone_speedup_high": clone[2],
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
            "call_s": pytest.approx(PARTS * cost_ns(name, pass_, round_) / 1e9, rel=1e-9),
            "spin_s": (40 + round_) / 1e6,
            "seconds": pytest.approx(CALLS[name] * cost_ns(name, pass_, round_) / 1e9, rel=1e-9),
            "sm_clock_hz": 1.5e9,
            "throttled": round_ == 1,
            "power_w": 300.0,
            "temperature_c": 60.0,
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bytes:
    """x has 2·8·6·6 items, weight and bias 8 each; mean and reciprocal deviation 2·4 each, in float32."""

    direction: str
    dtype: str
    minimum: int
    inputs: int
    outputs: int
    saved: int | None = None


@pytest.mark.parametrize(
    "case",
    [
        Bytes(direction="forward", dtype="bfloat16", minimum=2 * 1152 + 32, inputs=1152 + 32, outputs=1152),
        Bytes(
            direction="training_forward",
            dtype="float32",
            minimum=2 * 2304 + 64 + 64,
            inputs=2304 + 64,
            outputs=2304,
            saved=2304 + 32 + 64,  # x, weight and the statistics, and nothing of where they were placed
        ),
        Bytes(
            direction="backward",
            dtype="float32",
            minimum=3 * 2304 + 96 + 64,
            inputs=2 * 2304 + 64,
            outputs=2304 + 64,
        ),
    ],
    ids=lambda case: case.direction,
)
@pytest.mark.parametrize("seed", range(3))
def test_bytes_are_counted_by_direction_and_type(monkeypatch, case, seed):
    device = machine(allocated={"native": case.outputs + 7})
    words = {"direction": case.direction, "dtype": case.dtype, "weight_dtype": case.dtype}
    problem = dataclasses.replace(PROBLEM, **words)
    row = measure(monkeypatch, device, rows(device), problem=problem, passes=1, seed=seed).results["native"]
    assert row.status == "ok", row.reason
    assert row.minimum_bytes == case.minimum
    assert (row.peak_bytes, row.extra_bytes) == (case.inputs + case.outputs + 7, 7)
    assert row.saved_bytes == case.saved


def test_a_cold_batch_is_one_call(monkeypatch):
    device = machine()
    measured = measure(monkeypatch, device, rows(device, **KERNELS), problem=PROBLEM, passes=2, cold=True)
    row = measured.results["mine"]
    assert {sample.calls for sample in measured.samples} == {1}
    assert (row.cache, row.threads, row.rounds) == ("cold", 1, 2 * ROUNDS)
    assert row.fastest_pass_s == pytest.approx(statistics.median(call_s("mine", 0)))
