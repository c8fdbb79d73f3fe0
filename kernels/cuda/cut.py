"""How a group is cut: lines, tiles, slices and teams, from its shape and the device alone.

The number of samples is no argument of anything here, so a sample's bits are the same in any batch; nor is who holds a
slice, so they are the same from every way to launch it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

VECTOR_BYTES = 16
_SECTOR = 32
"""What memory gives at least: a row's piece that is no multiple of it moves bytes nobody asked for."""
_LEAST_ITEM = 16384
"""An item below this leaves a block's threads idle: 256 of them move 4 KB at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """One GroupNorm but for its number of samples."""

    C: int
    G: int
    positions: int
    channels_last: bool
    itemsize: int

    @property
    def channels(self) -> int:
        """Channels of a group."""
        return self.C // self.G


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The compile flags of one way that x may lie (see memory.cuh)."""

    contiguous: bool
    aligned: bool
    columnwise: bool
    whole: bool
    """Vectors are 16 bytes, not one element."""
    most_threads: int


VARIANTS = {
    "run": Variant(contiguous=True, aligned=True, columnwise=False, whole=True, most_threads=448),
    "odd_run": Variant(contiguous=True, aligned=False, columnwise=False, whole=True, most_threads=320),
    "tile": Variant(contiguous=False, aligned=True, columnwise=False, whole=True, most_threads=320),
    "mixed_tile": Variant(contiguous=False, aligned=True, columnwise=True, whole=True, most_threads=192),
    "odd_tile": Variant(contiguous=False, aligned=True, columnwise=False, whole=False, most_threads=320),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """What a team of blocks works at together, as the kernels see it: lines of vectors (see memory.cuh)."""

    variant: str
    """A key of `VARIANTS`."""
    vector: int
    """Elements of a vector."""
    tile: int
    """Channels of an item; contiguous, one group's."""
    groups: int
    """Groups of an item."""
    sums: int
    """Moments that a thread keeps for a column."""
    lines: int
    columns: int
    """Vectors of a line."""
    width: int
    """Columns that one warp covers, a power of two that divides them."""
    line_bytes: int

    @property
    def bytes(self) -> int:
        """What must be held of it."""
        return self.lines * self.line_bytes


def item_of(group: Group) -> Item:
    """See a group, or a tile of several, as lines of vectors.

    >>> item_of(Group(C=320, G=32, positions=4096, channels_last=False, itemsize=2))
    ... # doctest: +NORMALIZE_WHITESPACE
    Item(variant='run', vector=8, tile=10, groups=1, sums=1, lines=160, columns=32, width=32, line_bytes=512)
    >>> item_of(Group(C=320, G=32, positions=4096, channels_last=True, itemsize=2))
    ... # doctest: +NORMALIZE_WHITESPACE
    Item(variant='mixed_tile', vector=8, tile=80, groups=8, sums=8, lines=4096, columns=10, width=2, line_bytes=160)
    """
    whole = VECTOR_BYTES // group.itemsize
    if not group.channels_last:
        elements = group.channels * group.positions
        return Item(
            variant="run" if elements % whole == 0 else "odd_run",
            vector=whole,
            tile=group.channels,
            groups=1,
            sums=1,
            lines=math.ceil(elements / (32 * whole)),
            columns=32,
            width=32,
            line_bytes=32 * VECTOR_BYTES,
        )
    vector = whole if group.C % whole == 0 else 1
    tile = _tile(group, vector)
    mixed = group.channels % vector != 0
    columns = tile // vector
    return Item(
        variant="odd_tile" if vector == 1 else "mixed_tile" if mixed else "tile",
        vector=vector,
        tile=tile,
        groups=tile // group.channels,
        sums=vector if mixed else 1,
        lines=group.positions,
        columns=columns,
        # A column of mixed sums is shuffled and tabled sum by sum, so its warp covers few columns of more lines.
        width=math.gcd(columns, 4 if mixed else 32),
        line_bytes=tile * group.itemsize,
    )


def _tile(group: Group, vector: int) -> int:
    """Give the fewest channels that are whole groups, whole vectors, whole sectors and work enough for a block."""
    least = math.lcm(group.channels, vector)
    for tile in (least * times for times in range(1, group.C // least + 1)):
        row = tile * group.itemsize
        if group.C % tile or (row % _SECTOR and tile < group.C and group.C * group.itemsize % _SECTOR == 0):
            continue
        if row >= 2 * _SECTOR and row * group.positions >= _LEAST_ITEM:
            return tile
    return group.C


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """An item's slices, one a block of its team."""

    item: Item
    team: int
    slice_lines: int
    warps: int

    @property
    def slot_bytes(self) -> int:
        """A slice where it is held, to 16 bytes."""
        return math.ceil(self.slice_lines * self.item.line_bytes / VECTOR_BYTES) * VECTOR_BYTES

    @property
    def table_entries(self) -> int:
        """Moments that a block's warps leave for each other."""
        if VARIANTS[self.item.variant].contiguous:
            return self.warps
        blocks = self.item.columns // self.item.width
        return max(1, self.warps // blocks) * self.item.columns * self.item.sums

    def shared_bytes(self, *, ring: int, told: int) -> int:
        """Count a block's dynamic shared memory: ``ring`` held slices, entries of ``told`` blocks from a cluster."""
        entries = 2 * self.item.groups + self.table_entries + 2 * told * self.item.groups
        return entries * 16 + ring * self.slot_bytes


def cut(item: Item, team: int) -> Cut:
    """Deal an item's lines to about ``team`` blocks; none is left without.

    >>> item = item_of(Group(C=320, G=32, positions=4096, channels_last=False, itemsize=2))
    >>> [(c.team, c.slice_lines, c.warps) for c in (cut(item, 1), cut(item, 4), cut(item, 500))]
    [(1, 160, 14), (4, 40, 10), (160, 1, 1)]
    """
    slice_lines = math.ceil(item.lines / team)
    return Cut(
        item=item, team=math.ceil(item.lines / slice_lines), slice_lines=slice_lines, warps=_warps(item, slice_lines)
    )


def _warps(item: Item, slice_lines: int) -> int:
    """Give a slice's warps: four lines a lane before there are more, and none that a column would leave idle."""
    most = VARIANTS[item.variant].most_threads // 32
    blocks, lines_of_warp = item.columns // item.width, 32 // item.width
    if blocks > most:
        return math.ceil(blocks / math.ceil(blocks / most))
    return blocks * min(most // blocks, math.ceil(slice_lines / (4 * lines_of_warp)))
