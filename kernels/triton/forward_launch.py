"""Launches the forward kernels as a plan says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .plan import MERGED_BY_ALL, Chunks, Plan, Tile, ceil, power_of_two
from .way import Problem, Way, affine_flags, options, tile_arguments

# Of a merge kernel's tile, 16 bytes each: one load of 16 bytes a thread of four warps, twice.
_SLOTS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Forward:
    """One forward call."""

    way: Way
    it: Problem
    x: Tensor
    y: Tensor
    weight: Tensor | None
    bias: Tensor | None
    eps: float
    activation: str
    statistics: Tensor | None

    def __call__(self, by: Plan) -> None:
        """Launch it."""
        if by.whole is not None:
            self._whole(by.whole)
        elif by.walk is not None:
            self._walk(by.walk)
        elif by.sums is not None and by.apply is not None:
            self._split(by.sums, by.apply)

    def _pointers(self, statistics: Tensor | None) -> tuple[Tensor, ...]:
        """Give x, y, weight, bias, statistics: tensors in any case; the flags say which are read."""
        return self.x, self.y, *(self.x if one is None else one for one in (self.weight, self.bias, statistics))

    def _flags(self) -> dict[str, Any]:
        return {
            **affine_flags(self.weight, self.bias, self.activation),
            "KEEP": self.statistics is not None,
        }

    def _whole(self, tile: Tile) -> None:
        it = self.it
        self.way.forward.whole[(ceil(it.N, tile.samples) * it.group_blocks(tile),)](
            *self._pointers(self.statistics),
            *it.sizes(tile),
            it.count,
            self.eps,
            SAMPLES=tile.samples,
            **self._flags(),
            **tile_arguments(it, tile, self.way),
        )

    def _walk(self, walk: Chunks) -> None:
        it = self.it
        self.way.forward.walk[(it.N * it.group_blocks(walk.tile),)](
            *self._pointers(self.statistics),
            *it.sizes(walk.tile),
            it.count,
            self.eps,
            walk.along,
            walk.count,
            **self._flags(),
            **tile_arguments(it, walk.tile, self.way),
        )

    def _split(self, sums: Chunks, apply: Chunks) -> None:
        it = self.it
        row_blocks = it.N * it.group_blocks(sums.tile)
        slots = self.x.new_empty((4, it.N * it.G, sums.count), dtype=torch.float32)
        self.way.forward.statistics[(row_blocks * sums.count,)](
            self.x,
            slots,
            *it.sizes(sums.tile),
            apply.along,
            sums.along,
            sums.count,
            sums.tiles,
            **tile_arguments(it, sums.tile, self.way),
        )
        by_all = sums.count <= MERGED_BY_ALL
        statistics = self.statistics if by_all else self._merged(slots, sums)
        self.way.forward.apply[(row_blocks * apply.count,)](
            *self._pointers(statistics),
            slots,
            *it.sizes(apply.tile),
            it.count,
            self.eps,
            apply.along,
            apply.count,
            sums.along,
            sums.count,
            sums.tiles * sums.tile.positions,
            SLOTS=power_of_two(sums.count) if by_all else 0,
            **self._flags(),
            **tile_arguments(it, apply.tile, self.way),
        )

    def _merged(self, slots: Tensor, sums: Chunks) -> Tensor:
        it, statistics = self.it, self.statistics
        if statistics is None:
            statistics = self.x.new_empty((it.N, it.G, 3), dtype=torch.float32)
        self.way.forward.merge[(it.N * it.G,)](
            slots,
            statistics,
            it.N * it.G,
            it.lie.positions,
            sums.along,
            sums.count,
            sums.tiles * sums.tile.positions,
            it.count,
            self.eps,
            D=it.shape.channels,
            CHANNELS=sums.tile.channels,
            SLOTS=min(_SLOTS, power_of_two(sums.count)),
            **options(),
        )
        return statistics
