import math
import random

import pytest

from bench.compare import compare
from bench.record import frames
from reports.schema import ResultRow, SampleRow

PROBLEM = {
    "device": "cpu",
    "N": 2,
    "C": 320,
    "H": 64,
    "W": 64,
    "G": 32,
    "dtype": "float32",
    "weight_dtype": "float32",
    "affine": True,
    "eps": 1e-5,
    "layout": "contiguous",
    "direction": "forward",
    "activation": "silu",
}
INFO = {"settings": {"reference": "native"}, "cpu": {"model": "A"}, "versions": {"torch": "2.13.0"}}


@pytest.fixture
def run(tmp_path):
    """Build a run whose passes have the given speed-ups; every round of a pass shares that pass's clock."""
    count = 0

    def build(speedups, *, problem=None, reference="native", slow=1.0, status="ok", rounds=5, **columns):
        nonlocal count
        count += 1
        key = {"run_id": f"run{count}", **PROBLEM, **(problem or {})}
        conditions = {"timer": "host", "cache": "warm", "threads": 1, "noise_floor": 0.001, **columns}
        rng = random.Random(count)
        results = [
            ResultRow(implementation=reference, status="ok", **key, **conditions),
            ResultRow(implementation="cpp", status=status, **key, **conditions),
        ]
        samples = []
        for pass_, ratio in enumerate(speedups):
            for round_ in range(rounds):
                clock = slow * rng.uniform(0.5, 2.0)  # a drifting machine: paired rounds do not see it
                place = {"pass_": pass_, "launch": pass_, "round": round_, "position": 0}
                samples += [
                    SampleRow(implementation=reference, calls=2, seconds=2e-5 * clock, **place, **key),
                    SampleRow(implementation="cpp", calls=4, seconds=4e-5 * clock / ratio, **place, **key),
                ]
        folder = tmp_path / f"run{count}"
        folder.mkdir()
        frames.write(folder, results, samples)
        return frames.read(folder)

    return build


def only_row(base, head, base_info=INFO, head_info=INFO):
    (row,) = compare(base, head, base_info, head_info).rows
    return row


def test_the_change_is_the_ratio_of_speed_ups_whatever_the_clock(run):
    row = only_row(run([2.0, 2.02, 1.98]), run([3.0, 3.03, 2.97], slow=7.0))
    assert row.base_speedup == pytest.approx((2.0 * 2.02 * 1.98) ** (1 / 3))
    assert row.change == pytest.approx(row.head_speedup / row.base_speedup)
    assert row.change_low < row.change < row.change_high
    assert row.verdict == "faster"
    assert (row.implementation, row.problem) == ("cpp", "2×320×64×64 G=32 silu float32")


def test_the_interval_is_welchs(run):
    # By hand for logs (0, 0.02) and (0.1, 0.12, 0.14): difference 0.11, squared errors 1e-4 and 4e-4/3,
    # freedom (7/3)^2 / (1 + (4/3)^2 / 2) = 2.882, whose 97.5 % point of t is 3.2553.
    row = only_row(run([math.exp(x) for x in (0, 0.02)]), run([math.exp(x) for x in (0.1, 0.12, 0.14)]))
    reach = 3.2553 * math.sqrt(7 / 3 * 1e-4)
    assert math.log(row.change) == pytest.approx(0.11)
    assert math.log(row.change_low) == pytest.approx(0.11 - reach, rel=1e-3)
    assert math.log(row.change_high) == pytest.approx(0.11 + reach, rel=1e-3)


def test_swapping_the_runs_inverts_the_change(run):
    one, other = run([2.0, 2.02, 1.98]), run([1.0, 1.01, 0.99])
    there, back = only_row(one, other), only_row(other, one)
    assert (there.verdict, back.verdict) == ("slower", "faster")
    assert there.change == pytest.approx(1 / back.change)
    assert there.change_low == pytest.approx(1 / back.change_high)


def test_a_run_against_itself_shows_no_difference(run):
    one = run([2.0, 2.02, 1.98])
    row = only_row(one, one)
    assert (row.change, row.verdict) == (1.0, "no difference shown")


@pytest.mark.parametrize(("noise_floor", "verdict"), [(0.001, "faster"), (0.02, "no difference shown")])
def test_a_change_inside_the_noise_floor_is_none(run, noise_floor, verdict):
    base, head = run([2.0, 2.0001], noise_floor=noise_floor), run([2.02, 2.0201])
    assert only_row(base, head).verdict == verdict
    assert only_row(head, base).verdict == verdict.replace("faster", "slower")


@pytest.mark.parametrize(
    ("other", "obstacle"),
    [
        ({"threads": 2}, "threads 1 against 2"),
        ({"cache": "cold"}, "cache warm against cold"),
        ({"timer": "events"}, "timer host against events"),
        ({"problem": {"device": "cuda"}}, "device cpu against cuda"),
        ({"status": "crashed"}, "crashed in head"),
        ({"rounds": 0}, "no round paired with native in head"),
    ],
)
def test_what_was_measured_in_another_way_has_no_ratio(run, other, obstacle):
    row = only_row(run([2.0, 2.0]), run([2.0, 2.0], **other))
    assert (row.change, row.change_low, row.change_high) == (None, None, None)
    assert row.verdict == f"not compared: {obstacle}"
    assert row.base_speedup == pytest.approx(2.0)


