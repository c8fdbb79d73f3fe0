"""Runs CUDA C++ on the CPU: builds a source for a machine of fibres (``runtime``) and launches its kernels there.

A module's launch is a process of its own, so that a crash, a race or a hang is an exception here and nothing worse.
"""

from __future__ import annotations

import ctypes
import re
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from kernels import cache
from kernels.cuda.build import include_folders

HERE = Path(__file__).parent
Sanitizer = Literal["watch", "address"]
Extent = tuple[int, int, int]

_TIMEOUT_S = 100
_CXX = "g++"
# As nvcc: products and sums are joined where the processor can.
_ALWAYS = ("-std=c++17", "-fPIC", "-ffp-contract=fast", "-march=native", "-g1", "-Wall", "-Wextra", "-Wno-unused")
_OF_KERNELS = {
    # Volatile accesses get calls of their own; the others come from the code as it is written, not from wider ones.
    "watch": ["-O1", "-fno-tree-loop-distribute-patterns", "-fsanitize=thread,undefined", "-fno-sanitize-recover=all", "--param=tsan-distinguish-volatile=1", "--param=tsan-instrument-func-entry-exit=0"],
    "address": ["-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
_OF_RUNTIME = {"watch": ("-O2",), "address": ("-O2", "-DADDRESS")}
_LINK = {"watch": ("-fsanitize=undefined",), "address": ("-fsanitize=address,undefined",)}
_ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0", "UBSAN_OPTIONS": "print_stacktrace=0"}

# A block's dynamic shared memory is where the machine says, which C++ can declare by no name of its own.
_DYNAMIC = re.compile(
    r"^\s*extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w:]+(?: \w+)*?)\s+(\w+)\[\];.*$", re.MULTILINE
)
_DYNAMIC_HERE = r"#define \2 (static_cast<\1*>(cuda_on_cpu_dynamic_shared()))"


class Fault(Exception):
    """What the machine found, in one line with its places in the source."""


class BuildFault(Exception):
    """The compiler refused; its first error."""


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
    sanitizer: Sanitizer = field(default="watch")

    def run(self, launches: Sequence[Launch], *, seed: int = 0) -> None:
        """Run launches one after the other; what they write is in the buffers' tensors afterwards.

        The order of blocks and threads follows from the seed.

        Raises
        ------
        Fault
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
            raise Fault(_reason(done.stderr.decode(errors="replace"), done.returncode, self.library))
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
    BuildFault
        The compiler refuses.
    """
    texts = {path.name: path.read_text() for path in sorted(source.parent.iterdir()) if path.suffix in (".cu", ".cuh")}
    words = [f"-D{name}={value}" for name, value in (macros or {}).items()]
    names = {source.name, *(name for name in texts if name.endswith(".cuh"))}
    prelude = _prelude(sanitizer)

    def make(folder: Path) -> None:
        for name in names:
            code = _DYNAMIC.sub(_DYNAMIC_HERE, texts[name])
            (folder / name).write_text(f'#line 1 "{name}"\n{code}')
        (folder / "module.cpp").write_text(_module_text(source.name, kernels))
        command = [_CXX, *_ALWAYS, *_OF_KERNELS[sanitizer], *_includes(prelude), *words]
        _compile([*command, "-c", str(folder / "module.cpp"), "-o", str(folder / "module.o")])
        # Without the sanitizers' libraries: what the module asks for, the machine has.
        _compile([_CXX, "-shared", str(folder / "module.o"), "-o", str(folder / "module.so")])

    ingredients = (
        *(name + texts[name] for name in sorted(names)),
        source.name,
        *kernels,
        *words,
        str(prelude),
        Path(__file__).read_text(),
    )
    folder = cache.built("cuda_on_cpu", ingredients, make)
    return Module(library=folder / "module.so", machine=_machine(sanitizer), sanitizer=sanitizer)


def _includes(prelude: Path) -> list[str]:
    return [
        "-DCUDA_ON_CPU",
        f"-I{prelude}",
        *(f"-isystem{folder}" for folder in include_folders()),
        "-include",
        "cuda_on_cpu.h",
    ]


def _module_text(source: str, kernels: Sequence[str]) -> str:
    entries = ",\n".join(f'  cuda_on_cpu::entry<&{name}>("{name}")' for name in kernels)
    return f"""#include "{source}"
extern "C" __attribute__((visibility("hidden"))) char __bss_start[], _end[];
static constexpr CudaOnCpuKernel table[] = {{
{entries}}};
// What is not initialized in this module is its kernels' static shared memory, and nothing else.
extern "C" CudaOnCpuModule cuda_on_cpu_module() {{ return {{table, {len(kernels)}, __bss_start, _end}}; }}
"""


def _texts(folder: Path) -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())


def _prelude(sanitizer: Sanitizer) -> Path:
    """Give a folder with the header and, precompiled beside it, what it includes: 0.05 s a module and not 0.3."""
    flags = (*_ALWAYS, *_OF_KERNELS[sanitizer])

    def make(folder: Path) -> None:
        for path in (HERE / "device").rglob("*"):
            if path.is_file():
                to = folder / path.relative_to(HERE / "device")
                to.parent.mkdir(exist_ok=True)
                to.write_text(path.read_text())
        header = str(folder / "cuda_on_cpu.h")
        includes = [f"-I{folder}", *(f"-isystem{path}" for path in include_folders())]
        _compile([_CXX, *flags, "-DCUDA_ON_CPU", *includes, "-x", "c++-header", header, "-o", header + ".gch"])

    ingredients = (*_texts(HERE / "device"), *flags, *map(str, include_folders()), _compiler())
    return cache.built("cuda_on_cpu", ingredients, make)


def _machine(sanitizer: Sanitizer) -> Path:
    flags = (*_ALWAYS, *_OF_RUNTIME[sanitizer], *_LINK[sanitizer])

    def make(folder: Path) -> None:
        sources = sorted(map(str, (HERE / "runtime").glob("*.cpp")))
        link = ["-rdynamic", "-ldl", "-o", str(folder / "machine")]
        # The runtime itself is watched by nobody: the sanitizer's flags are for its libraries.
        compiled = [str(folder / (Path(source).stem + ".o")) for source in sources]
        for source, to in zip(sources, compiled, strict=True):
            _compile([_CXX, *_ALWAYS, *_OF_RUNTIME[sanitizer], "-c", source, "-o", to])
        _compile([_CXX, *_LINK[sanitizer], *compiled, *link])

    ingredients = (*_texts(HERE / "runtime"), *_texts(HERE / "device"), *flags, _compiler())
    return cache.built("cuda_on_cpu", ingredients, make) / "machine"


def _compiler() -> str:
    return subprocess.run([_CXX, "--version"], capture_output=True, text=True, check=True).stdout


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        raise BuildFault(next((line for line in lines if "error" in line), "the compiler died without a word"))


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
