import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.plan.sweep import Axes, Sweep, expand
from bench.record import frames
from bench.totals import totals
from reports.schema import ResultRow, SampleRow

SIZES = (8, 16, 32)


def sweep(*counts, **more):
    entries = tuple(
        Axes(N=(1,), C=(8,), H=(size,), W=(size,), G=("4",), count=count, **more)
        for size, count in zip(SIZES, counts, strict=False)
    )
    return Sweep(entries=entries, model="A model")


@pytest.fixture
def made(tmp_path_factory):
    """Give the totals of {implementation: a list of problems, each the seconds of its passes; None has no figure}."""

    def build(asked, seconds):
        results, samples = [], []
        for name, of_problems in seconds.items():
            for one, passes in zip(expand(asked).problems, of_problems, strict=True):
                key = {"run_id": "r", "implementation": name, **one.problem.to_dict()}
                latency = None if passes is None else math.exp(sum(map(math.log, passes)) / len(passes))
                results.append(ResultRow(status="crashed" if passes is None else "ok", latency_s=latency, **key))
                samples += [
                    SampleRow(pass_=pass_, launch=0, round=0, position=0, calls=1, seconds=second, **key)
                    for pass_, second in enumerate(passes or ())
                ]
        folder = tmp_path_factory.mktemp("run")
        frames.write(folder, results, samples)
        return totals(asked, frames.read(folder), "native")

    return build


@pytest.fixture
def run(made):
    return lambda asked, seconds: {one.implementation: one for one in made(asked, seconds)}


def test_the_sum_is_weighed_by_count(run):
    found = run(sweep(3, 1), {"native": [[1.0], [10.0]], "cpp": [[0.5], [10.0]]})
    assert found["native"].latency_s == pytest.approx(13)
    assert found["cpp"].latency_s == pytest.approx(11.5)
    assert found["cpp"].speedup == pytest.approx(13 / 11.5)
    assert (found["cpp"].calls, found["cpp"].of_calls, found["cpp"].covered) == (4, 4, 1)
    assert found["cpp"].speedup_low is None  # one pass


def test_the_interval_is_students_over_passes(run):
    # By hand: logs of 3 and 3e^0.02 have mean log 3 + 0.01 and standard error 0.01; t of one degree is 12.706.
    later = math.exp(0.02)
    found = run(sweep(1, 1), {"native": [[1.0, 1.0], [1.0, 1.0]], "cpp": [[1.0, later], [2.0, 2 * later]]})
    cpp = found["cpp"]
    assert math.log(cpp.latency_high_s) == pytest.approx(math.log(3) + 0.01 + 0.12706, rel=1e-4)
    assert math.log(cpp.latency_low_s) == pytest.approx(math.log(3) + 0.01 - 0.12706, rel=1e-4)
    assert cpp.speedup_low < cpp.speedup < cpp.speedup_high


def test_a_drift_that_both_share_leaves_the_speed_up(run):
    found = run(sweep(2, 1), {"native": [[1.0, 7.0], [1.0, 7.0]], "cpp": [[0.5, 3.5], [0.5, 3.5]]})
    assert (found["cpp"].speedup_low, found["cpp"].speedup_high) == (pytest.approx(2), pytest.approx(2))


def test_passes_that_miss_a_problem_do_not_count(run):
    found = run(sweep(1, 1), {"native": [[1.0, 1.0, 1.0], [1.0]], "cpp": [[1.0, 5.0, 5.0], [2.0]]})
    assert (found["cpp"].passes, found["cpp"].latency_s) == (1, pytest.approx(3))


def test_who_lacks_a_problem_has_no_sum_but_covers_a_share(run):
    found = run(sweep(3, 1), {"native": [[1.0], [1.0]], "cpp": [[0.5], None]})
    assert found["cpp"].latency_s is None
    assert found["cpp"].speedup is None
    assert found["cpp"].covered == pytest.approx(3 / 4)


def test_what_the_reference_lacks_is_left_out_and_counted(run):
    found = run(sweep(3, 1), {"native": [[1.0], None], "cpp": [[0.5], [1.0]]})
    assert (found["cpp"].calls, found["cpp"].of_calls) == (3, 4)
    assert found["cpp"].latency_s == pytest.approx(1.5)


def test_each_choice_of_a_varied_axis_has_its_own_sum(made):
    found = made(sweep(2).override(dtype=("float32", "float16")), {"native": [[1.0], [3.0]]})
    assert {one.variant: one.latency_s for one in found} == {
        "dtype=float32": pytest.approx(2),
        "dtype=float16": pytest.approx(6),
    }


def test_calls_that_differ_in_direction_have_a_sum_of_all_and_one_of_each(made):
    entries = tuple(
        Axes(N=(1,), C=(8,), H=(8,), W=(8,), G=("4",), count=count, direction=(direction,))
        for direction, count in (("training_forward", 3), ("backward", 2))
    )
    found = made(Sweep(entries=entries, model="A training"), {"native": [[1.0], [10.0]]})
    assert {one.variant: (one.latency_s, one.of_calls) for one in found} == {
        "": (pytest.approx(23), 5),
        "direction=training_forward": (pytest.approx(3), 3),
        "direction=backward": (pytest.approx(20), 2),
    }


def test_a_sweep_of_no_model_has_none(made):
    other_shapes = sweep(1, 1).override(N=(1, 2), H=(8,))
    assert other_shapes.model == ""
    assert made(other_shapes, {"native": [[1.0], [1.0], [1.0], [1.0]]}) == ()
    assert sweep(1).override(dtype=("float16",)).model == "A model"


seconds = st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 40), native=seconds, scale=st.floats(0.1, 10))
def test_one_problem_counted_k_times_takes_k_times_as_long(run, count, native, scale):
    """And its speed-up is the cell's, whatever the count."""
    found = run(sweep(count), {"native": [native], "cpp": [[scale * one for one in native]]})
    once = run(sweep(1), {"native": [native], "cpp": [[scale * one for one in native]]})
    assert found["cpp"].latency_s == pytest.approx(count * once["cpp"].latency_s)
    assert found["cpp"].speedup == pytest.approx(1 / scale)
