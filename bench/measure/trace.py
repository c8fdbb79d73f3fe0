"""Some calls under torch's profiler: a trace for a timeline, where the time went, which bytes operators touch.

Everything here disturbs what it looks at, so none of it is a latency.
"""

from __future__ import annotations

import gzip
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from torch import Tensor
from torch._C._autograd import DeviceType
from torch.profiler import profile, record_function
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from bench.devices.base import Call, Device
from bench.devices.tracing import activities
from bench.measure.messages import KernelTime, Profile, Profiled, Repeated
from bench.measure.ranges import MEASURE, measured

CALL = "call"
"""The range of one call within a trace."""
OUTSIDE = "(outside torch's operators)"
"""Python, binding, and whatever a kernel does past torch's dispatcher."""
OPERATOR, KERNEL = "operator", "kernel"

_GZIP_LEVEL = 6
# These hand out memory and write nothing to it.
_ALLOCATING = ("aten::empty", "aten::new_empty")


def repeated(call: Call, calls: int, device: Device) -> Repeated:
    """Call ``calls`` times and give the wall time, s."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    device.synchronize()
    return Repeated(seconds=(time.perf_counter_ns() - start) / 1e9)


def profiled(call: Call, request: Profile, device: Device) -> Profiled:
    """Trace calls into ``request.path``, halving their number until the trace is small enough.

    Raises
    ------
    RuntimeError
        torch's profiler recorded nothing, or one call alone makes a trace above ``request.most_bytes``.
    """
    # The profiler's first use in a process costs a second, part of it inside the first traced call.
    _traced(call, 1, request.title, device)
    calls = request.calls
    while True:
        profiler, seconds = _traced(call, calls, request.title, device)
        written = _write(profiler, Path(request.path), request.most_bytes)
        if written is not None:
            break
        if calls == 1:
            raise RuntimeError(f"one call alone makes a trace above {request.most_bytes:,} bytes")
        calls = max(1, calls // 2)
    kernels = _kernel_times(profiler, _phase(request.title))
    touched, reason = _touched(call, {one.name for one in kernels}, request.least_bytes)
    return Profiled(
        calls=calls,
        seconds=seconds,
        trace_bytes=written,
        kernels=kernels,
        touched_bytes=touched,
        touched_reason=reason,
    )


def _traced(call: Call, calls: int, title: str, device: Device) -> tuple[profile, float]:
    with profile(activities=activities(device.name), record_shapes=True) as profiler:
        start = time.perf_counter_ns()
        with measured(title), record_function(_phase(title)):
            for _ in range(calls):
                with record_function(CALL):
                    call()
            device.synchronize()
        seconds = (time.perf_counter_ns() - start) / 1e9
    if profiler.profiler is None or not profiler.profiler.function_events:
        raise RuntimeError("torch's profiler recorded nothing: is another profiler active?")
    return profiler, seconds


def _write(profiler: profile, path: Path, most_bytes: int) -> int | None:
    """Write a trace where it is small enough, and give its size on disk; None where it is not."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        plain = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(plain))
        if plain.stat().st_size > most_bytes:
            return None
        packed = Path(folder) / path.name
        packed.write_bytes(gzip.compress(plain.read_bytes(), _GZIP_LEVEL, mtime=0))
        os.replace(packed, path)
    return path.stat().st_size


def _phase(title: str) -> str:
    """Name the range of all measured calls: implementation, problem, phase."""
    return f"{title} {MEASURE}"


def _kernel_times(profiler: profile, phase: str) -> list[KernelTime]:
    """List operators and kernels by their own time, the longest first."""
    found = []
    for one in profiler.key_averages():
        if one.device_type == DeviceType.CPU and one.key != phase:
            # Annotations of others stay: the graph that torch.compile made is one, with all its time.
            name = OUTSIDE if one.key == CALL else one.key
            found.append(_time(OPERATOR, name, one.count, one.self_cpu_time_total))
        elif one.device_type != DeviceType.CPU and not one.is_user_annotation:
            found.append(_time(KERNEL, one.key, one.count, one.self_device_time_total))
    return sorted(found, key=lambda one: (one.kind, -one.self_s, one.name))


def _time(kind: str, name: str, count: int, self_us: float) -> KernelTime:
    return KernelTime(kind=kind, name=name, calls=count, self_s=max(0.0, self_us) / 1e6)


class _Touching(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it so
    """Adds up the bytes of the tensors that operators are given and give."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it so
        self.touched_bytes = 0
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = func._schema.name  # noqa: SLF001 - the only place an operator's aliasing stands
        if not func.is_view and not name.startswith(_ALLOCATING) and _tensors((args, kwargs, output)):
            self.names.add(name)
            self.touched_bytes += _operator_bytes(func, args, kwargs, output)
        return output


def _operator_bytes(func: Any, args: Any, kwargs: Any, output: Any) -> int:
    """Add up reads and writes of one operator: each tensor given is read, unless it is there to be written to."""
    total, written = 0, set()
    for place, argument in enumerate(func._schema.arguments):  # noqa: SLF001 - as above
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        for tensor in _tensors(value):
            is_written = argument.alias_info is not None and argument.alias_info.is_write
            if is_written:
                written.add(tensor.data_ptr())
            total += _bytes(tensor) * ((not argument.is_out) + is_written)
    return total + sum(_bytes(tensor) for tensor in _tensors(output) if tensor.data_ptr() not in written)


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]


def _bytes(tensor: Tensor) -> int:
    """Count what lies in memory: an expanded dimension is there once."""
    kept = (size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride or not size)
    return math.prod(kept) * tensor.element_size()


def _touched(call: Call, traced: set[str], least_bytes: int) -> tuple[int | None, str | None]:
    """Watch one call at torch's dispatcher; give the bytes its operators touch, or why they cannot be told."""
    touching = _Touching()
    try:
        with touching:
            call()
    except Exception as error:  # whatever a watched call raises, the traced one did not
        return None, f"cannot be called while its operators are watched ({type(error).__name__})"
    # torch.compile runs its function uncompiled under a dispatch mode: those operators are another program's.
    # Of an operator and its form in place either may be: gradients are added in place only where nobody watches.
    if unknown := sorted({name.rstrip("_") for name in touching.names} - {name.rstrip("_") for name in traced}):
        return None, f"runs otherwise while its operators are watched ({unknown[0]} is not in the trace)"
    if touching.touched_bytes < least_bytes:
        return None, "its kernels are not torch's operators, so what they touch is not seen"
    return touching.touched_bytes, None
