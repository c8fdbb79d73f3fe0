"""Compiles our CUDA sources by NVRTC through cuda-core, for any architecture and without a GPU or a toolkit."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from .. import cache

ELEMENTS = {"float32": "float", "float16": "__half", "bfloat16": "__nv_bfloat16"}
ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


class BuildError(RuntimeError):
    """NVRTC refused, or its headers are missing; the message is the first error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a kernel takes of a multiprocessor, as the assembler told; None where it did not."""

    registers: int | None
    spill_bytes: int | None
    shared_bytes: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """One variant's machine code for one architecture, and what each of its kernels takes."""

    cubin: Path
    resources: dict[str, Resources]


def compile_source(source: Path, arch: str, macros: Mapping[str, str]) -> Built:
    """Give a source's machine code for ``arch``, as ``sm_90``, compiled if this machine has not yet.

    Raises
    ------
    BuildError
        NVRTC refuses the source or does not know the architecture.
    """
    include = [str(path) for path in (source.parent, *include_folders())]
    texts = [path.read_text() for path in sorted(source.parent.glob("*.cuh"))]
    name = source.stem

    def make(folder: Path) -> None:
        code, log = _nvrtc(source, arch, macros, include)
        (folder / f"{name}.cubin").write_bytes(code)
        told = {kernel: asdict(resources) for kernel, resources in read_kernels(log).items()}
        (folder / "resources.json").write_text(json.dumps(told))

    words = (f"{macro}={value}" for macro, value in macros.items())
    folder = cache.built("cuda", (source.read_text(), *texts, arch, *words, *include, nvrtc_version()), make)
    told = json.loads((folder / "resources.json").read_text())
    return Built(cubin=folder / f"{name}.cubin", resources={one: Resources(**each) for one, each in told.items()})


def include_folders() -> list[Path]:
    """Find the folders of ``cuda_fp16.h`` among the installed ``nvidia`` packages, whatever their layout."""
    spec = find_spec("nvidia")
    roots = spec.submodule_search_locations if spec else None
    return sorted({header.parent for root in roots or () for header in Path(root).glob("*/include/cuda_fp16.h")})


def read_kernels(log: str) -> dict[str, Resources]:
    r"""Read each kernel's resources from what ptxas says with ``-v``.

    >>> read_kernels("Compiling entry function 'sums' for 'sm_90'\n0 bytes spill stores\nUsed 40 registers")
    {'sums': Resources(registers=40, spill_bytes=0, shared_bytes=0)}
    """
    parts = re.split(r"Compiling entry function '(\w+)'", log)
    return {kernel: read_resources(part) for kernel, part in zip(parts[1::2], parts[2::2], strict=True)}


def read_resources(log: str) -> Resources:
    """Read one kernel's registers, spills and shared memory."""

    def number(pattern: str) -> int | None:
        found = re.search(pattern, log)
        return int(found[1]) if found else None

    registers = number(r"Used (\d+) registers")
    spilled = number(r"(\d+) bytes spill stores")
    shared = number(r"(\d+) bytes smem")
    # ptxas leaves out shared memory when there is none.
    return Resources(
        registers=registers, spill_bytes=spilled, shared_bytes=0 if registers and shared is None else shared
    )


def _nvrtc(source: Path, arch: str, macros: Mapping[str, str], include: list[str]) -> tuple[bytes, str]:
    from cuda.core import Program, ProgramOptions  # noqa: PLC0415 (cuda-core is an extra)

    options = ProgramOptions(
        name=source.stem,
        arch=arch,
        std="c++17",
        define_macro=list(macros.items()),
        include_path=include,
        ptxas_options="-v",
    )
    log = io.StringIO()
    try:
        code = Program(source.read_text(), "c++", options).compile("cubin", logs=log).code
    except Exception as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "error" in line and "NVRTC_ERROR" not in line), lines[0])
        raise BuildError(f"{arch}: {reason.strip()}") from error
    return bytes(code), log.getvalue()


def nvrtc_version() -> str:
    """Give NVRTC's version."""
    from cuda.bindings import nvrtc  # noqa: PLC0415 (an extra)

    return str(nvrtc.nvrtcVersion()[1:])
