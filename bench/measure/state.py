"""What every row of a process shares, looked at after everything that one of them does, and put back.

Not looked at: torch's global random generator. Nothing of ours draws from it, so a row may seed it.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGCHLD,
    signal.SIGPIPE,
)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
# Read by a pool, an allocator or a child process when it starts; a compiler's own variables are its own matter.
_VARIABLES = tuple(
    name.encode()
    for name in (
        "OMP_NUM_THREADS",
        "OMP_WAIT_POLICY",
        "OMP_PROC_BIND",
        "OMP_PLACES",
        "OMP_DYNAMIC",
        "GOMP_SPINCOUNT",
        "GOMP_CPU_AFFINITY",
        "KMP_AFFINITY",
        "KMP_BLOCKTIME",
        "MKL_NUM_THREADS",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
    )
)
_ONE = float("1")  # not literals, which the compiler would add up before any mode is set
_SPECK = float("1e-30")
_DENORMAL = float("5e-324")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fact:
    """One thing that everybody shares: its name, how to read it, how to put it back (None: it cannot be)."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object] | None = None
    is_blamed: bool = True
    """False for what compilers leave behind: put back, and no fault."""


def _environment() -> tuple[bytes | None, ...]:
    known = os.environb
    return tuple([known[name] if name in known else None for name in _VARIABLES])  # noqa: SIM401 - twice as fast


def _set_environment(values: tuple[bytes | None, ...]) -> None:
    for name, value in zip(_VARIABLES, values, strict=True):
        if value is None:
            os.environb.pop(name, None)
        else:
            os.environb[name] = value


def _streams() -> tuple[object, ...]:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return (*streams, *[stream is not None and stream.closed for stream in streams])


def _set_streams(values: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = values[:3]


def _descriptors() -> tuple[object, ...]:
    return tuple([_file_of(fd) for fd in (0, 1, 2)])


def _file_of(fd: int) -> tuple[int, int] | None:
    try:
        about = os.fstat(fd)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _set_handlers(values: tuple[Any, ...]) -> None:
    for number, handler in zip(_SIGNALS, values, strict=True):
        if handler is not None:  # None: set by C, which Python cannot set again
            signal.signal(number, handler)


def _stop_timers(_: object) -> None:
    for timer in _TIMERS:
        signal.setitimer(timer, 0)


def _arithmetic() -> tuple[bool, bool, bool]:
    """Tell whether sums round up or down, and whether denormal numbers are zero."""
    return (_ONE + _SPECK == _ONE, _ONE - _SPECK == _ONE, _DENORMAL * _ONE == 0.0)


def _set_scheduler(values: tuple[int, int]) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, values[1])
    os.sched_setscheduler(0, values[0], os.sched_param(0))


