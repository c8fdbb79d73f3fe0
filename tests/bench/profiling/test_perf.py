"""``perf`` as programs of our own, in real processes: what it counts, and each way in which it does not."""

import os
import re

import pytest
from pretended import COUNTS, perf_source

from bench.profiling.perf import EVENTS, Counted, counting, parse


def test_a_burst_is_counted_between_enable_and_disable(tool):
    tool("perf", perf_source(COUNTS))
    answer, counted = counting(os.getpid(), lambda: "done")
    assert answer == "done"
    assert counted.counts == {
        "cycles": 4000, "instructions": 8000, "cache-misses": 70, "LLC-loads": 100, "LLC-load-misses": 50,
        "page-faults": 6, "task-clock": 12.5,
    }  # fmt: skip
    assert set(counted.counts) == set(EVENTS)
    assert counted.reason is None


def test_perf_is_on_during_the_burst_and_off_after_it(tool, tmp_path):
    heard = tmp_path / "heard"
    source = perf_source(COUNTS).replace("heard.append(command)", f"open({str(heard)!r}, 'a').write(command + ' ')")
    tool("perf", source)
    during = counting(os.getpid(), heard.read_text)[0]
    assert (during, heard.read_text()) == ("enable ", "enable disable ")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import sys; sys.exit('Error:\\nAccess to performance monitoring operations is limited.')",
            r"perf may not count here \(perf_event_paranoid is .+\); 'sysctl kernel.perf_event_paranoid=1' or .*",
        ),
        (
            "import sys; sys.exit('Error:\\nNo permission to enable cycles event.')",
            r"perf may not count here \(perf_event_paranoid is .+\); .*CAP_PERFMON allows it",
        ),
        (
            "import sys; sys.exit('unknown option --control')",
            r"perf ended without counting \(unknown option --control\)",
        ),
        ("", r"perf ended without counting \(it said nothing\)"),
    ],
)
def test_a_perf_that_ends_is_a_reason_and_the_burst_runs_all_the_same(tool, source, reason):
    tool("perf", source)
    answer, counted = counting(os.getpid(), lambda: 3)
    assert answer == 3
    assert counted.counts == {}
    assert re.fullmatch(reason, counted.reason)


def test_without_perf_there_is_a_reason(tool):
    assert counting(os.getpid(), lambda: 3) == (
        3,
        Counted(reason="perf is not on PATH; install it (package linux-tools or perf)"),
    )


def test_a_perf_that_dies_under_way_loses_its_counts_and_nothing_else(tool):
    tool("perf", perf_source(COUNTS).replace("    os.write", "    if command == 'disable': os._exit(1)\n    os.write"))
    answer, counted = counting(os.getpid(), lambda: 3)
    assert answer == 3
    assert counted.reason == "perf gave no counts (perf ended without counting (it said nothing))"


def test_a_burst_that_fails_leaves_no_perf_behind(tool, tmp_path):
    pid = tmp_path / "pid"
    tool("perf", f"import os; open({str(pid)!r}, 'w').write(str(os.getpid()))\n" + perf_source(COUNTS))

    def fail():
        raise ValueError("oh")

    with pytest.raises(ValueError, match="oh"):
        counting(os.getpid(), fail)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_virtual_machine_without_hardware_events_keeps_what_software_counts():
    rows = ("<not supported>,,cycles,0,100.00,,", "<not counted>,,LLC-loads,0,0.00,,", "7,,page-faults,1,100.00,,")
    counted = parse("\n".join(["# started", "", *rows]))
    assert counted.counts == {"page-faults": 7}
    assert counted.reason == (
        "perf: cycles not supported by this processor, or not let through to this virtual machine; "
        "perf: LLC-loads not counted since the processor had no room for them"
    )
