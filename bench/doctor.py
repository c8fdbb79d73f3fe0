"""The machine as a benchmark sees it: what makes figures untrustworthy here, and what to do about it.

Data only; the command line shows it. Nothing here imports torch or a kernel: packages are looked up by name.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import platformdirs

from bench import host

_PROBE_S = 0.15
"""How long a core is watched: some 2000 spins, and 0.3 s for two cores."""
_STEADY = 0.1
"""Spread of equal work beyond which to warn. The idle cores of one machine differed by 15 % at times."""
_COARSE_CLOCK_S = 1e-6
_COMPILERS = ("g++", "clang++", "c++")


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Something cannot be measured here; what can is not touched by it."""
    WARNING = "warning"
    """Figures from here are less trustworthy."""
    PROBLEM = "problem"
    """Nothing can be measured before this is mended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    why: str = ""
    """Why it matters; empty where all is well, as is ``mend``."""
    mend: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spin:
    """How steadily one core did the same arithmetic again and again."""

    core: int | None
    """None where the system pins no thread to a core."""
    median_s: float
    spread: float
    """The 95th percentile over the median, less 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """What was found, the worst first."""

    facts: dict[str, Any]
    clock_step_s: float
    spins: tuple[Spin, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Extra:
    package: str
    purpose: str
    extra: str


_EXTRAS = (
    _Extra(package="triton", purpose="the Triton kernels", extra="triton"),
    _Extra(package="cuda-core", purpose="the CUDA C++ kernels", extra="cuda"),
    _Extra(package="nvidia-cuda-nvrtc", purpose="compiling CUDA C++", extra="cuda"),
    _Extra(package="pytest-benchmark", purpose="the suite in tests/benchmarks", extra="pytest"),
)


def examine() -> Examination:
    """Look at this machine; takes half a second."""
    facts = host.facts()
    step_s = clock_step_s()
    spins = tuple(spin(core) for core in _cores_to_probe())
    findings = [
        *(Finding(level=Level.WARNING, what=one.what, why=one.why, mend=one.mend) for one in host.remarks(facts)),
        *_judge_clock(step_s),
        *_judge_spins(spins),
        *_judge_import_names(),
        *_judge_packages(facts),
        *_judge_compiler(),
        *_judge_cache(),
        *_judge_gpu(facts),
    ]
    findings.sort(key=lambda finding: list(Level).index(finding.level), reverse=True)
    return Examination(facts=facts, clock_step_s=step_s, spins=spins, findings=tuple(findings))


def clock_step_s() -> float:
    """Give the smallest step that ``time.perf_counter_ns`` makes, reading it included."""
    readings = [time.perf_counter_ns() for _ in range(20_000)]
    return min(after - before for before, after in pairwise(readings) if after > before) / 1e9


def spin(core: int | None, seconds: float = _PROBE_S) -> Spin:
    """Repeat the same arithmetic on one core and watch how its time varies; where the thread ran before is restored."""
    before = os.sched_getaffinity(0) if core is not None else None
    try:
        if core is not None:
            os.sched_setaffinity(0, {core})
        took = list(_spins(seconds))
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
    median = statistics.median(took)
    return Spin(core=core, median_s=median, spread=statistics.quantiles(took, n=20)[-1] / median - 1)


def _spins(seconds: float) -> Iterator[float]:
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        sum(range(4000))  # about 50 µs: far above the clock's step, far below a time slice
        yield time.perf_counter() - start


def _cores_to_probe() -> list[int | None]:
    """Choose the first and the last core that may be used: those most likely to differ in kind."""
    if not hasattr(os, "sched_getaffinity"):
        return [None]
    usable = sorted(os.sched_getaffinity(0))
    return list({usable[0]: None, usable[-1]: None})


def _judge_clock(step_s: float) -> Iterator[Finding]:
    what = f"the clock's smallest step is {step_s * 1e9:.0f} ns"
    if step_s > _COARSE_CLOCK_S:
        why = "short kernels need long batches to be told apart"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="choose a finer clock source for the system")
    else:
        yield Finding(level=Level.OK, what=what)