def _set_deterministic(values: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(values[0], warn_only=values[1])


def _set_autocast(values: tuple[bool, torch.dtype]) -> None:
    torch.set_autocast_enabled("cpu", values[0])
    torch.set_autocast_dtype("cpu", values[1])


def _set_limits(values: tuple[tuple[int, int], ...]) -> None:
    for which, value in zip((resource.RLIMIT_DATA, resource.RLIMIT_FSIZE), values, strict=True):
        resource.setrlimit(which, value)


# torch offers these nowhere else.
_INSIDE = vars(torch._C)  # noqa: SLF001

_FACTS: tuple[_Fact, ...] = (
    _Fact(name="torch's number of threads", read=torch.get_num_threads, write=torch.set_num_threads),
    _Fact(name="torch's number of inter-op threads", read=torch.get_num_interop_threads),
    _Fact(name="the default dtype", read=torch.get_default_dtype, write=torch.set_default_dtype),
    _Fact(name="torch's modes (the default device is one)", read=_INSIDE["_len_torch_function_stack"]),
    _Fact(name="torch's dispatch modes", read=_INSIDE["_len_torch_dispatch_stack"]),
    _Fact(
        name="deterministic algorithms",
        read=lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        write=_set_deterministic,
    ),
    _Fact(name="the grad mode", read=torch.is_grad_enabled, write=_INSIDE["_set_grad_enabled"]),
    _Fact(name="inference mode", read=torch.is_inference_mode_enabled),
    _Fact(
        name="autocast",
        read=lambda: (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        write=_set_autocast,
    ),
    _Fact(
        name="the float32 matmul precision",
        read=torch.get_float32_matmul_precision,
        write=torch.set_float32_matmul_precision,
    ),
    _Fact(name="the use of mkldnn", read=_INSIDE["_get_mkldnn_enabled"], write=_INSIDE["_set_mkldnn_enabled"]),
    _Fact(name="cudnn.benchmark", read=_INSIDE["_get_cudnn_benchmark"], write=_INSIDE["_set_cudnn_benchmark"]),
    _Fact(
        name="how numbers are rounded or denormals flushed",
        read=_arithmetic,
        write=lambda value: torch.set_flush_denormal(value[2]),
    ),
    _Fact(name="sys.stdin, sys.stdout or sys.stderr", read=_streams, write=_set_streams),
    _Fact(name="a standard descriptor", read=_descriptors),
    _Fact(name="the working directory", read=_directory, write=os.chdir),
    _Fact(name="the environment of thread pools and libraries", read=_environment, write=_set_environment),
    _Fact(
        name="a signal's handler",
        read=lambda: tuple([signal.getsignal(number) for number in _SIGNALS]),
        write=_set_handlers,
    ),
    _Fact(
        name="the blocked signals",
        read=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        write=lambda mask: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
    ),
    _Fact(
        name="a running timer",
        read=lambda: tuple([signal.getitimer(timer)[0] > 0 for timer in _TIMERS]),
        write=_stop_timers,
    ),
    _Fact(
        name="the recursion limit", read=sys.getrecursionlimit, write=sys.setrecursionlimit, is_blamed=False
    ),  # dynamo raises it
    _Fact(name="the threads' switch interval", read=sys.getswitchinterval, write=sys.setswitchinterval),
    _Fact(name="the garbage collector", read=gc.isenabled, write=lambda is_on: gc.enable() if is_on else gc.disable()),
    _Fact(name="the trace function", read=sys.gettrace, write=sys.settrace),
    _Fact(name="the profile function", read=sys.getprofile, write=sys.setprofile),
    _Fact(
        name="a resource limit",
        read=lambda: (resource.getrlimit(resource.RLIMIT_DATA), resource.getrlimit(resource.RLIMIT_FSIZE)),
        write=_set_limits,
    ),
)
if sys.platform.startswith("linux"):
    _FACTS += (
        _Fact(
            name="the cores it may use",
            read=lambda: os.sched_getaffinity(0),
            write=lambda cores: os.sched_setaffinity(0, cores),
        ),
        _Fact(
            name="the scheduling",
            read=lambda: (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)),
            write=_set_scheduler,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What everybody shares, at one moment."""

    values: tuple[Any, ...]
    """One of each fact, in the facts' order."""


def take() -> State:
    """Look; about 40 microseconds."""
    return State(values=tuple([fact.read() for fact in _FACTS]))


def changes(before: State, now: State) -> str | None:
    """Say in one phrase what is not as it was, or None."""
    if before.values == now.values:
        return None
    pairs = zip(_FACTS, before.values, now.values, strict=True)
    names = [fact.name for fact, was, is_ in pairs if was != is_ and fact.is_blamed]
    if not names:
        return None
    return f"changed {' and '.join(names)}, which {'is' if len(names) == 1 else 'are'} everybody's"


def restore(before: State) -> bool:
    """Put back what is not as it was; say whether all of it is."""
    for fact, was, is_ in zip(_FACTS, before.values, take().values, strict=True):
        if was != is_ and fact.write is not None:
            try:
                fact.write(was)
            except (OSError, RuntimeError, ValueError):  # as a lower priority, which only root raises again
                return False
    return before == take()
