"""The scheduler's own count of how long this process waited for a core, and what follows from it."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.devices import waiting
from bench.devices.waiting import Waits, is_struck, look, stolen_s

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="schedstat is Linux's")

MS = 1_000_000
BEFORE = Waits(threads={1: (0, 0), 2: (0, 0), 3: (7 * MS, 3 * MS)}, process_ns=9 * MS)
QUIET = Waits(threads={1: (2 * MS, 0), 2: (2 * MS, 0), 3: (7 * MS, 3 * MS)}, process_ns=13 * MS)


def test_who_did_not_wait_was_not_struck():
    assert is_struck(BEFORE, QUIET, 2e-3, cores=2) is False


@pytest.mark.parametrize(("waited_ns", "struck"), [(20_000, False), (20_001, True), (4 * MS, True)])
def test_a_hundredth_of_the_batch_is_the_line(waited_ns, struck):
    after = replace(QUIET, threads=QUIET.threads | {2: (2 * MS, waited_ns)})
    assert is_struck(BEFORE, after, 2e-3, cores=2) is struck


def test_threads_of_ones_own_that_outnumber_the_cores_say_nothing():
    after = replace(QUIET, threads=QUIET.threads | {2: (2 * MS, 4 * MS)})
    assert is_struck(BEFORE, after, 2e-3, cores=1) is None


def test_a_thread_that_has_ended_is_one_that_ran():
    alone = Waits(threads={1: (2 * MS, 4 * MS)}, process_ns=3 * MS)
    assert is_struck(Waits(threads={1: (0, 0)}, process_ns=0), alone, 2e-3, cores=1) is None
    after = replace(QUIET, threads=QUIET.threads | {2: (2 * MS, 4 * MS)}, process_ns=19 * MS)
    assert is_struck(BEFORE, after, 2e-3, cores=2) is None
    assert is_struck(BEFORE, after, 2e-3, cores=3) is True


def test_on_several_cores_less_than_a_tick_is_a_count_that_is_old():
    """A thread that spins on the other core is counted at ticks: taken for a third one, its waits went unseen, and
    beside a busy program speed-ups of 1 came out as 0.67."""
    after = replace(QUIET, threads=QUIET.threads | {2: (2 * MS, 4 * MS)}, process_ns=17 * MS)
    assert is_struck(BEFORE, after, 2e-3, cores=2) is True


def test_a_new_thread_counts_from_its_beginning():
    after = replace(QUIET, threads=QUIET.threads | {4: (0, MS)})
    assert is_struck(BEFORE, after, 2e-3, cores=2) is True


def test_where_nothing_is_known_nothing_is_said():
    assert is_struck(None, QUIET, 2e-3, cores=2) is None
    assert is_struck(BEFORE, None, 2e-3, cores=2) is None


@linux
def test_a_core_shared_with_a_busy_process_is_waited_for():
    core = min(os.sched_getaffinity(0))
    code = (
        f"import os, sys; sys.path.insert(0, {os.getcwd()!r}); os.sched_setaffinity(0, {{{core}}})\n"
        "from bench.devices.waiting import is_struck, look\n"
        "before = look(); busy = os.fork()\n"
        "while not busy: pass\n"
        "while not is_struck(before, look(), 0.1, cores=1): pass\n"
        "os.kill(busy, 9); os.wait(); print('waited')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "waited\n", done.stderr


def test_a_system_that_does_not_tell_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(waiting, "_TASKS", tmp_path / "absent")
    assert look() is None


STAT = """cpu  9 9 9 9 9 9 9 99 0 0
cpu0 1 1 1 1 1 1 1 3 0 0
cpu1 1 1 1 1 1 1 1 40 0 0
intr 5
"""


def test_stolen_time_is_that_of_the_cores_in_seconds(monkeypatch, tmp_path):
    monkeypatch.setattr(waiting, "_STAT", tmp_path / "stat")
    (tmp_path / "stat").write_text(STAT)
    monkeypatch.setattr(waiting.os, "sysconf", {"SC_CLK_TCK": 100}.get)
    assert stolen_s({1}) == pytest.approx(0.4)
    assert stolen_s({0, 1}) == pytest.approx(0.43)


def test_without_such_a_file_nothing_is_said_to_be_stolen(monkeypatch, tmp_path):
    monkeypatch.setattr(waiting, "_STAT", tmp_path / "absent")
    assert stolen_s({0}) is None
