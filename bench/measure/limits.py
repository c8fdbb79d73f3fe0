"""What a worker may take: memory beyond what it holds when a block is opened, and the size of a file it writes.

RLIMIT_DATA counts private writable memory (setrlimit(2), Linux 4.7 and later): what is asked for, touched or not, by
torch's allocator, by malloc and by mmap alike, but not the address space that a runtime merely reserves. What it does
not see, shared memory and other processes', the driver watches as resident memory (``watch``).
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import torch

from bench.devices.base import TimingRefused
from reports.schema import Status

_FILE_BYTES = 1 << 30
"""More than a compiler's largest output; a plugin that prints without end meets it before the disk is full."""
_WORDS = ("can't allocate memory", "std::bad_alloc", "Cannot allocate memory", "CUDA error: out of memory")


def limit_memory(spare_bytes: int | None) -> None:
    """Let this process take so much more than it holds; None lifts the limit. Does nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = hard
    if spare_bytes is not None and (held_bytes := data_bytes()) is not None:
        limit = held_bytes + spare_bytes
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def told(spare_bytes: int | None) -> str:
    """Say what may be taken, after the reason of one that wanted more."""
    return "" if spare_bytes is None else f" ({spare_bytes / (1 << 30):.2f} GiB may be taken here)"


def limit_files() -> None:
    """Let no file that this process writes grow beyond a gibibyte."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if hard == resource.RLIM_INFINITY or hard > _FILE_BYTES:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, hard))


def data_bytes() -> int | None:
    """Read how much of what RLIMIT_DATA counts this process holds."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^VmData:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def status_of(error: BaseException) -> Status:
    """Tell a lack of memory, and a timer's refusal, from any other failure."""
    if isinstance(error, TimingRefused):
        return Status(error.status)
    # The CPU allocator raises a plain RuntimeError, and fork and mmap an OSError: their words are their only mark.
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in str(error) for words in _WORDS):
        return Status.OUT_OF_MEMORY
    return Status.FAILED
