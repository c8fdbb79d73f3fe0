"""Compiles ``group_norm.cu``: one machine code for each type of x and each way that x may lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .cut import VARIANTS, VECTOR_BYTES
from .nvrtc import ELEMENTS, ITEM_BYTES, Built, compile_source

SOURCE = Path(__file__).with_name("group_norm.cu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The compile flags of one machine code."""

    dtype: str
    lie: str
    """A key of `cut.VARIANTS`."""

    @property
    def macros(self) -> dict[str, str]:
        """What the source is told (see memory.cuh)."""
        lie = VARIANTS[self.lie]
        return {
            "ELEMENT": ELEMENTS[self.dtype],
            "VECTOR": str(VECTOR_BYTES // ITEM_BYTES[self.dtype] if lie.whole else 1),
            "CONTIGUOUS": str(int(lie.contiguous)),
            "ALIGNED": str(int(lie.aligned)),
            "COLUMNWISE": str(int(lie.columnwise)),
        }

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels of its machine code."""
        return ("team", "statistics", "apply", *(("small",) if VARIANTS[self.lie].contiguous else ()))

    def __str__(self) -> str:
        """Give its name in `inspect`."""
        return f"{self.dtype}/{self.lie}"


def variants() -> list[Variant]:
    """List every variant that a plan can ask for."""
    return [Variant(dtype=dtype, lie=lie) for dtype in ELEMENTS for lie in VARIANTS]


def compile_for(arch: str, variant: Variant) -> Built:
    """Give a variant's machine code for ``arch``; `nvrtc.BuildError` where NVRTC refuses it."""
    return compile_source(SOURCE, arch, variant.macros)
