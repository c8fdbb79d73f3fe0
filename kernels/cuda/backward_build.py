"""Compiles ``backward.cu``: one machine code for each type of x, layout and width of access."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .nvrtc import ELEMENTS, ITEM_BYTES, Built, compile_source

SOURCE = Path(__file__).with_name("backward.cu")
KERNELS = ("sums", "apply", "together", "combine")


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


def variants() -> list[Variant]:
    """List every variant that a plan can ask for."""
    return [
        Variant(dtype=dtype, vector=2**power, channels_last=channels_last)
        for dtype, itemsize in ITEM_BYTES.items()
        for power in range((16 // itemsize).bit_length())
        for channels_last in (False, True)
    ]


def widest() -> list[Variant]:
    """List the variants whose accesses are 16 bytes: they take the most registers."""
    return [variant for variant in variants() if variant.vector * ITEM_BYTES[variant.dtype] == 16]


def compile_for(arch: str, variant: Variant) -> Built:
    """Give a variant's machine code for ``arch``; `nvrtc.BuildError` where NVRTC refuses it."""
    return compile_source(SOURCE, arch, variant.macros)
