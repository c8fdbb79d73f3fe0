"""Launches the backward kernels as a plan says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .plan import Chunks, Plan, Tile, ceil, power_of_two, sample_blocks
from .way import Problem, Way, affine_flags, options, tile_arguments

# Of a merge kernel's tile: 4,096 slots of two planes, 32 KB.
_SLOTS, _MERGED = 1024, 4096
# Sums over samples: 64 lines of 64 channels, two tensors of 16 KB in a program.
_LINES, _COLUMNS = 64, 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Backward:
    """One backward call; ``made`` are (dx, dweight, dbias), of shape (0,) where not wanted."""

    way: Way
    it: Problem
    dy: Tensor
    x: Tensor
    statistics: Tensor
    weight: Tensor | None
    bias: Tensor | None
    activation: str
    made: tuple[Tensor, Tensor, Tensor]
    need_dx: bool
    need_dweight: bool
    need_dbias: bool

    def __call__(self, by: Plan) -> None:
        """Launch it."""
        partials = self.x
        if by.whole is not None:
            partials = self._whole(by.whole)
        elif by.walk is not None:
            partials = self._walk(by.walk)
        elif by.sums is not None and by.apply is not None:
            partials = self._split(by.sums, by.apply)
        if self.need_dweight or self.need_dbias:
            self._parameters(partials)

    def _pointers(self) -> tuple[Tensor, ...]:
        """Give dy, x, statistics, weight, bias: tensors in any case; the flags say which are read."""
        weight, bias = (self.x if one is None else one for one in (self.weight, self.bias))
        return self.dy, self.x, self.statistics, weight, bias

    def _flags(self) -> dict[str, Any]:
        return affine_flags(self.weight, self.bias, self.activation)

    def _whole(self, tile: Tile) -> Tensor:
        it = self.it
        group_blocks = it.group_blocks(tile)
        need_sums = self.need_dweight or self.need_dbias
        each = ceil(ceil(it.N, sample_blocks(it.N, tile, group_blocks)), tile.samples) * tile.samples
        blocks = ceil(it.N, each)
        partials = self.x.new_empty((2, blocks * tile.samples if need_sums else 0, it.C), dtype=torch.float32)
        self.way.backward.whole[(blocks * group_blocks,)](
            *self._pointers(),
            self.made[0],
            partials,
            *it.sizes(tile),
            it.count,
            each,
            SAMPLES=tile.samples,
            NEED_DX=self.need_dx,
            NEED_SUMS=need_sums,
            **self._flags(),
            **tile_arguments(it, tile, self.way),
        )
        return partials

    def _walk(self, walk: Chunks) -> Tensor:
        it = self.it
        partials = self.x.new_empty((2, it.N, it.C), dtype=torch.float32)
        self.way.backward.walk[(it.N * it.group_blocks(walk.tile),)](
            *self._pointers(),
            self.made[0],
            partials,
            *it.sizes(walk.tile),
            it.count,
            walk.along,
            walk.across,
            NEED_DX=self.need_dx,
            **self._flags(),
            **tile_arguments(it, walk.tile, self.way),
        )
        return partials

    def _split(self, sums: Chunks, apply: Chunks) -> Tensor:
        it = self.it
        row_blocks = it.N * it.group_blocks(sums.tile)
        slots = self.x.new_empty((2, it.N, it.C, sums.along), dtype=torch.float32)
        self.way.backward.sums[(row_blocks * sums.count,)](
            *self._pointers(),
            slots,
            *it.sizes(sums.tile),
            sums.along,
            sums.count,
            sums.tiles,
            **self._flags(),
            **tile_arguments(it, sums.tile, self.way),
        )
        partials, means = self._merged(slots, sums)
        if self.need_dx:
            self.way.backward.apply[(row_blocks * apply.count,)](
                *self._pointers(),
                self.made[0],
                means,
                *it.sizes(apply.tile),
                apply.along,
                apply.count,
                **self._flags(),
                **tile_arguments(it, apply.tile, self.way),
            )
        return partials

    def _merged(self, slots: Tensor, sums: Chunks) -> tuple[Tensor, Tensor]:
        """Give each sample's sums, two planes of (N, C), and each group's two means, (N, G, 2)."""
        it = self.it
        partials = self.x.new_empty((2, it.N, it.C), dtype=torch.float32)
        means = self.x.new_empty((it.N, it.G, 2), dtype=torch.float32)
        columns = min(_SLOTS, power_of_two(sums.along))
        self.way.partials.merge[(it.N * it.G,)](
            slots,
            self.x if self.weight is None else self.weight,
            partials,
            means,
            it.N * it.G,
            it.G,
            sums.along,
            it.count,
            D=it.shape.channels,
            CHANNELS=min(power_of_two(it.shape.channels), max(1, _MERGED // columns)),
            SLOTS=columns,
            HAS_WEIGHT=self.weight is not None,
            INTERPRETED=self.way.interpreted,
            **options(),
        )
        return partials, means

    def _parameters(self, partials: Tensor) -> None:
        _, dweight, dbias = self.made
        self.way.partials.parameters[(ceil(self.it.C, _COLUMNS),)](
            partials,
            dweight,
            dbias,
            partials.shape[1],
            self.it.C,
            LINES=min(_LINES, power_of_two(partials.shape[1])),
            CHANNELS=_COLUMNS,
            NEED_DWEIGHT=self.need_dweight,
            NEED_DBIAS=self.need_dbias,
            INTERPRETED=self.way.interpreted,
            **options(),
        )
