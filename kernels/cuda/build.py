"""Compiles ``group_norm.cu`` by NVRTC through cuda-core, for any architecture and without a GPU or a toolkit."""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from .. import cache

SOURCE = Path(__file__).with_name("group_norm.cu")
KERNEL = "group_norm"
ELEMENTS = {"float32": "float", "float16": "__half", "bfloat16": "__nv_bfloat16"}
ACTIVATIONS = ("none", "silu", "relu")


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
    """One variant's machine code for one architecture."""

    arch: str
    cubin: Path
    resources: Resources


def variants() -> list[tuple[str, str, str]]:
    """List every (dtype, weight dtype, activation) that the kernel is compiled for."""
    return [(x, w, a) for x in ELEMENTS for w in dict.fromkeys((x, "float32")) for a in ACTIVATIONS]


def compile_for(arch: str, *, dtype: str, weight_dtype: str, activation: str) -> Built:
    """Give the machine code for ``arch``, as ``sm_90``, compiled if this machine has not yet.

    Raises
    ------
    BuildError
        NVRTC refuses the source or does not know the architecture.
    """
    macros = (
        ("ELEMENT", ELEMENTS[dtype]),
        ("PARAMETER", ELEMENTS[weight_dtype]),
        ("ACTIVATION", str(ACTIVATIONS.index(activation))),
    )
    include = [str(path) for path in include_folders()]

    def make(folder: Path) -> None:
        code, log = _nvrtc(arch, macros, include)
        (folder / "group_norm.cubin").write_bytes(code)
        (folder / "resources.json").write_text(json.dumps(asdict(read_resources(log))))

    ingredients = (SOURCE.read_text(), arch, *(f"{name}={value}" for name, value in macros), *include, nvrtc_version())
    folder = cache.built("cuda", ingredients, make)
    resources = Resources(**json.loads((folder / "resources.json").read_text()))
    return Built(arch=arch, cubin=folder / "group_norm.cubin", resources=resources)


def include_folders() -> list[Path]:
    """Find the folders of ``cuda_fp16.h`` among the installed ``nvidia`` packages, whatever their layout."""
    spec = find_spec("nvidia")
    roots = spec.submodule_search_locations if spec else None
    return sorted({header.parent for root in roots or () for header in Path(root).glob("*/include/cuda_fp16.h")})


def read_resources(log: str) -> Resources:
    """Read registers, spills and shared memory from what ptxas says with ``-v``."""

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


def _nvrtc(arch: str, macros: tuple[tuple[str, str], ...], include: list[str]) -> tuple[bytes, str]:
    from cuda.core import Program, ProgramOptions  # noqa: PLC0415 (cuda-core is an extra)

    options = ProgramOptions(
        name=KERNEL, arch=arch, std="c++17", define_macro=list(macros), include_path=include, ptxas_options="-v"
    )
    log = io.StringIO()
    try:
        code = Program(SOURCE.read_text(), "c++", options).compile("cubin", logs=log).code
    except Exception as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "error" in line and "NVRTC_ERROR" not in line), lines[0])
        raise BuildError(f"{arch}: {reason.strip()}") from error
    return bytes(code), log.getvalue()


def nvrtc_version() -> str:
    """Give NVRTC's version."""
    from cuda.bindings import nvrtc  # noqa: PLC0415 (an extra)

    return str(nvrtc.nvrtcVersion()[1:])
