"""Real processes that are told to stop, killed, or run out of disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from kill_and_resume import ROOT, left_of

LONG = ("-N", "1", "-C", "8", "-H", "6", "-W", "5", "-G", "4,8", "--threads", "1", "--impl", "naive",
        "--budget", "600", "--passes", "500", "--precision", "1e-6")  # fmt: skip


def _hear_interrupts():
    """A shell without job control starts what stands before ``&`` deaf to Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Running:
    """A run in a process of its own, with a mark on all that comes of it."""

    def __init__(self, folder, *asked):
        self.folder = folder
        self.mark = f"{folder}:{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gnbench", "run", *map(str, asked)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "GNBENCH_TEST_MARK": self.mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_interrupts,  # noqa: PLW1509 - it sets a signal and takes no lock
        )

    def visits(self):
        path = self.folder / "journal.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def wait_for(self, visits):
        deadline = time.monotonic() + 60
        while self.visits() < visits and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.process.poll() is None

    def ended(self):
        _, said = self.process.communicate(timeout=60)
        assert left_of(self.mark) == []
        return self.process.returncode, said.splitlines()

    def below(self):
        """The zygote, then its worker."""
        return psutil.Process(self.process.pid).children(recursive=True)


def test_a_run_outlives_its_workers_stops_when_told_and_leaves_nobody(tmp_path):
    folder = tmp_path / "run"
    running = Running(folder, *LONG, "--out", folder)
    running.wait_for(2)
    for process in reversed(running.below()):
        process.kill()
    running.wait_for(running.visits() + 2)
    running.process.send_signal(signal.SIGTERM)
    status, said = running.ended()
    assert status == 143
    assert said[-1] == (
        f"gnbench: interrupted; a report of what was measured is {folder}/report.html; "
        f"go on with 'gnbench run --resume {folder}'"
    )
    info = json.loads((folder / "run.json").read_text())
    assert info["finished"] is None
    assert info["interrupted"] is not None
    assert pq.read_table(folder / "results.parquet").num_rows == 4
    before = (folder / "journal.jsonl").read_bytes()

    running = Running(folder, "--resume", folder)
    running.wait_for(running.visits() + 1)
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    running.process.send_signal(signal.SIGINT)  # in the middle of the report, most likely
    status, _ = running.ended()
    assert status == 130
    assert (folder / "journal.jsonl").read_bytes().startswith(before)
    assert pq.read_table(folder / "results.parquet").num_rows == 4
    assert len(json.loads((folder / "run.json").read_text())["resumed"]) == 1


SMALL_DISK = r"""
set -eu
mount -t tmpfs -o size=8m tmpfs "$DISK"
run="$PYTHON -P -m gnbench run"
$run -N 1 -C 8 -H 6 -W 5 -G 4,8 --threads 1 --impl naive --budget 0.2 --out "$DISK/run" > /dev/null 2> "$SAID/full" &
pid=$!
while [ ! -s "$DISK/run/journal.jsonl" ] && kill -0 $pid 2> /dev/null; do sleep 0.02; done
head -c 9000000 /dev/zero > "$DISK/filler" 2> /dev/null || true
status=0; wait $pid || status=$?
echo $status > "$SAID/status"
cp "$DISK/run/journal.jsonl" "$SAID/before"
mount -o remount,ro "$DISK"
$run --resume "$DISK/run" 2> "$SAID/read_only" || echo $? >> "$SAID/status"
mount -o remount,rw "$DISK"
rm "$DISK/filler"
$run --resume "$DISK/run" > /dev/null 2> "$SAID/resumed" || echo $? >> "$SAID/status"
cp -r "$DISK/run" "$SAID/run"
"""


def _may_mount():
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="this user may not mount a small disk of its own")
def test_a_disk_that_fills_ends_the_run_with_what_to_do_and_loses_nothing(tmp_path):
    disk, said = tmp_path / "disk", tmp_path / "said"
    disk.mkdir()
    said.mkdir()
    names = {"DISK": str(disk), "SAID": str(said), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    subprocess.run(["unshare", "-rm", "sh", "-c", SMALL_DISK], env=os.environ | names, check=True, timeout=120)
    assert (said / "status").read_text().split() == ["2", "2"]
    assert (said / "full").read_text().splitlines()[-1] == (
        f"gnbench: {disk}/run: there is no room left (No space left on device); "
        f"free some space, then go on with 'gnbench run --resume {disk}/run': no finished visit is lost"
    )
    assert (said / "read_only").read_text().splitlines() == [
        f"gnbench: --resume: cannot write to {disk}/run (Read-only file system); name a folder that you may write to"
    ]
    before = (said / "before").read_bytes()
    assert before.endswith(b"\n")
    assert (said / "run" / "journal.jsonl").read_bytes().startswith(before)
    assert json.loads((said / "run" / "run.json").read_text())["finished"] is not None


def test_two_runs_never_share_a_core_and_the_second_says_whose_it_is(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "GNBENCH_SHARE_DEVICE": "0"}
    sweep = ("-N", "1", "-C", "8", "-H", "6", "-W", "5", "-G", "4", "--threads", "1")
    hold = (
        "import sys, pathlib; from bench.claims import claimed\n"
        "with claimed('cpu', 1, pathlib.Path('theirs'), print):\n    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gnbench", "run", *sweep, "--out", str(tmp_path / "run")],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        holder.stdin.close()
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gnbench: --threads: process {holder.pid}, which writes {Path('theirs').absolute()}, is ")
    assert not (tmp_path / "run").exists()
