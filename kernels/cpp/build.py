"""Builds the row's library once, with the system's compiler, and keeps it in the user's cache folder.

The kernels are compiled for an instruction set; the operators and their gradient, the quick part, once more for each
namespace. All are kept apart: a second revision whose kernels are the same compiles for 9 s of a core, and not for 40.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import cache

SOURCES = Path(__file__).parent
KERNELS = ("forward.cpp", "backward.cpp")
LIBRARY = "group_norm.so"

LEVELS = {
    "avx512": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
    "avx2": ("-march=x86-64-v3",),
    "portable": (),
}
"""Instruction sets, the best first, and their flags. Only x86 has more than one."""
_CAPABILITIES = {"AVX512": "avx512", "AVX2": "avx2"}

_COMMON = (
    *("-std=c++20", "-O3", "-fPIC", "-fvisibility=hidden"),
    # Lets a loop with a choice in it be vectorised; no value is changed, NaN and infinity stay.
    *("-fno-math-errno", "-fno-trapping-math"),
    # Vectors are passed only between functions of one level.
    "-Wno-psabi",
)


class BuildError(RuntimeError):
    """The compiler refused; the message is its first error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Object:
    """One object file: a source, what is compiled of it, and with which flags."""

    name: str
    source: Path
    flags: tuple[str, ...]


def compiler() -> str | None:
    """Find the system's C++ compiler: $CXX, else the first of g++, clang++, c++ on PATH."""
    if named := os.environ.get("CXX"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)


def levels() -> tuple[str, ...]:
    """Name the instruction sets that this CPU has, the best first."""
    best = _CAPABILITIES.get(torch.backends.cpu.get_cpu_capability(), "portable")
    if platform.machine().lower() not in ("x86_64", "amd64"):
        best = "portable"
    return tuple(LEVELS)[tuple(LEVELS).index(best) :]


def level() -> str:
    """Name the one that is compiled and run: what $GNBENCH_CPP_ISA forces, else the best."""
    return os.environ.get("GNBENCH_CPP_ISA") or levels()[0]


def build(namespace: str, *, sources: Path = SOURCES) -> Path:
    """Give the library whose operators live in ``torch.ops.<namespace>``, compiled if it was not yet.

    For one instruction set, that of this process: all three took 23 s on two cores. The keys hold whatever the machine
    code follows from: sources, flags, compiler and torch's version.

    Raises
    ------
    BuildError
        There is no compiler, or it refuses a source.
    """
    command = compiler()
    if command is None:
        raise BuildError(f"no C++ compiler: {os.environ.get('CXX') or 'g++, clang++ or c++'} is not on PATH")
    version = f"{_version(command)}, torch {torch.__version__}"
    headers = [file.read_text() for file in sorted(sources.glob("*.h"))]
    objects = tuple(_objects(namespace, sources))
    linking = _linking()
    texts = [one.source.read_text() for one in objects]
    ingredients = [
        (*(headers if '#include "' in text else ()), text, *one.flags, command, version)
        for one, text in zip(objects, texts, strict=True)
    ]

    def compiled(one: Object, ingredients: tuple[str, ...]) -> str:
        def make(folder: Path) -> None:
            _run([command, *one.flags, "-c", str(one.source), "-o", str(folder / one.name)])

        return str(cache.built("cpp-objects", ingredients, make) / one.name)

    def link(folder: Path) -> None:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            files = list(pool.map(compiled, objects, ingredients))
        _run([command, "-shared", *files, *linking, "-o", str(folder / LIBRARY)])

    return cache.built("cpp", (*(word for one in ingredients for word in one), *linking), link) / LIBRARY


def _objects(namespace: str, sources: Path) -> Iterator[Object]:
    # As torch.utils.cpp_extension has it, whose import costs a worker 0.1 s.
    include = ("-isystem", str(Path(torch.__file__).with_name("include")))
    # The oldest torch we support: a library built so loads into any later one.
    torch_flags = (f"-DNAMESPACE={namespace}", "-DTORCH_TARGET_VERSION=0x020b000000000000")
    common = (*_COMMON, *LEVELS[level()], f"-DLEVEL={level()}")
    for file in KERNELS:
        yield Object(name=f"{file}.o", source=sources / file, flags=common)
    # The operators run before anybody has looked at the CPU: no instruction set of their own.
    flags = (*_COMMON, f"-DLEVEL={level()}", *torch_flags, *include)
    yield Object(name="operators.o", source=sources / "operators.cpp", flags=flags)
    bound = (*_COMMON, "-O1", f"-DNAMESPACE={namespace}", *include)
    yield Object(name="autograd.o", source=sources / "autograd.cpp", flags=bound)


def _linking() -> list[str]:
    if platform.system() == "Darwin":
        return ["-undefined", "dynamic_lookup"]
    return [f"-L{Path(torch.__file__).parent / 'lib'}", "-ltorch_cpu", "-lc10"]


def _run(command: Sequence[str]) -> None:
    # In English whatever the user speaks, for the word below.
    english = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=english)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{command[0]} exited with {done.returncode}"]
        raise BuildError(next((line for line in lines if "error:" in line), lines[0]))


def _version(command: str) -> str:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]
