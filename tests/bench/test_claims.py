import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import bench
from bench.claims import SHARE, claimed, cores_of
from bench.errors import UsageError
from bench.gpus import gpu_of

ROOT = Path(bench.__file__).parents[1]
HOLD = """
import pathlib, sys
from bench.claims import claimed
with claimed(sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_claims(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv(SHARE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def holder(request, tmp_path):
    device, threads = getattr(request, "param", ("cpu", 1))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, device, str(threads), str(tmp_path / "theirs")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_cores_that_overlap_exclude_each_other_and_the_holder_is_named(holder, tmp_path):
    (core,) = cores_of(1)
    with pytest.raises(UsageError) as error, claimed("cpu", len(cores_of(99)), tmp_path / "ours", print):
        pass
    assert str(error.value).startswith(
        f"--threads: process {holder.pid}, which writes {tmp_path / 'theirs'}, is measuring on core {core}; wait for it"
    )


def test_a_killed_holder_lets_go(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with claimed("cpu", 1, tmp_path / "ours", print):
        pass


def test_a_refused_run_lets_go_of_what_it_had(tmp_path, holder):
    if len(cores_of(99)) < 2:
        pytest.skip("one core")
    for _ in range(2):  # the second would meet the first's own claim of the other core
        with pytest.raises(UsageError, match=f"process {holder.pid}"), claimed("cpu", 2, tmp_path, print):
            pass


@pytest.mark.parametrize("holder", [("cuda", 1)], indirect=True)
def test_a_gpu_excludes_runs_on_it_and_none_on_the_cpu(holder, tmp_path):
    refused = pytest.raises(UsageError, match=r"^--device: process \d+, .*, is measuring on GPU .*CUDA_VISIBLE_DEVICES")
    with refused, claimed("cuda", 1, tmp_path, print):
        pass
    with claimed("cpu", 1, tmp_path, print):
        pass


def test_sharing_is_allowed_on_request(holder, tmp_path, monkeypatch):
    monkeypatch.setenv(SHARE, "1")
    with claimed("cpu", 1, tmp_path, print):
        pass


def test_where_no_lock_can_be_made_the_run_goes_on_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "gnbench-claims").write_text("a file in the way")
    told = []
    with claimed("cpu", 1, tmp_path, told.append):
        pass
    (line,) = told
    assert line.startswith(f"core {cores_of(1)[0]} cannot be claimed (")


@pytest.mark.parametrize(
    ("visible", "uuids", "name"),
    [
        (None, [], "gpu-0"),
        (None, ["GPU-a"], "GPU-a"),
        ("1,0", ["GPU-a", "GPU-b"], "GPU-b"),
        ("GPU-c", ["GPU-a"], "GPU-c"),
        ("MIG-x,1", [], "MIG-x"),
        ("3", ["GPU-a"], "gpu-3"),
    ],
)
def test_the_gpu_is_the_first_that_is_visible(visible, uuids, name):
    assert gpu_of(visible, uuids) == name
