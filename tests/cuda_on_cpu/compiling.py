"""Compiles CUDA C++ for the CPU, and the machine of fibres that runs it, by the system's compiler."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from kernels import cache
from kernels.cuda.nvrtc import include_folders

HERE = Path(__file__).parent
Sanitizer = Literal["watch", "address"]

_CXX = "g++"
# As nvcc: products and sums are joined where the processor can.
_ALWAYS = ("-std=c++17", "-fPIC", "-ffp-contract=fast", "-march=native", "-g1", "-Wall", "-Wextra", "-Wno-unused")
_OF_KERNELS = {
    # Volatile accesses get calls of their own; the others come from the code as it is written, not from wider ones.
    "watch": (
        *("-O1", "-fno-tree-loop-distribute-patterns", "-fsanitize=thread,undefined", "-fno-sanitize-recover=all"),
        *("--param=tsan-distinguish-volatile=1", "--param=tsan-instrument-func-entry-exit=0"),
    ),
    "address": ("-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
}
_OF_RUNTIME = {"watch": ("-O2",), "address": ("-O2", "-DADDRESS")}
_LINK = {"watch": ("-fsanitize=undefined",), "address": ("-fsanitize=address,undefined",)}

# A block's dynamic shared memory is where the machine says, which C++ can declare by no name of its own.
_DYNAMIC = re.compile(
    r"^\s*extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w:]+(?: \w+)*?)\s+(\w+)\[\];.*$", re.MULTILINE
)
# The module's data is taken for shared memory (see _module_text), so there may be no other.
_VARIABLE = re.compile(r"^\s*(?:static\s+)?__device__\s+[^(){};]*;", re.MULTILINE)
_DYNAMIC_HERE = r"#define \2 (static_cast<\1*>(cuda_on_cpu_dynamic_shared()))"


class BuildError(Exception):
    """The compiler refused; its first error."""


def library(source: Path, kernels: Sequence[str], macros: Mapping[str, str], sanitizer: Sanitizer) -> Path:
    """Give the shared object of ``source``, whose ``kernels`` it shows, built if it was not yet (0.2 s)."""
    texts = {path.name: path.read_text() for path in sorted(source.parent.iterdir()) if path.suffix in (".cu", ".cuh")}
    words = [f"-D{name}={value}" for name, value in macros.items()]
    names = {source.name, *(name for name in texts if name.endswith(".cuh"))}
    prelude = _prelude(sanitizer)
    for name in sorted(names):
        if found := _VARIABLE.search(texts[name]):
            raise BuildError(f"{name}: error: a __device__ variable is not modelled: {found[0].strip()}")

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
    return cache.built("cuda_on_cpu", ingredients, make) / "module.so"


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


def machine(sanitizer: Sanitizer) -> Path:
    """Give the program that runs libraries, built if it was not yet (3 s)."""
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
        raise BuildError(next((line for line in lines if "error" in line), "the compiler died without a word"))
