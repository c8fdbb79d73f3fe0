"""The page and the terminal of a profile, from frames made up here."""

import io

import pandas as pd
import pytest
from rich.console import Console

from reports.forms.profile_terminal import summary
from reports.profile import MOST_KERNELS, compose, html
from reports.profile_schema import DeviceKernelRow, KernelRow, ProfileRow
from reports.profile_views import missing, ratios, top_kernels
from reports.schema import columns, to_record
from reports.views import cells as named_cells

KEY = {
    "run_id": "r", "device": "cuda", "N": 2, "C": 8, "H": 4, "W": 4, "G": 2, "dtype": "float32",
    "weight_dtype": "float32", "affine": True, "eps": 1e-5, "layout": "contiguous", "direction": "forward",
    "activation": "none",
}  # fmt: skip
INFO = {"run_id": "r", "command": ["gnbench", "profile"], "settings": {"reference": "native"}}
EVIL = "<script>alert(1)</script>"


def cell(name, **values):
    ok = {"status": "ok", "trace": f"traces/{name}.json.gz", "trace_bytes": 9, "traced_calls": 3, "minimum_bytes": 1000}
    return ProfileRow(**(KEY | {"implementation": name} | ok | values))


def frame(row_class, rows):
    return pd.DataFrame([to_record(row) for row in rows], columns=list(columns(row_class)))


CELLS = frame(
    ProfileRow,
    [
        cell("native", touched_bytes=1000, counters_reason="ncu is not on PATH"),
        cell("naive", touched_bytes=6000, counters_reason="ncu is not on PATH", N=4),
        cell("cuda", moved_bytes=2000.0, moved_source="ncu", touched_reason="no operators"),
        cell("dead", status="crashed", reason="SIGSEGV", trace=None),
    ],
)
KERNELS = frame(
    KernelRow,
    [
        KernelRow(**KEY, implementation="cuda", kind=kind, kernel=f"{kind} {n}", calls=3, self_s=n * 1e-6, share=n / 78)
        for kind in ("kernel", "operator")
        for n in range(12)
    ]
    + [KernelRow(**KEY, implementation="native", kind="operator", kernel=EVIL, calls=1, self_s=1e-6, share=1.0)],
)
DEVICE = frame(
    DeviceKernelRow,
    [
        DeviceKernelRow(
            **KEY, implementation="cuda", kernel="apply", launches=1, kernel_s=2e-6, dram_bytes=2000.0,
            dram_bytes_per_s=1e9, dram_throughput=0.5, occupancy=0.75, registers=40,
        )
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def document():
    return compose(CELLS, KERNELS, DEVICE, INFO)


def test_counted_and_touched_bytes_are_two_pictures_never_one(document):
    keys = [section.key for section in document.sections]
    assert keys == ["moved-bytes", "touched-bytes", "cells", "times", "device", "missing", "timeline", "reproduce"]
    moved, touched = (section.pictures[0] for section in document.sections[:2])
    assert [row[1].text for row in moved.table.rows] == ["cuda"]
    assert [row[1].text for row in touched.table.rows] == ["native", "naive"]
    assert moved.finding.startswith("At most, cuda moves 2.00× the least possible")
    assert "Not counted by the hardware" in touched.reading
    assert document.sentences[1] == ("Of the least possible bytes, cuda moves 2.00× (geometric mean over problems).")


def test_ratios_are_geometric_means_over_problems():
    frame_ = frame(ProfileRow, [cell("a", touched_bytes=1000), cell("a", touched_bytes=4000, N=4)])
    assert ratios(named_cells(frame_), "touched_bytes") == {"a": pytest.approx(2.0)}


def test_the_longest_of_each_kind_come_first():
    found = top_kernels(KERNELS, KEY | {"implementation": "cuda"}, 2)
    assert found["kernel"].to_list() == ["kernel 11", "kernel 10", "operator 11", "operator 10"]


def test_a_cells_tables_are_cut_and_the_device_has_its_own(document):
    times = next(section for section in document.sections if section.key == "times")
    assert [len(table.rows) for table in times.tables if "cuda" in table.caption] == [MOST_KERNELS, MOST_KERNELS]
    (device,) = next(section for section in document.sections if section.key == "device").tables
    assert [entry.text for entry in device.rows[0]][2:] == [
        "apply", "1", "2.00 µs", "2.00 kB", "1.00 GB/s", "50 %", "75 %", "40",
    ]  # fmt: skip


def test_equal_reasons_are_one_row():
    assert missing(named_cells(CELLS)) == [
        ("touched bytes", "cuda", "1", "no operators"),
        ("everything", "dead", "1", "crashed: SIGSEGV"),
        ("hardware counters", "native, naive", "2", "ncu is not on PATH"),
    ]


def test_the_page_links_its_traces_and_escapes_what_a_plugin_says():
    page = html(CELLS, KERNELS, DEVICE, INFO)
    assert '<a href="traces/cuda.json.gz">trace</a>' in page
    assert "traces/dead" not in page
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<svg") == 2


def test_a_profile_without_a_single_right_cell_has_a_page():
    page = html(CELLS[CELLS["status"] != "ok"], KERNELS.head(0), DEVICE.head(0), INFO)
    assert "0 of 1 cell profiled." in page
    assert "<svg" not in page


@pytest.mark.parametrize("width", [200, 60])
def test_the_terminal_tells_the_longest_and_what_is_missing_in_any_width(width):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(summary(CELLS, KERNELS))
    text = console.file.getvalue()
    assert "kernel 11" in text
    assert ("2.00× moved" in text) == (width == 200)
    assert "missing: hardware counters of native, naive (2 cells): ncu is not on PATH" in " ".join(text.split())
