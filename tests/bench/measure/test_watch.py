"""What the driver makes of a death, and of a log."""

import os
import signal

import psutil
import pytest

from bench.measure import watch
from bench.measure.watch import Ended, Limit, judged

GIB = 1 << 30
LIMIT = Limit(before_bytes=GIB, spare_bytes=4 * GIB)


@pytest.mark.parametrize(
    ("code", "held", "kills", "told"),
    [
        (-signal.SIGSEGV, 2 * GIB, (3, 3), ("crashed", "how")),
        (-signal.SIGABRT, 5 * GIB, (3, 3), ("out_of_memory", "how, having held 5.00 GiB of the 5.50 GiB that it may")),
        (-signal.SIGKILL, GIB, (3, 3), ("crashed", "how")),
        (-signal.SIGKILL, GIB, (3, 4), ("out_of_memory", "having held 1.00 GiB: the system's memory killer")),
        (-signal.SIGKILL, GIB, (None, None), ("out_of_memory", "the system's memory killer ends processes so")),
        (3, 5 * GIB, (3, 3), ("crashed", "how")),
    ],
)
def test_a_death_is_a_lack_of_memory_only_on_evidence(monkeypatch, code, held, kills, told):
    (before, after), (status, reason) = kills, told
    monkeypatch.setattr(watch, "oom_kills", lambda: after)
    ended = Ended(code=code, most_bytes=held, was_killed=False)
    found, why = judged(ended, "how", limit=LIMIT, kills_before=before)
    assert found == status
    assert reason in why


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path):
    path = tmp_path / "worker.log"
    with path.open("ab") as log:
        log.write(b"begin" + b"x" * watch.LOG_BYTES)
        log.flush()
        watch.cut(log)
        log.write(b"end")
    text = path.read_bytes()
    assert text.startswith(b"begin")
    assert text.endswith(b"[cut here: workers wrote more than 10 MiB]\nend")
    assert len(text) < watch.LOG_BYTES


def test_a_short_log_and_none_are_left_alone(tmp_path):
    with (tmp_path / "worker.log").open("ab") as log:
        log.write(b"short")
        log.flush()
        watch.cut(log)
    watch.cut(-3)
    assert (tmp_path / "worker.log").read_bytes() == b"short"


def test_the_memory_of_a_family_is_at_least_its_heads():
    assert watch.family_bytes(os.getpid()) >= 0.9 * psutil.Process().memory_info().rss
    assert watch.family_bytes(2**22 + 1) == 0
