"""The GPU's counters: ``ncu`` (Nsight Compute) around one cell in a process of its own, and its CSV read back.

One call is counted. ncu replays each kernel and empties the caches before it, so bytes are those of a cold cache, and
what a second kernel could have found in L2 counts as moved. Clocks are left alone (``--clock-control none``). Written
against its manual and tested on text made up in its format; not yet seen on a GPU.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bench

DOMAIN_RANGE = "groupnorm_bench@measure"
"""The nvtx range around the measured call: a domain and a started range (a pushed one would end in ``/``)."""

SOURCE = "ncu: dram__bytes_read.sum + dram__bytes_write.sum, caches emptied before each kernel"

_TIME = "gpu__time_duration.sum"
_READ = "dram__bytes_read.sum"
_WRITE = "dram__bytes_write.sum"
_THROUGHPUT = "dram__throughput.avg.pct_of_peak_sustained_elapsed"
_OCCUPANCY = "sm__warps_active.avg.pct_of_peak_sustained_active"
_REGISTERS = "launch__registers_per_thread"
METRICS = (_TIME, _READ, _WRITE, _THROUGHPUT, _OCCUPANCY, _REGISTERS)

_SECONDS = {"s": 1.0, "second": 1.0, "ms": 1e-3, "msecond": 1e-3, "us": 1e-6, "usecond": 1e-6}
_SECONDS |= {"ns": 1e-9, "nsecond": 1e-9}
_BYTES = {"byte": 1.0, "Kbyte": 1e3, "Mbyte": 1e6, "Gbyte": 1e9}


class NcuError(Exception):
    """ncu counted nothing; the message is the reason."""

    def __init__(self, reason: str, *, is_lasting: bool) -> None:
        super().__init__(reason)
        self.is_lasting = is_lasting
        """Every other cell would hear the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelCounts:
    """One kernel, all its launches in a call together; what ncu did not give is None."""

    kernel: str
    launches: int
    kernel_s: float | None
    read_bytes: float | None
    write_bytes: float | None
    throughput: float | None
    """Of the DRAM's peak, mean over launches weighted by their time."""
    occupancy: float | None
    registers: int | None


def command(executable: str, request: Path) -> list[str]:
    """Give the command line that counts the cell of a request file."""
    return [
        executable,
        "--csv",
        "--print-units",
        "base",
        "--clock-control",
        "none",
        "--target-processes",
        "all",
        "--nvtx",
        "--nvtx-include",
        DOMAIN_RANGE,
        "--metrics",
        ",".join(METRICS),
        sys.executable,
        "-P",
        "-m",
        "bench.profiling.cell",
        str(request),
    ]


def count(request: Path, environment: Mapping[str, str], timeout_s: float) -> list[KernelCounts]:
    """Count the kernels of one call.

    Raises
    ------
    NcuError
        ncu is not there, may not count, or saw no kernel.
    """
    executable = shutil.which("ncu")
    if executable is None:
        raise NcuError("ncu (Nsight Compute) is not on PATH", is_lasting=True)
    path = os.pathsep.join(filter(None, [str(Path(bench.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command(executable, request),
            env=os.environ | environment | {"PYTHONPATH": path, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NcuError(f"ncu did not end in {timeout_s:g} s", is_lasting=False) from None
    except OSError as error:
        raise NcuError(f"ncu cannot be started ({error.strerror})", is_lasting=True) from None
    kernels = parse(done.stdout)
    if not kernels:
        raise _refusal(done.stdout + done.stderr, done.returncode)
    return kernels


def _refusal(said: str, status: int) -> NcuError:
    if "ERR_NVGPUCTRPERM" in said:
        reason = (
            "ncu may not count here (ERR_NVGPUCTRPERM: this user may not read the GPU's counters); "
            "an administrator allows it with the driver's option NVreg_RestrictProfilingToAdminUsers=0"
        )
        return NcuError(reason, is_lasting=True)
    errors = [line.removeprefix("==ERROR==").strip() for line in said.splitlines() if line.startswith("==ERROR==")]
    told = errors[0] if errors else f"no kernel in the range {DOMAIN_RANGE}, exit status {status}"
    return NcuError(f"ncu counted nothing ({told})", is_lasting=False)


def parse(text: str) -> list[KernelCounts]:
    """Read ncu's CSV: a line a metric and launch, among lines that begin with ``==`` and the program's own output.

    Raises
    ------
    NcuError
        A metric has a unit that is not known.
    """
    lines = text.splitlines()
    start = next((place for place, line in enumerate(lines) if line.startswith('"ID",')), None)
    if start is None:
        return []
    launches: dict[tuple[str, str], dict[str, float]] = {}
    for row in csv.DictReader(line for line in lines[start:] if line.startswith('"')):
        metrics = launches.setdefault((row["Kernel Name"], row["ID"]), {})
        value = _value(row["Metric Name"], row["Metric Unit"], row["Metric Value"])
        if value is not None:
            metrics[row["Metric Name"]] = value
    names = dict.fromkeys(kernel for kernel, _ in launches)
    return [_together(name, [one for (kernel, _), one in launches.items() if kernel == name]) for name in names]


def _value(metric: str, unit: str, text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:  # "n/a", where the chip has no such counter
        return None
    if metric == _TIME:
        return value * _scale(_SECONDS, metric, unit)
    if metric in {_READ, _WRITE}:
        return value * _scale(_BYTES, metric, unit)
    return value / 100 if unit == "%" else value


def _scale(units: Mapping[str, float], metric: str, unit: str) -> float:
    if unit not in units:
        raise NcuError(f"ncu gave {metric} in the unknown unit {unit!r}", is_lasting=True)
    return units[unit]


def _together(kernel: str, launches: Sequence[Mapping[str, float]]) -> KernelCounts:
    registers = [one[_REGISTERS] for one in launches if _REGISTERS in one]
    return KernelCounts(
        kernel=kernel,
        launches=len(launches),
        kernel_s=_sum(launches, _TIME),
        read_bytes=_sum(launches, _READ),
        write_bytes=_sum(launches, _WRITE),
        throughput=_mean(launches, _THROUGHPUT),
        occupancy=_mean(launches, _OCCUPANCY),
        registers=int(max(registers)) if registers else None,
    )


def _sum(launches: Sequence[Mapping[str, float]], metric: str) -> float | None:
    """Add up; None where a launch has none, for the sum would be of others."""
    return sum(one[metric] for one in launches) if all(metric in one for one in launches) else None


def _mean(launches: Sequence[Mapping[str, float]], metric: str) -> float | None:
    if not all(metric in one and _TIME in one for one in launches):
        return None
    total_s = sum(one[_TIME] for one in launches)
    return sum(one[metric] * one[_TIME] for one in launches) / total_s if total_s > 0 else None
