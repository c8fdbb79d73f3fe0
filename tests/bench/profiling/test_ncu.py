"""``ncu`` as a program of our own, and text in the format of its CSV, made up."""

import sys

import pytest
from pretended import NCU_CSV, STATS

from bench.measure.ranges import DOMAIN, MEASURE
from bench.profiling.ncu import DOMAIN_RANGE, METRICS, KernelCounts, NcuError, command, count, parse

COUNTED = [
    KernelCounts(
        kernel=STATS,
        launches=1,
        kernel_s=pytest.approx(2e-6),
        read_bytes=1_048_576,
        write_bytes=4096,
        throughput=pytest.approx(0.4),
        occupancy=pytest.approx(0.5),
        registers=32,
    ),
    KernelCounts(
        kernel="apply_kernel",
        launches=2,
        kernel_s=pytest.approx(4e-6),
        read_bytes=2_000_000,
        write_bytes=2_000_000,
        throughput=pytest.approx((0.6 * 1 + 0.8 * 3) / 4),
        occupancy=pytest.approx((0.8 * 1 + 0.6 * 3) / 4),
        registers=40,
    ),
]


def test_launches_of_a_kernel_are_added_and_shares_weighted_by_time():
    assert parse(NCU_CSV) == COUNTED


def test_text_without_a_table_holds_no_kernel():
    assert parse("==PROF== Connected\n==WARNING== No kernels were profiled.\n") == []


def test_a_counter_that_the_chip_lacks_is_none_and_not_zero():
    (stats, _) = parse(NCU_CSV.replace('"4,096"', '"n/a"'))
    assert (stats.write_bytes, stats.read_bytes) == (None, 1_048_576)


def test_a_unit_that_is_not_known_is_refused():
    with pytest.raises(NcuError, match=r"dram__bytes_read\.sum in the unknown unit 'sector'"):
        parse(NCU_CSV.replace('"byte"', '"sector"'))


@pytest.mark.parametrize(("unit", "factor"), [("second", 1e9), ("msecond", 1e6), ("usecond", 1e3), ("us", 1e3)])
def test_times_in_other_units(unit, factor):
    (stats, _) = parse(NCU_CSV.replace('"nsecond"', f'"{unit}"'))
    assert stats.kernel_s == pytest.approx(2e-6 * factor)


def test_ncu_looks_inside_the_measured_range_alone(tmp_path):
    words = command("ncu", tmp_path / "cell.json")
    assert words[words.index("--nvtx-include") + 1] == DOMAIN_RANGE == f"{DOMAIN}@{MEASURE}"
    assert words[words.index("--metrics") + 1] == ",".join(METRICS)
    assert words[words.index("--clock-control") + 1] == "none"
    assert words[-5:] == [sys.executable, "-P", "-m", "bench.profiling.cell", str(tmp_path / "cell.json")]


def test_what_ncu_writes_is_counted(tool, tmp_path):
    tool("ncu", f"print({NCU_CSV!r})")
    assert count(tmp_path / "cell.json", {}, 30.0) == COUNTED


FORBIDDEN = (
    "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters on the"
    " target device 0."
)


@pytest.mark.parametrize(
    ("source", "reason", "is_lasting"),
    [
        (
            f"print({FORBIDDEN!r})\nraise SystemExit(1)",
            "ncu may not count here (ERR_NVGPUCTRPERM: this user may not read the GPU's counters); an administrator"
            " allows it with the driver's option NVreg_RestrictProfilingToAdminUsers=0",
            True,
        ),
        (
            "print('==ERROR== The application returned an error code (1).')\nraise SystemExit(1)",
            "ncu counted nothing (The application returned an error code (1).)",
            False,
        ),
        ("", "ncu counted nothing (no kernel in the range groupnorm_bench@measure, exit status 0)", False),
    ],
)
def test_an_ncu_that_counts_nothing_is_a_reason(tool, tmp_path, source, reason, is_lasting):
    tool("ncu", source)
    with pytest.raises(NcuError) as raised:
        count(tmp_path / "cell.json", {}, 30.0)
    assert (str(raised.value), raised.value.is_lasting) == (reason, is_lasting)


def test_without_ncu_there_is_a_reason(tool, tmp_path):
    with pytest.raises(NcuError, match=r"^ncu \(Nsight Compute\) is not on PATH$"):
        count(tmp_path / "cell.json", {}, 30.0)


def test_an_ncu_that_hangs_is_ended(tool, tmp_path):
    tool("ncu", "import time; time.sleep(600)")
    with pytest.raises(NcuError, match=r"^ncu did not end in 0\.5 s$"):
        count(tmp_path / "cell.json", {}, 0.5)
