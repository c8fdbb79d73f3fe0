"""What was compiled, loaded or started so far: a row that does any of it while timed measures its compiler."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """Counts since the process began."""

    graphs: int
    """Frames that dynamo has compiled, with success or without."""
    kernels: int
    """Functions that Triton has compiled or taken from its cache on disk."""
    libraries: int
    """Libraries loaded into the process."""
    programs: int
    """Page faults of programs that were started and have ended: compilers and linkers run as such."""


class Compiles:
    """Counts what is compiled in this process."""

    def __init__(self) -> None:
        self._kernels = 0
        self._is_hooked = False

    def count(self) -> Compiled:
        """Count; about ten microseconds."""
        if not self._is_hooked:
            self._hook()
        return Compiled(
            graphs=_graphs(),
            kernels=self._kernels,
            libraries=_libraries(),
            programs=resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt,
        )

    def _hook(self) -> None:
        """Have Triton tell, once a row has imported it."""
        knobs: Any = sys.modules.get("triton.knobs")
        if knobs is None:
            return
        self._is_hooked = True
        if getattr(knobs.runtime, "jit_post_compile_hook", self) is None:
            knobs.runtime.jit_post_compile_hook = self._compiled

    def _compiled(self, **_: object) -> None:
        self._kernels += 1


def told(before: Compiled, now: Compiled) -> str | None:
    """Say what came to pass between two counts, or None."""
    if before == now:
        return None
    if (graphs := now.graphs - before.graphs) > 0:
        return f"torch.compile compiled {graphs} {'graph' if graphs == 1 else 'graphs'} anew"
    if (kernels := now.kernels - before.kernels) > 0:
        return f"Triton compiled {kernels} {'kernel' if kernels == 1 else 'kernels'} anew"
    if now.programs != before.programs:
        return "ran another program, such as a compiler"
    return "loaded a library" if now.libraries != before.libraries else None


def _graphs() -> int:
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    return int(dynamo.counters["frames"]["total"]) if dynamo is not None and hasattr(dynamo, "counters") else 0


class _Library(ctypes.Structure):
    """The head of glibc's ``dl_phdr_info`` (dl_iterate_phdr(3)), up to the count of libraries ever loaded."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("headers_count", ctypes.c_uint16),
        ("adds", ctypes.c_ulonglong),
    )


def _library_counter() -> Callable[[], int]:
    iterate = getattr(ctypes.CDLL(None), "dl_iterate_phdr", None)
    if iterate is None or not sys.platform.startswith("linux"):
        return lambda: 0
    found = ctypes.c_ulonglong()

    def first(library: Any, _size: int, _data: object) -> int:
        found.value = library.contents.adds
        return 1  # the count is the same in each, so one is enough

    called_back = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)(first)

    def count() -> int:
        iterate(called_back, None)
        return found.value

    return count


_libraries = _library_counter()
