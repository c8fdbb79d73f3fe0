import json
import os
import stat
import subprocess
import sys
from datetime import datetime

import pytest

from bench.errors import UsageError
from bench.record import rundir
from bench.record.durable import DamagedRun
from reports.schema import FORMAT_VERSION


def test_create_then_open_gives_the_same_run(tmp_path):
    made = rundir.create(tmp_path / "a" / "b", {"seed": 0, "gpu": [], "load": None, "eps": 1e-5})
    opened = rundir.open_run(tmp_path / "a" / "b", "RUN")
    assert opened == made
    assert opened.info() == {"format_version": FORMAT_VERSION, "seed": 0, "gpu": [], "load": None, "eps": 1e-5}


def test_update_keeps_what_it_does_not_name(tmp_path):
    run = rundir.create(tmp_path / "run", {"seed": 0})
    run.update(finished="2026-11-24T20:14:00", cost={"wall_s": 41.5})
    assert run.info() == {
        "format_version": FORMAT_VERSION,
        "seed": 0,
        "finished": "2026-11-24T20:14:00",
        "cost": {"wall_s": 41.5},
    }


def test_an_update_that_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path):
    run = rundir.create(tmp_path / "run", {"seed": 0})
    before = sorted(os.listdir(run.path))
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.update(cost=float("inf"))
    assert run.info() == {"format_version": FORMAT_VERSION, "seed": 0}
    assert sorted(os.listdir(run.path)) == before


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_a_run_can_be_read_by_whom_the_umask_allows(tmp_path):
    old = os.umask(0o022)
    try:
        run = rundir.create(tmp_path / "run", {})
    finally:
        os.umask(old)
    assert stat.S_IMODE((run.path / "run.json").stat().st_mode) == 0o644


def test_a_folder_with_other_things_in_it_is_fine(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    rundir.create(tmp_path, {})
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_another_run_is_refused_and_untouched(tmp_path):
    rundir.create(tmp_path, {"seed": 1})
    with pytest.raises(UsageError) as error:
        rundir.create(tmp_path, {"seed": 2})
    mend = f"continue it with 'gnbench run --resume {tmp_path}', or name another folder"
    assert str(error.value) == f"--out: {tmp_path} already holds a run; {mend}"
    assert rundir.open_run(tmp_path, "RUN").info()["seed"] == 1


def test_a_left_over_of_another_run_is_refused(tmp_path):
    (tmp_path / "samples.parquet").touch()
    with pytest.raises(UsageError) as error:
        rundir.create(tmp_path, {})
    assert str(error.value) == f"--out: {tmp_path} holds samples.parquet of another run; name another folder"


def test_a_file_in_the_way_is_a_usage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--out: cannot write to .*file.run \(Not a directory\); name a folder that"):
        rundir.create(tmp_path / "file" / "run", {})


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root and Windows may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_usage_error(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match=r"^--out: cannot write to .*Permission denied"):
            rundir.create(tmp_path / "run", {})
    finally:
        tmp_path.chmod(0o700)


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(UsageError) as error:
        rundir.open_run(tmp_path, "BASE")
    assert str(error.value) == f"BASE: {tmp_path} holds no run.json; name a folder that 'gnbench run' wrote"
    with pytest.raises(UsageError, match=r"^BASE: there is no folder .*none; name a folder"):
        rundir.open_run(tmp_path / "none", "BASE")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_run_json_names_the_file(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(DamagedRun, match=r"run\.json: .*; restore it, or start a new run$"):
        rundir.open_run(tmp_path, "RUN")


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (FORMAT_VERSION + 1, "was written by a newer groupnorm-bench (format 2); upgrade groupnorm-bench"),
        ("1", "has the unknown format version '1'; this version reads 1"),
        (None, "has the unknown format version None; this version reads 1"),
    ],
)
def test_an_unknown_format_version_says_what_to_do(tmp_path, version, message):
    (tmp_path / "run.json").write_text(json.dumps({"format_version": version}))
    with pytest.raises(UsageError) as error:
        rundir.open_run(tmp_path, "HEAD")
    assert str(error.value) == f"HEAD: {tmp_path} {message}"


LOCK_IT = """
import pathlib, sys
from bench.errors import UsageError
from bench.record import rundir
try:
    with rundir.RunDirectory(path=pathlib.Path(sys.argv[1])).lock("--resume"):
        print("held")
except UsageError as error:
    print(error)
"""


def test_two_processes_cannot_share_a_run(tmp_path):
    run = rundir.create(tmp_path / "run", {})

    def ask_another_process():
        command = [sys.executable, "-c", LOCK_IT, str(run.path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    with run.lock():
        holder = f"process {os.getpid()}, which writes {run.path},"
        message = f"--resume: {holder} is measuring into {run.path}; wait for it, or name another folder"
        assert ask_another_process() == message
        with pytest.raises(UsageError, match=r"^--out: process \d+, which writes .*, is measuring into"):
            rundir.create(run.path, {})
    assert ask_another_process() == "held"


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    run = rundir.create(tmp_path / "run", {})
    for name in (".results.parquet.abc123", ".run.json.abc123", ".report.html.x"):
        (run.path / name).write_text("half")
    with run.lock():
        pass
    assert not [path for path in run.path.iterdir() if path.name.endswith(("abc123", ".x"))]


def test_a_part_of_a_sweep_has_its_part_in_the_name():
    path = rundir.default_path(datetime(2026, 11, 24, 20, 13, 28), (2, 4))
    assert path.as_posix() == "runs/2026-11-24T201328-part-2-of-4"


def test_the_default_path_is_the_time_and_never_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    now = datetime(2026, 11, 24, 20, 13, 28)
    names = []
    for _ in range(3):
        path = rundir.default_path(now)
        rundir.create(path, {})
        names.append(path.as_posix())
    assert names == ["runs/2026-11-24T201328", "runs/2026-11-24T201328-2", "runs/2026-11-24T201328-3"]
