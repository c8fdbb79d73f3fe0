"""Facts of the machine for ``run.json`` and ``doctor``, and which of them make figures untrustworthy.

Nothing here raises: what a system does not tell is None. Reports are shared, so neither the host's name nor
its user's is among the facts.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from bench import cgroup, gpus

T = TypeVar("T")
Facts = dict[str, Any]

_PACKAGES = (
    "groupnorm-bench",
    "torch",
    "triton",
    "cuda-core",
    "cuda-bindings",
    "nvidia-cuda-nvrtc",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "seaborn",
)
_CPU = Path("/sys/devices/system/cpu")


def facts(folder: Path | None = None) -> Facts:
    """Give what is known of this machine, as plain data.

    Parameters
    ----------
    folder
        Where to look for a git checkout; the working directory when None.
    """
    return {
        "host": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "virtual": _known(_is_virtual),
            "on_battery": _known(_is_on_battery),
        },
        "cpu": _cpu(),
        "memory": _memory(),
        "gpu": gpus.facts(),
        "versions": {name: _known(lambda name=name: importlib.metadata.version(name)) for name in _PACKAGES},  # type: ignore[misc]
        "git": _known(lambda: _git(folder or Path.cwd())),
        "load": {"before": load(), "after": None},
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One thing that makes figures from here less trustworthy."""

    what: str
    why: str
    mend: str


def remarks(facts: Facts) -> list[Remark]:
    """Say what in the facts makes figures less trustworthy. A fact that is missing or None says nothing."""
    host, cpu, memory = (facts.get(name) or {} for name in ("host", "cpu", "memory"))
    busy = (facts.get("load") or {}).get("before") or 0.0
    cores, usable = cpu.get("logical_cores") or 1, cpu.get("available_cores")
    governor = cpu.get("governor")
    quota = cpu.get("quota_cores")
    swapped = memory.get("swap_used_bytes") or 0
    found = (
        (busy > _BUSY_LOAD, f"{busy:.1f} processes wanted to run in the last minute", *_BUSY),
        (governor not in {None, "performance"}, f"the CPU governor is {governor!r}", *_GOVERNOR),
        (host.get("virtual"), "this is a virtual machine", *_VIRTUAL),
        (usable == 1, "only one core may be used", *_ONE_CORE),
        (quota is not None and quota < cores, f"a quota grants {quota or 0:g} of {cores} cores", *_QUOTA),
        (swapped > _MUCH_SWAP_BYTES, f"{swapped / 1e6:.0f} MB are swapped out", *_SWAP),
        (host.get("on_battery"), "this machine runs on its battery", *_BATTERY),
        (cpu.get("hot"), "a sensor is at its high temperature", *_HOT),
    )
    return [Remark(what=what, why=why, mend=mend) for is_so, what, why, mend in found if is_so]


def warnings(facts: Facts) -> list[str]:
    """Give the remarks as lines of text."""
    return [f"{one.what}: {one.why}; {one.mend}" for one in remarks(facts)]


# One busy process is a load of 1; a quiet desktop has 0.1 to 0.3.
_BUSY_LOAD = 0.5
_MUCH_SWAP_BYTES = 64 * 1024**2
_BUSY = ("a call that shares its core waits a time slice, milliseconds instead of microseconds", "stop other programs")
_GOVERNOR = ("the clock follows the load", "set it with 'sudo cpupower frequency-set -g performance'")
_VIRTUAL = (
    "neighbors share cores and caches unseen, which widens the intervals",
    "trust speed-ups more than times, and confirm close results on a machine of your own",
)
_ONE_CORE = (
    "the harness and the kernel take turns on it, and no parallel kernel can show itself",
    "allow a second core",
)
_QUOTA = ("a process that used up its quota is stopped for tens of milliseconds", "raise the container's CPU limit")
_SWAP = ("memory that is touched again comes from the disk", "free memory, or measure smaller problems")
_BATTERY = ("it saves power by lowering the clock", "plug it in")
_HOT = ("a hot processor lowers its clock", "let it cool down")