def test_sustained_load_is_not_compared_with_bursts(run):
    info = {"settings": {"reference": "native", "sustained": True}}
    row = only_row(run([2.0]), run([2.0]), INFO, info)
    assert (row.change, row.verdict) == (None, "not compared: sustained load off against on")


def test_another_reference_has_no_ratio(run):
    row = only_row(run([2.0]), run([2.0], reference="naive"), INFO, {"settings": {"reference": "naive"}})
    assert (row.change, row.verdict) == (None, "not compared: reference native against naive")


def test_one_pass_gives_a_change_without_an_interval(run):
    row = only_row(run([2.0]), run([3.0, 3.0]))
    assert row.change == pytest.approx(1.5)
    assert (row.change_low, row.change_high) == (None, None)
    assert row.verdict == "no interval: a run has one pass alone"


def test_cells_of_one_run_say_so_in_the_base_runs_order(run):
    rows = compare(run([2.0, 2.0]), run([2.0, 2.0], problem={"N": 4}), INFO, INFO).rows
    assert [(row.problem, row.verdict) for row in rows] == [
        ("2×320×64×64 G=32 silu float32", "only in base"),
        ("4×320×64×64 G=32 silu float32", "only in head"),
    ]
    assert (rows[0].base_speedup, rows[0].head_speedup) == (pytest.approx(2.0), None)


def test_a_refused_cell_has_no_speed_up_although_it_was_timed(run):
    row = only_row(run([2.0, 2.0], status="implausible"), run([2.0, 2.0], status="inconsistent"))
    assert (row.base_speedup, row.head_speedup) == (None, None)
    assert row.verdict == "not compared: implausible in base and inconsistent in head"


def test_differences_of_environment_are_told_the_weightiest_first(run):
    head = {
        "cpu": {"model": "B", "smt": True},
        "settings": {"reference": "native"},
        "versions": {"torch": "2.14.0", "triton": None},
        "gpu": [{"name": "H100"}],
        "git": {"revision": "0123456789abcdef", "dirty": True},
    }
    compared = compare(run([2.0]), run([2.0], threads=2, cache="cold"), INFO, head)
    assert compared.differences == (
        "cache warm against cold",
        "threads 1 against 2",
        "CPU model A against B",
        "hyper-threading unknown against on",
        "torch 2.13.0 against 2.14.0",
        "GPU unknown against H100",
        "git revision unknown against 0123456789ab with changes",
    )


def test_equal_environments_differ_in_nothing(run):
    assert compare(run([2.0]), run([2.0]), INFO, INFO).differences == ()
    assert compare(run([2.0]), run([2.0]), {}, {}).differences == ()


def total(*pass_speedups, calls=61, **more):
    sum_ = {"model": "A UNet", "variant": "", "implementation": "cpp", "calls": calls, "of_calls": 61}
    native = sum_ | {"implementation": "native", "pass_speedups": [1.0, 1.0]}
    return INFO | {"totals": [native, sum_ | {"pass_speedups": list(pass_speedups)} | more]}


def test_a_model_is_compared_as_its_cells_are_pass_by_pass(run):
    # The logs of the test of Welch's interval, as a model's sums.
    base, head = ([math.exp(x) for x in logs] for logs in ((0, 0.02), (0.1, 0.12, 0.14)))
    frames_of = run([2.0, 2.0])
    (row,) = compare(frames_of, frames_of, total(*base), total(*head)).totals
    assert (row.implementation, row.problem, row.verdict) == ("cpp", "A UNet", "faster")
    assert math.log(row.change) == pytest.approx(0.11)
    assert math.log(row.change_low) == pytest.approx(0.11 - 3.2553 * math.sqrt(7 / 3 * 1e-4), rel=1e-3)


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        (total(), "not compared: no pass with a figure for every call in head"),
        (total(2.0, 2.1, calls=29), "not compared: calls in the sum 61 of 61 against 29 of 61"),
        (total(2.0, 2.1, variant="dtype=float16"), "only in base"),
        (total(2.0005, 2.0995), "no difference shown"),
    ],
)
def test_sums_that_cannot_be_compared_say_why(run, head, verdict):
    frames_of = run([2.0, 2.0])
    row, *_ = compare(frames_of, frames_of, total(2.0, 2.1), head).totals
    assert row.verdict == verdict


def test_a_sum_that_differs_less_than_the_middle_cell_s_noise_floor_shows_nothing(run):
    frames_of = run([2.0, 2.0], noise_floor=0.2)
    (row,) = compare(frames_of, frames_of, total(2.0, 2.0001), total(2.2, 2.2001)).totals
    assert row.verdict == "no difference shown"


def test_runs_of_no_model_have_no_sums(run):
    frames_of = run([2.0, 2.0])
    assert compare(frames_of, frames_of, INFO, INFO).totals == ()