def _judge_spins(spins: tuple[Spin, ...]) -> Iterator[Finding]:
    worst = max(spins, key=lambda one: one.spread)
    where = "" if worst.core is None else f" on core {worst.core}"
    what = f"equal work varies by {worst.spread:.0%}{where}"
    if worst.spread > _STEADY:
        why = "something else wants the core, or its clock moves"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="stop other programs and fix the clock")
    else:
        yield Finding(level=Level.OK, what=what)
    fastest, slowest = (choose(spins, key=lambda one: one.median_s) for choose in (min, max))
    apart = slowest.median_s / fastest.median_s - 1
    if apart > _STEADY:
        what = f"core {slowest.core} is {apart:.0%} slower than core {fastest.core}"
        why = "where a process lands then decides its time"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="keep to equal cores, for example with taskset")


def _judge_import_names() -> Iterator[Finding]:
    ours = Path(__file__).resolve().parents[1]
    names = ("bench", "kernels", "reports")
    foreign = [name for name in names if _folder_of(name) != ours]
    if not foreign:
        yield Finding(level=Level.OK, what=f"the import names {', '.join(names)} are ours")
    for name in foreign:
        owners = importlib.metadata.packages_distributions().get(name, [])
        other = next((owner for owner in owners if owner != "groupnorm-bench"), None)
        yield Finding(
            level=Level.PROBLEM,
            what=f"the import name {name} belongs to {other or _folder_of(name) or 'nobody'}",
            why="the kernels of another program would be measured, or none",
            mend=f"uninstall {other}" if other else "install groupnorm-bench into an environment of its own",
        )


def _folder_of(name: str) -> Path | None:
    """Give the folder that a package would be imported from, without importing it."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]).resolve().parent if places else None


def _judge_packages(facts: dict[str, Any]) -> Iterator[Finding]:
    if facts["versions"]["torch"] is None:
        why = "every implementation computes on its tensors"
        yield Finding(level=Level.PROBLEM, what="torch is not installed", why=why, mend="pip install torch")
    for one in _EXTRAS:
        if _version(one.package) is None:
            mend = f"pip install 'groupnorm-bench[{one.extra}]'"
            yield Finding(
                level=Level.NOTE, what=f"{one.package} is not installed", why=f"needed for {one.purpose}", mend=mend
            )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _judge_compiler() -> Iterator[Finding]:
    named = os.environ.get("CXX")
    found = next((path for path in map(shutil.which, [named] if named else _COMPILERS) if path), None)
    if found:
        yield Finding(level=Level.OK, what=f"C++ compiler {found}")
    else:
        why = "the implementation cpp is built at first use, and torch.compile uses it too"
        yield Finding(
            level=Level.NOTE,
            what=f"no C++ compiler: {named or ', '.join(_COMPILERS)} not on PATH",
            why=why,
            mend="install g++ or clang++, or set CXX",
        )


def _judge_cache() -> Iterator[Finding]:
    named = os.environ.get("GNBENCH_CACHE_DIR")
    folder = Path(named) if named else platformdirs.user_cache_path("groupnorm-bench")
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        yield Finding(level=Level.OK, what=f"compiled kernels are kept in {folder}")
    else:
        why = "compiled kernels cannot be kept"
        mend = "set GNBENCH_CACHE_DIR to a folder that you may write to"
        yield Finding(level=Level.WARNING, what=f"{nearest} cannot be written", why=why, mend=mend)


def _judge_gpu(facts: dict[str, Any]) -> Iterator[Finding]:
    for gpu in facts["gpu"]:
        yield Finding(level=Level.OK, what=f"GPU {gpu['name']}, driver {gpu['driver']}")
    if not facts["gpu"]:
        why = "--device cuda needs one, and its facts need nvidia-ml-py"
        yield Finding(
            level=Level.NOTE, what="no NVIDIA GPU seen", why=why, mend="pip install nvidia-ml-py if there is one"
        )
