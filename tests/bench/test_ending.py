import os
import signal
import threading
from pathlib import Path

import pytest

from bench.ending import Interrupted, Told, status_of, told_by_signals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_an_interrupt_with_its_status(number, status):
    before = signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored
    try:
        with told_by_signals(), pytest.raises(Told) as told:
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert status_of(told.value) == status


def test_ctrl_c_is_130_and_an_interrupted_run_keeps_its_cause():
    assert status_of(KeyboardInterrupt()) == 130
    assert status_of(Interrupted(Told(signal.SIGTERM), Path("runs/a"), None)) == 143


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with told_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_changes():
    seen = []

    def look():
        with told_by_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_the_line_says_where_the_report_is_and_how_to_go_on():
    line = str(Interrupted(KeyboardInterrupt(), Path("runs/a"), Path("runs/a/report.html")))
    assert line == (
        "interrupted; a report of what was measured is runs/a/report.html; go on with 'gnbench run --resume runs/a'"
    )
