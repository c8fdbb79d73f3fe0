import pytest

from bench.measure.messages import KernelTime, Profiled, Weighed
from bench.plan.block import Cell
from bench.plan.problem import Problem
from bench.profiling.ncu import KernelCounts
from bench.profiling.perf import Counted
from bench.profiling.rows import device_kernel_rows, kernel_rows, profile_row
from bench.profiling.visit import CellFound
from reports.profile_schema import CELL_COLUMNS, DeviceKernelRow, KernelRow, ProfileRow
from reports.schema import KEY_COLUMNS, columns, to_record

CELL = Cell(problem=Problem(N=2, C=8, H=4, W=4, G=2), implementation="mine")
KERNEL = KernelCounts(
    kernel="k", launches=1, kernel_s=2e-6, read_bytes=3e6, write_bytes=1e6, throughput=0.5, occupancy=0.4, registers=9
)


def found(**changes):
    profiled = Profiled(
        calls=4,
        seconds=0.4,
        trace_bytes=99,
        kernels=[
            KernelTime(kind="kernel", name="k", calls=4, self_s=0.2),
            KernelTime(kind="operator", name="a", calls=8, self_s=0.3),
            KernelTime(kind="operator", name="b", calls=4, self_s=0.1),
        ],
        touched_bytes=4096,
    )
    weighed = Weighed(peak_bytes=1024 + 64 + 1500)
    return CellFound(cell=CELL, **({"call_s": 0.01, "weighed": weighed, "profiled": profiled} | changes))


@pytest.mark.parametrize("row", [ProfileRow, KernelRow, DeviceKernelRow])
def test_every_frame_can_be_merged_with_results(row):
    assert tuple(columns(row))[: len(KEY_COLUMNS)] == KEY_COLUMNS
    assert {"run_id", *CELL_COLUMNS} == set(KEY_COLUMNS)


def test_counts_are_given_a_call_and_missed_lines_as_bytes():
    counted = Counted(counts={"LLC-load-misses": 50.0, "instructions": 8000.0, "task-clock": 12.5})
    row = profile_row(found(counted=counted, counted_calls=10), run_id="r", trace="t")
    assert (row.llc_load_misses, row.instructions, row.task_s) == (5, 800, pytest.approx(1.25e-3))
    assert row.moved_bytes == 5 * 64
    assert row.moved_source == "perf: LLC-load-misses x 64 B; writes and prefetches are not in it"
    assert row.cycles is None


def test_without_counters_there_are_no_moved_bytes_but_a_reason():
    row = profile_row(found(counted=Counted(reason="no perf"), counted_calls=10), run_id="r", trace="t")
    assert (row.moved_bytes, row.moved_source, row.counters_reason) == (None, None, "no perf")
    assert row.touched_bytes == 4096


def test_bytes_of_a_gpu_are_the_sum_over_its_kernels_and_unknown_where_one_is():
    assert profile_row(found(), run_id="r", trace="t", device_kernels=[KERNEL, KERNEL]).moved_bytes == 8e6
    lacking = KernelCounts(**{name: getattr(KERNEL, name) for name in KERNEL.__slots__} | {"write_bytes": None})
    assert profile_row(found(), run_id="r", trace="t", device_kernels=[KERNEL, lacking]).moved_bytes is None


def test_allocated_is_what_the_inputs_do_not_account_for():
    assert profile_row(found(), run_id="r", trace="t").allocated_bytes == 1500


def test_a_cell_that_went_wrong_has_its_status_and_nothing_else():
    row = profile_row(CellFound(cell=CELL, status="crashed", reason="SIGSEGV"), run_id="r", trace="t")
    held = {name for name, value in to_record(row).items() if value is not None}
    assert held == {*KEY_COLUMNS, "status", "reason", "minimum_bytes"}
    assert kernel_rows(CellFound(cell=CELL, status="crashed"), "r") == []


def test_shares_of_a_kind_add_up_to_one_and_times_are_of_one_call():
    rows = kernel_rows(found(), "r")
    assert [(row.kernel, row.self_s, row.share) for row in rows] == [
        ("k", pytest.approx(0.05), 1.0),
        ("a", pytest.approx(0.075), pytest.approx(0.75)),
        ("b", pytest.approx(0.025), pytest.approx(0.25)),
    ]


def test_a_device_kernels_throughput_is_its_bytes_over_its_time():
    (row,) = device_kernel_rows(CELL, [KERNEL], "r")
    assert (row.dram_bytes, row.dram_bytes_per_s) == (4e6, pytest.approx(2e12))
    assert (row.dram_throughput, row.occupancy, row.registers) == (0.5, 0.4, 9)
