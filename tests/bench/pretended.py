"""``perf`` and ``ncu`` as small programs of our own, for a PATH where the real ones are not."""

import stat
import sys
from pathlib import Path

PERF = """\
import os, signal, sys
arguments = sys.argv[1:]
value = lambda option: arguments[arguments.index(option) + 1]
commands, answers = map(int, value("--control").removeprefix("fd:").split(","))
heard = []
def end(*_):
    lines = ["# started on some day", ""]
    lines += [row.replace("HEARD", ";".join(heard)) for row in ROWS]
    open(value("-o"), "w").write("\\n".join(lines) + "\\n")
    sys.exit(0)
signal.signal(signal.SIGINT, end)
while True:
    command = os.read(commands, 64).decode().strip()
    heard.append(command)
    os.write(answers, b"ack\\n\\0")
"""
COUNTS = (
    "4000,,cycles:u,9,100.00,,",
    "8000,,instructions:u,9,100.00,2.00,insn per cycle",
    "70,,cache-misses,9,100.00,,",
    "100,,LLC-loads,9,100.00,,",
    "50,,LLC-load-misses,9,100.00,50.00,of all LL-cache accesses",
    "6,,page-faults,9,100.00,,",
    "12.5,msec,task-clock,9,100.00,0.9,CPUs utilized",
)


def perf_source(rows):
    """A perf that obeys its control pipe and writes these rows when it is interrupted."""
    return f"ROWS = {list(rows)!r}\n{PERF}"


def install(folder: Path, name: str, source: str) -> None:
    """Put a Python program into a folder of a PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{source}")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)


NCU_CSV = """\
==PROF== Connected to process 4242 (/usr/bin/python3.12)
==PROF== Profiling "stats_kernel" - 0: 0%....50%....100% - 2 passes
==PROF== Profiling "apply_kernel" - 1: 0%....50%....100% - 2 passes
a kernel that talks on standard output
==PROF== Disconnected from process 4242
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC",\
"Section Name","Metric Name","Metric Unit","Metric Value"
"""

"""In the format of Nsight Compute with ``--csv --print-units base``, made up: two kernels, one launched twice."""


def _launch(number, kernel, *values):
    names = (
        ("dram__bytes_read.sum", "byte"),
        ("dram__bytes_write.sum", "byte"),
        ("dram__throughput.avg.pct_of_peak_sustained_elapsed", "%"),
        ("gpu__time_duration.sum", "nsecond"),
        ("launch__registers_per_thread", "register/thread"),
        ("sm__warps_active.avg.pct_of_peak_sustained_active", "%"),
    )
    common = f'"{number}","4242","python3.12","127.0.0.1","{kernel}","1","7","(256, 1, 1)","(64, 1, 1)","0","9.0"'
    return "".join(
        f'{common},"Command line profiler metrics","{name}","{unit}","{value}"\n'
        for (name, unit), value in zip(names, values, strict=True)
    )


STATS = "void stats_kernel<float, 4>(const T1 *, float *)"
NCU_CSV += _launch(0, STATS, "1,048,576", "4,096", "40.00", "2,000", "32", "50.00")
NCU_CSV += _launch(1, "apply_kernel", "1,000,000", "1,000,000", "60.00", "1,000", "40", "80.00")
NCU_CSV += _launch(2, "apply_kernel", "1,000,000", "1,000,000", "80.00", "3,000", "40", "60.00")
