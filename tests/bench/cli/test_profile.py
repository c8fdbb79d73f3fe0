"""``gnbench profile`` as a user calls it, in processes of its own, on one tiny problem."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pretended import COUNTS, install, perf_source

import bench
from bench.cli.app import main
from reports.profile_schema import CELL_COLUMNS

ROOT = Path(bench.__file__).parents[1]
FAULTY = Path(__file__).parents[1] / "plugins" / "faulty.py"
SMALL = ("-N", "1", "-C", "8", "-H", "6", "-W", "5", "-G", "4", "--threads", "1")


def gnbench(*arguments, path=None, cwd=None):
    environment = {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "160"}
    if path is not None:
        environment["PATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-P", "-m", "gnbench", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    """Two rows, with a perf that counts."""
    folder = tmp_path_factory.mktemp("profile")
    install(folder / "bin", "perf", perf_source(COUNTS))
    done = gnbench("profile", *SMALL, "--impl", "native,naive", "--json", "--out", folder / "made", path=folder / "bin")
    assert done.returncode == 0, done.stderr
    return done, folder / "made"


def test_every_file_is_there_and_the_document_says_where(profiled):
    done, made = profiled
    document = json.loads(done.stdout)
    assert document["profile"] == str(made)
    assert document["page"] == str(made / "profile.html")
    assert {one.name for one in made.iterdir()} == {
        "profile.json", "profile.html", "cells.parquet", "kernels.parquet", "device_kernels.parquet", "traces",
        "requests", "worker.log",
    }  # fmt: skip
    assert [(cell["implementation"], cell["status"]) for cell in document["cells"]] == [
        ("native", "ok"),
        ("naive", "ok"),
    ]


def test_a_line_tells_whose_turn_it_is(profiled):
    assert "[1/2] native on N1-C8-H6-W5-G4" in profiled[0].stderr
    assert "s left] naive on N1-C8-H6-W5-G4" in profiled[0].stderr


def test_each_trace_is_small_and_has_its_cell_and_phase(profiled):
    _, made = profiled
    cells = pd.read_parquet(made / "cells.parquet")
    for _, cell in cells.iterrows():
        path = made / cell["trace"]
        assert path.stat().st_size == cell["trace_bytes"]
        text = gzip.decompress(path.read_bytes())
        assert len(text) < 50_000_000
        names = [event["name"] for event in json.loads(text)["traceEvents"] if event["ph"] == "X"]
        (phase,) = [name for name in names if name.endswith(" measure")]
        assert phase.startswith(f"{cell['implementation']} N1-C8-H6-W5-G4-float32")
        assert names.count("call") == cell["traced_calls"]


def test_kernels_by_time_are_those_of_the_implementation(profiled):
    kernels = pd.read_parquet(profiled[1] / "kernels.parquet")
    by_name = {name: set(rows["kernel"]) for name, rows in kernels.groupby("implementation")}
    assert "aten::native_group_norm" in by_name["native"]
    assert "aten::rsqrt" in by_name["naive"]
    assert "aten::native_group_norm" not in by_name["naive"]
    assert kernels.groupby("implementation")["share"].sum().to_list() == [pytest.approx(1), pytest.approx(1)]


def test_counters_and_bytes_stand_beside_the_least_possible(profiled):
    cells = pd.read_parquet(profiled[1] / "cells.parquet")
    assert (cells["moved_bytes"] * cells["counted_calls"]).to_list() == [pytest.approx(50 * 64)] * 2
    assert cells["counters_reason"].isna().all()
    native, naive = cells["touched_bytes"] / cells["minimum_bytes"]
    assert 1 <= native < 1.1
    assert naive > 3


def test_the_page_has_the_picture_the_links_and_no_other_way_out(profiled):
    _, made = profiled
    page = (made / "profile.html").read_text()
    for trace in (made / "traces").iterdir():
        assert f'href="traces/{trace.name}"' in page
    assert "Bytes moved beside the least possible" in page
    assert "perf: LLC-load-misses x 64 B; writes and prefetches are not in it" in page
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_a_frame_merges_with_results(profiled):
    cells = pd.read_parquet(profiled[1] / "cells.parquet")
    results = cells[list(CELL_COLUMNS)].assign(run_id="another", latency_s=1e-5)
    kernels = pd.read_parquet(profiled[1] / "kernels.parquet")
    merged = kernels.merge(results, on=list(CELL_COLUMNS), suffixes=("", "_of_run"))
    assert len(merged) == len(kernels)
    assert (merged["latency_s"] == 1e-5).all()


def test_a_request_runs_by_itself_as_under_nsys(profiled):
    requests = sorted((profiled[1] / "requests").iterdir())
    assert [one.name.split("-N1")[0] for one in requests] == ["naive", "native"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.profiling.cell", requests[0]],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_folder_that_holds_something_is_not_written_to(profiled, capsys):
    assert main(["profile", *SMALL, "--out", str(profiled[1])]) == 2
    assert capsys.readouterr().err == (
        f"gnbench: --out: {profiled[1]} is not empty; name a folder that is new or empty\n"
    )


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Rows that go wrong among rows that do not, where there is no perf."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "bin").mkdir()
    names = "segfaults,right,scribbles-later,untimed"
    done = gnbench(
        "profile", *SMALL, "--plugin", FAULTY, "--impl", names, "--out", folder / "made", path=folder / "bin"
    )
    return done, folder / "made"


def test_a_row_that_goes_wrong_costs_its_own_cell(faulty):
    _, made = faulty
    cells = pd.read_parquet(made / "cells.parquet").set_index("implementation")
    assert cells["status"].to_dict() == {
        "segfaults": "crashed",
        "right": "ok",
        "scribbles-later": "inconsistent",
        "untimed": "ok",
    }
    assert cells.loc["segfaults", "reason"] == "SIGSEGV (segmentation fault)"
    assert cells["trace"].notna().to_dict() == {name: name in {"right", "untimed"} for name in cells.index}
    assert len(list((made / "traces").iterdir())) == 2
    assert set(pd.read_parquet(made / "kernels.parquet")["implementation"]) == {"right", "untimed"}


def test_an_interpreted_row_is_traced_once_and_claims_no_bytes(faulty):
    cells = pd.read_parquet(faulty[1] / "cells.parquet").set_index("implementation")
    untimed = cells.loc["untimed"]
    assert (untimed["reason"], untimed["traced_calls"]) == ("interpreted", 1)
    assert pd.isna(untimed["call_s"])
    assert pd.isna(untimed["counted_calls"])
    assert pd.isna(untimed["touched_bytes"])
    assert untimed["touched_reason"] == "interpreted here: the operators seen are the interpreter's"


def test_what_is_missing_is_told_with_its_reason_on_the_terminal_and_the_page(faulty):
    done, made = faulty
    reason = "perf is not on PATH; install it (package linux-tools or perf)"
    assert f"missing: hardware counters of right, untimed (2 cells): {reason}" in done.stdout
    assert "missing: everything of segfaults (1 cell): crashed: SIGSEGV (segmentation fault)" in done.stdout
    assert f"page: {made / 'profile.html'}" in done.stdout
    page = (made / "profile.html").read_text()
    assert reason in page
    assert "Bytes touched beside the least possible" in page
    assert "Bytes moved beside the least possible" not in page


def test_names_that_were_asked_for_and_went_wrong_are_status_1(faulty):
    done, _ = faulty
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("gnbench:")] == [
        "gnbench: segfaults on N1-C8-H6-W5-G4: crashed: SIGSEGV (segmentation fault)",
        "gnbench: scribbles-later on N1-C8-H6-W5-G4: inconsistent: changed its inputs",
    ]


def test_help_shows_an_example_and_how_to_use_nsys(capsys):
    assert main(["profile", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Example: gnbench profile" in text
    assert "nsys profile" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*SMALL, "--impl", "natve"), "--impl: no implementation is called 'natve'; did you mean 'native'?"),
        ((*SMALL, "--plugin", "absent.py"), "--plugin: there is no file absent.py; give a Python file with @register"),
        ((*SMALL, "--device", "gpu"), "--device: 'gpu' is unknown; did you mean 'cpu'?"),
        ((*SMALL[:-1], "4096"), "--threads: 4096 is more than the "),
        (("-C", "9", "-G", "2", "-N", "1", "-H", "1", "-W", "1"), "sweep: no valid problem is left: "),
        (("--preset", "quik"), "--preset: 'quik' is no preset; did you mean 'quick'?"),
        (("--preset", "full", "--impl", "native"), "cells: "),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_leaves_nothing(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["profile", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith(f"gnbench: {message}")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.skipif(shutil.which("perf") is None, reason="the system's own perf is not here")
def test_the_real_perf_counts_or_says_why_not():
    from bench.profiling.perf import counting

    counted = counting(os.getpid(), lambda: sum(range(1000)))[1]
    assert counted.counts or counted.reason
    assert all(count >= 0 for count in counted.counts.values())
