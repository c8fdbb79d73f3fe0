"""The scheduler's own count of how long this process waited for a core."""

import os
import subprocess
import sys

import pytest

from bench.devices import waiting
from bench.devices.waiting import run_queue_wait_s

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="schedstat is Linux's")


@linux
def test_the_count_never_falls():
    counts = [run_queue_wait_s() for _ in range(20)]
    assert counts == sorted(counts)


@linux
def test_a_core_shared_with_a_busy_process_is_waited_for():
    core = min(os.sched_getaffinity(0))
    code = (
        f"import os, sys; sys.path.insert(0, {os.getcwd()!r}); os.sched_setaffinity(0, {{{core}}})\n"
        "from bench.devices.waiting import run_queue_wait_s\n"
        "before = run_queue_wait_s(); busy = os.fork()\n"
        "while not busy: pass\n"
        "while run_queue_wait_s() - before < 1e-3: pass\n"
        "os.kill(busy, 9); os.wait(); print('waited')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "waited\n", done.stderr


def test_a_system_that_does_not_tell_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(waiting, "_TASKS", tmp_path / "absent")
    assert run_queue_wait_s() is None
