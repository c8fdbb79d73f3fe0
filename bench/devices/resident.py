"""What one call touches beyond what was resident before it, whoever allocated it.

Linux resets a process's peak of resident memory on request (proc(5), ``/proc/PID/clear_refs``), so the peak of one
call is seen even if it was freed again: exact to a page, for ``malloc`` in a kernel's own C++ as for torch.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_REPEATS = 3
_LONGEST_S = 0.1
_RESET_PEAK = "5"


def resident_peak_bytes(call: Callable[[], Any]) -> int | None:
    """Measure the most resident memory of one call over what was resident before it, bytes.

    Free memory goes back to the system first, so that what the call takes is touched anew. The least of three
    repeats, or of those that a tenth of a second holds: what a first call sets up once and for all is not a call's.
    None where the system does not tell.
    """
    ends = time.perf_counter() + _LONGEST_S
    try:
        least = _once(call)
        for _ in range(_REPEATS - 1):
            if time.perf_counter() < ends:
                least = min(least, _once(call))
        return least
    except (OSError, AttributeError, LookupError):
        return None


def _once(call: Callable[[], Any]) -> int:
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    before = _status_bytes("VmRSS")
    output = call()
    peak = _status_bytes("VmHWM")
    del output  # held until here: its release is not part of the call
    return max(0, peak - before)


def _status_bytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise LookupError(name)
    return int(found[1]) * 1024
