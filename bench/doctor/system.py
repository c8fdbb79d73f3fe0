"""What the system's settings do to a measurement: governor, hyper-threading, limits, huge pages, allocator."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.doctor.findings import Finding, Level

_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ALLOCATORS = re.compile(r"jemalloc|tcmalloc|mimalloc|snmalloc|hoard", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """What is set; None where the system does not tell."""

    physical_cores: int | None
    huge_pages: str | None
    """``always``, ``madvise`` or ``never``."""
    libc: str
    preload: str
    """What LD_PRELOAD names."""


def look(environment: Mapping[str, str] = os.environ, huge_pages: Path = _HUGE_PAGES) -> System:
    """Look at this system."""
    return System(
        physical_cores=psutil.cpu_count(logical=False),
        huge_pages=_chosen(huge_pages),
        libc=platform.libc_ver()[0],
        preload=environment.get("LD_PRELOAD", ""),
    )


def _chosen(path: Path) -> str | None:
    """Read which word of a kernel's setting stands in brackets."""
    try:
        found = re.search(r"\[(\w+)\]", path.read_text(encoding="ascii"))
    except OSError:
        return None
    return found[1] if found else None


def judge_system(system: System, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge the settings; ``host.remarks`` says already what is wrong with governor, quota and heat."""
    cpu = facts.get("cpu") or {}
    yield from _judge_governor(cpu)
    yield from _judge_siblings(system, cpu)
    yield from _judge_limits(cpu, facts.get("memory") or {})
    yield from _judge_huge_pages(system)
    yield from _judge_allocator(system)


def _judge_governor(cpu: Mapping[str, Any]) -> Iterator[Finding]:
    governor = cpu.get("governor")
    if governor is None:
        why = "the clock may follow the load unseen"
        mend = "set the governor to performance on the host, where this is a guest"
        yield Finding(level=Level.NOTE, what="the CPU governor is not shown", why=why, mend=mend)
    elif governor == "performance":
        yield Finding(level=Level.OK, what="the CPU governor is 'performance'")


def _judge_siblings(system: System, cpu: Mapping[str, Any]) -> Iterator[Finding]:
    smt, usable, physical = cpu.get("smt"), cpu.get("available_cores") or 1, system.physical_cores
    if not smt:
        words = {False: "no two logical cores share a core", None: "whether logical cores share a core is not shown"}
        yield Finding(level=Level.OK, what=words[smt])
    elif physical is not None and usable > physical:
        what = f"{usable} logical cores are {physical} real ones"
        why = "two threads on one core take turns in its units, and which do is drawn anew by every process"
        mend = f"give --threads {physical}, or write off to /sys/devices/system/cpu/smt/control"
        yield Finding(level=Level.WARNING, what=what, why=why, mend=mend)
    else:
        yield Finding(level=Level.OK, what="hyper-threading is on, with a real core for each that may be used")


def _judge_limits(cpu: Mapping[str, Any], memory: Mapping[str, Any]) -> Iterator[Finding]:
    quota, cores, available = cpu.get("quota_cores"), cpu.get("logical_cores") or 1, memory.get("available_bytes")
    if quota is None or quota >= cores:
        left = "" if available is None else f", and {available / 1e9:.1f} GB of memory are left"
        yield Finding(level=Level.OK, what=f"no limit of a container holds back the {cores} cores{left}")


def _judge_huge_pages(system: System) -> Iterator[Finding]:
    if system.huge_pages == "always":
        why = "which tensors lie in huge pages is drawn anew by every process, from what memory is in one piece"
        mend = "write madvise to /sys/kernel/mm/transparent_hugepage/enabled"
        yield Finding(level=Level.WARNING, what="huge pages are given unasked", why=why, mend=mend)
    elif system.huge_pages:
        yield Finding(level=Level.OK, what=f"huge pages: {system.huge_pages}")


def _judge_allocator(system: System) -> Iterator[Finding]:
    foreign = _ALLOCATORS.search(system.preload)
    why = "workers pin glibc's allocator, and outputs are page-faulted anew in each call under another"
    if foreign:
        what = f"LD_PRELOAD brings the allocator {foreign[0].lower()}"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="unset LD_PRELOAD while measuring")
    elif system.libc != "glibc":
        what = f"the C library is {system.libc or 'not glibc'}"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="use a system with glibc, or expect wide intervals")
    else:
        yield Finding(level=Level.OK, what="the allocator is glibc's")
