"""What this process's control groups (Linux, version 1 or 2) leave it of the machine: cores and memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_MEMORY_FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def quota_cores() -> float | None:
    """Give the cores' worth of time that the tightest quota grants, None without one."""
    quotas = []
    for folder in _folders():
        words = _read(folder / "cpu.max").split()  # version 2: "200000 100000" or "max 100000"
        words = words or [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]
        if all(word.isdigit() for word in words):
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_left_bytes() -> int | None:
    """Give what the tightest limit leaves, None without one.

    Inactive file pages count as free, since the kernel drops them before it refuses memory.
    """
    left = []
    for folder in _folders():
        for limit, usage in _MEMORY_FILES:
            most, used = _read(folder / limit), _read(folder / usage)
            if most.isdigit() and used.isdigit():
                pages = re.search(r"^(?:total_)?inactive_file (\d+)$", _read(folder / "memory.stat"), re.MULTILINE)
                left.append(max(0, int(most) - int(used) + (int(pages[1]) if pages else 0)))
    return min(left, default=None)


def _folders() -> Iterator[Path]:
    """Give the folders of this process's groups, each with its parents: any of them may set a limit."""
    for line in _read(_OWN).splitlines():
        _, controllers, path = line.split(":", 2)
        mount = _MOUNT / controllers  # version 2 names no controllers and is mounted at the top
        folder = mount / path.lstrip("/")
        for one in (folder, *folder.parents):
            if one.is_relative_to(mount):
                yield one


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
