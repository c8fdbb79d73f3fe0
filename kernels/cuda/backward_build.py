"""Compiles ``backward.cu``: one machine code for each type of x, layout and width of access."""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import cache
from .build import ELEMENTS, BuildError, Resources, include_folders, nvrtc_version, read_resources

SOURCE = Path(__file__).with_name("backward.cu")
KERNELS = ("sums", "apply", "together", "combine")
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The compile flags of one machine code."""

    dtype: str
    vector: int
    """Elements of one access, a power of two to 16 bytes."""
    channels_last: bool

    @property
    def macros(self) -> dict[str, str]:
        """What the source is told."""
        return {
            "ELEMENT": ELEMENTS[self.dtype],
            "VECTOR": str(self.vector),
            "CHANNELS_LAST": str(int(self.channels_last)),
        }

    def __str__(self) -> str:
        """Give its name in `inspect`."""
        return f"{self.dtype}/{'channels_last' if self.channels_last else 'contiguous'}/{self.vector}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """One variant's machine code for one architecture, and what each of its kernels takes."""

    cubin: Path
    resources: dict[str, Resources]


def variants() -> list[Variant]:
    """List every variant that a plan can ask for."""
    return [
        Variant(dtype=dtype, vector=2**power, channels_last=channels_last)
        for dtype, itemsize in _BYTES.items()
        for power in range((16 // itemsize).bit_length())
        for channels_last in (False, True)
    ]


def widest() -> list[Variant]:
    """List the variants whose accesses are 16 bytes: they take the most registers."""
    return [variant for variant in variants() if variant.vector * _BYTES[variant.dtype] == 16]


def compile_for(arch: str, variant: Variant) -> Built:
    """Give the machine code for ``arch``, as ``sm_90``, compiled if this machine has not yet.

    Raises
    ------
    BuildError
        NVRTC refuses the source or does not know the architecture.
    """
    include = [str(path) for path in (SOURCE.parent, *include_folders())]
    texts = [path.read_text() for path in sorted(SOURCE.parent.glob("*.cuh"))]

    def make(folder: Path) -> None:
        code, log = _nvrtc(arch, variant, include)
        (folder / "backward.cubin").write_bytes(code)
        told = {kernel: asdict(resources) for kernel, resources in read_kernels(log).items()}
        (folder / "resources.json").write_text(json.dumps(told))

    folder = cache.built("cuda", (SOURCE.read_text(), *texts, arch, str(variant), *include, nvrtc_version()), make)
    told = json.loads((folder / "resources.json").read_text())
    return Built(
        cubin=folder / "backward.cubin", resources={kernel: Resources(**each) for kernel, each in told.items()}
    )


def read_kernels(log: str) -> dict[str, Resources]:
    r"""Read each kernel's resources from what ptxas says with ``-v``.

    >>> read_kernels("Compiling entry function 'sums' for 'sm_90'\n0 bytes spill stores\nUsed 40 registers")
    {'sums': Resources(registers=40, spill_bytes=0, shared_bytes=0)}
    """
    parts = re.split(r"Compiling entry function '(\w+)'", log)
    return {kernel: read_resources(part) for kernel, part in zip(parts[1::2], parts[2::2], strict=True)}


def _nvrtc(arch: str, variant: Variant, include: list[str]) -> tuple[bytes, str]:
    from cuda.core import Program, ProgramOptions  # noqa: PLC0415 (cuda-core is an extra)

    options = ProgramOptions(
        name="backward",
        arch=arch,
        std="c++17",
        define_macro=list(variant.macros.items()),
        include_path=include,
        ptxas_options="-v",
    )
    log = io.StringIO()
    try:
        code = Program(SOURCE.read_text(), "c++", options).compile("cubin", logs=log).code
    except Exception as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "error" in line and "NVRTC_ERROR" not in line), lines[0])
        raise BuildError(f"{arch}: {reason.strip()}") from error
    return bytes(code), log.getvalue()