def load() -> float | None:
    """Give the processes that wanted to run, averaged over the last minute."""
    return _known(lambda: psutil.getloadavg()[0])


def available_cores() -> int:
    """Count the cores that this process may use: its affinity and its control group's quota, at least 1."""
    affinity = _known(lambda: len(os.sched_getaffinity(0))) or os.cpu_count() or 1
    quota = _known(cgroup.quota_cores)
    return affinity if quota is None else max(1, min(affinity, math.floor(quota)))


def available_memory_bytes() -> int | None:
    """Give the memory that can be had without swapping, within the control group's limit."""
    answers = (_known(lambda: int(psutil.virtual_memory().available)), _known(cgroup.memory_left_bytes))
    return min((answer for answer in answers if answer is not None), default=None)


def _known(ask: Callable[[], T | None]) -> T | None:
    """Ask the system, which may lack the file, the call, the package or the permission."""
    try:
        return ask()
    except Exception:
        return None


def _read(path: Path) -> str | None:
    return _known(lambda: path.read_text().strip())


def _cpu() -> Facts:
    return {
        "model": _known(_cpu_model),
        "logical_cores": os.cpu_count(),
        "available_cores": available_cores(),
        "quota_cores": _known(cgroup.quota_cores),
        "l2_bytes": _known(lambda: _cache_bytes(2)),
        "l3_bytes": _known(lambda: _cache_bytes(3)),
        "governor": _read(_CPU / "cpu0/cpufreq/scaling_governor"),
        "smt": {"1": True, "0": False}.get(_read(_CPU / "smt/active") or ""),
        "turbo": _known(_is_turbo_on),
        "hot": _known(_is_hot),
    }


def _memory() -> Facts:
    return {
        "total_bytes": _known(lambda: int(psutil.virtual_memory().total)),
        "available_bytes": available_memory_bytes(),
        "swap_used_bytes": _known(lambda: int(psutil.swap_memory().used)),
    }


def _cpu_model() -> str | None:
    if platform.system() == "Darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string")
    named = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")) or "", re.MULTILINE)
    return named[1] if named else platform.processor() or None


def _cache_bytes(level: int) -> int | None:
    """Give the size of the data cache of a level that the first core sees."""
    for folder in sorted(_CPU.glob("cpu0/cache/index*")):
        if _read(folder / "level") == str(level) and _read(folder / "type") != "Instruction":
            size = re.fullmatch(r"(\d+)([KMG]?)", _read(folder / "size") or "")
            return int(size[1]) * 1024 ** " KMG".index(size[2] or " ") if size else None
    return None


def _is_turbo_on() -> bool | None:
    words = {
        _CPU / "intel_pstate/no_turbo": {"0": True, "1": False},
        _CPU / "cpufreq/boost": {"1": True, "0": False},
    }
    answers = (meaning.get(_read(path) or "") for path, meaning in words.items())
    return next((answer for answer in answers if answer is not None), None)


def _is_virtual() -> bool | None:
    flags = re.search(r"^flags\s*:.*$", _read(Path("/proc/cpuinfo")) or "", re.MULTILINE)
    return " hypervisor" in flags[0] if flags else None


def _is_on_battery() -> bool | None:
    battery = psutil.sensors_battery()
    return False if battery is None else battery.power_plugged is False


def _is_hot() -> bool | None:
    """Tell whether a sensor is at the temperature that its maker calls high."""
    above = [one.current >= one.high for group in psutil.sensors_temperatures().values() for one in group if one.high]
    return any(above) if above else None


def _git(folder: Path) -> Facts | None:
    """Tell the checkout's revision; dirty means that a file that git tracks was changed."""
    revision = _output("git", "-C", str(folder), "rev-parse", "--verify", "HEAD")
    # --no-optional-locks: looking must not write the index of a checkout that someone works in.
    changes = _output("git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain", "-uno")
    return {"revision": revision, "dirty": bool(changes)} if revision else None


def _output(*command: str) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
