"""Runs CUDA C++ on the CPU: builds a source for a machine of fibres (``runtime``) and launches its kernels there.

A module's launch is a process of its own, so that a crash, a race or a hang is an exception here and nothing worse.
"""

from __future__ import annotations

import ctypes
import re
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compiling import BuildError, Sanitizer, library, machine
from torch import Tensor

__all__ = ["At", "Buffer", "BuildError", "FaultError", "Launch", "Module", "build", "reads", "updates", "writes"]

Extent = tuple[int, int, int]

_TIMEOUT_S = 100
_ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0", "UBSAN_OPTIONS": "print_stacktrace=0"}


class FaultError(Exception):
    """What the machine found, in one line with its places in the source."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Buffer:
    """A dense tensor in the machine's memory: as many bytes, at an address as divisible by 256 as its own."""

    tensor: Tensor
    access: Literal["read", "write", "update"]
    name: str

    def __post_init__(self) -> None:
        dense = sum((size - 1) * step for size, step in zip(self.tensor.shape, self.tensor.stride(), strict=True)) + 1
        assert self.tensor.numel() in (0, dense), "a dense tensor is wanted"


def reads(tensor: Tensor, name: str) -> Buffer:
    """Give a buffer that a kernel may not write."""
    return Buffer(tensor=tensor, access="read", name=name)


def writes(tensor: Tensor, name: str) -> Buffer:
    """Give a buffer of NaN that a kernel may not read before it has written it."""
    return Buffer(tensor=tensor, access="write", name=name)


def updates(tensor: Tensor, name: str) -> Buffer:
    """Give a buffer that a kernel finds as the tensor is."""
    return Buffer(tensor=tensor, access="update", name=name)


@dataclass(frozen=True, kw_only=True, slots=True)
class At:
    """An address within a buffer."""

    buffer: Buffer
    offset_bytes: int


Argument = Buffer | At | None | ctypes._SimpleCData | ctypes.Structure


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One kernel on one grid, as cuda-core's LaunchConfig has it."""

    kernel: str
    arguments: Sequence[Argument]
    grid: Extent | int = 1
    block: Extent | tuple[int, int] | int = 32
    cluster: Extent | int = 1
    cooperative: bool = False
    shared_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A source's kernels, compiled for the CPU."""

    library: Path
    machine: Path

    def run(self, launches: Sequence[Launch], *, seed: int = 0) -> None:
        """Run launches one after the other; what they write is in the buffers' tensors afterwards.

        The order of blocks and threads follows from the seed.

        Raises
        ------
        FaultError
            A race, an access outside a buffer, a deadlock, a crash: the first that was found.
        """
        buffers = list(dict.fromkeys(_buffers(launches)))
        done = subprocess.run(
            [self.machine, self.library],
            input=_describe(launches, buffers, seed),
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=_ENVIRONMENT,
        )
        if done.returncode != 0:
            raise FaultError(_reason(done.stderr.decode(errors="replace"), done.returncode, self.library))
        contents = memoryview(done.stdout)
        for buffer in buffers:
            size = buffer.tensor.numel() * buffer.tensor.itemsize
            if buffer.access != "read":
                ctypes.memmove(buffer.tensor.data_ptr(), bytes(contents[:size]), size)
                contents = contents[size:]


def build(
    source: Path,
    kernels: Sequence[str],
    *,
    macros: Mapping[str, str] | None = None,
    sanitizer: Sanitizer = "watch",
) -> Module:
    """Compile ``source`` with the headers beside it, if this machine has not yet.

    ``kernels`` names the ``__global__`` functions to launch, as expressions: ``group_norm`` or ``forward<float, 4>``.

    Raises
    ------
    BuildError
        The compiler refuses.
    """
    return Module(library=library(source, kernels, macros or {}, sanitizer), machine=machine(sanitizer))


def _buffers(launches: Sequence[Launch]) -> Iterator[Buffer]:
    for launch in launches:
        for argument in launch.arguments:
            if isinstance(argument, Buffer | At):
                yield argument.buffer if isinstance(argument, At) else argument


def _describe(launches: Sequence[Launch], buffers: Sequence[Buffer], seed: int) -> bytes:
    """Write a run down as ``runtime/main.cpp`` reads it."""
    parts = [_numbers(seed, len(buffers))]
    for buffer in buffers:
        tensor = buffer.tensor
        size, address = tensor.numel() * tensor.itemsize, tensor.data_ptr()
        access = ("read", "write", "update").index(buffer.access)
        parts += [_text(buffer.name.encode()), _numbers(size, address % 256, tensor.itemsize, access)]
        if buffer.access != "write":
            parts.append(ctypes.string_at(address, size))
    parts.append(_numbers(len(launches)))
    for launch in launches:
        extents = [n for extent in (launch.grid, launch.block, launch.cluster) for n in _extent(extent)]
        parts += [_text(launch.kernel.encode()), _numbers(*extents, int(launch.cooperative), launch.shared_bytes)]
        parts.append(_numbers(len(launch.arguments)))
        parts += [_argument(argument, buffers) for argument in launch.arguments]
    return b"".join(parts)


def _numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def _text(value: bytes) -> bytes:
    return _numbers(len(value)) + value


def _extent(extent: Extent | tuple[int, int] | int) -> Extent:
    given = (extent,) if isinstance(extent, int) else tuple(extent)
    x, y, z = (*given, 1, 1)[:3]
    return x, y, z


def _argument(argument: Argument, buffers: Sequence[Buffer]) -> bytes:
    if argument is None:
        return _numbers(0) + _text(bytes(8))
    if isinstance(argument, Buffer):
        return _numbers(1, buffers.index(argument), 0)
    if isinstance(argument, At):
        return _numbers(1, buffers.index(argument.buffer), argument.offset_bytes)
    return _numbers(0) + _text(bytes(argument))


def _reason(log: str, status: int, library: Path) -> str:
    """Find the line that says what happened, and put the source's lines in the places of addresses."""
    lines = log.splitlines()

    for line in lines:
        if line.startswith("cuda_on_cpu: "):
            told = line.removeprefix("cuda_on_cpu: ")
            return re.sub(r"\[@([0-9a-f]+)\]", lambda found: _place(library, int(found[1], 16)), told)
        if "runtime error: " in line:
            place, _, what = line.partition(": runtime error: ")
            return f"undefined: {what} at {_file_line(place)}"
        if "ERROR: AddressSanitizer" in line:
            what = line.partition("ERROR: ")[2].partition(" on ")[0]
            frame = next((each for each in lines if re.search(r"\.cuh?:\d+", each)), "")
            return f"{what} at {_file_line(frame)}"
    return f"the machine died with status {status}: {' '.join(lines)[:400]}"


def _file_line(text: str) -> str:
    found = re.search(r"[\w.]+\.cuh?:\d+", text)
    return found[0] if found else text


def _place(library: Path, address: int) -> str:
    # The address is where the call returns to: one before lies in the line that called.
    command = ["addr2line", "-i", "-e", str(library), hex(address - 1)]
    frames = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    ours = [found[0] for frame in frames if (found := re.search(r"[\w.]+\.cuh?:\d+", frame))]
    return f"at {ours[0]}" if ours else f"at {hex(address)}"
