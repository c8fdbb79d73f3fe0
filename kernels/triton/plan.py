"""Launch decisions: which tile a program holds, and whether a group is one program's or many's. Pure.

Nothing here depends on N: a sample's bits are the same alone and in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["forward", "backward"]

SECTOR = 32
"""Bytes that memory gives at least."""
_LINE = 128
_MOST_WARPS = 16
# Slots beyond this would cost a merge more than the chunks' own tail: 16 KB a group.
_MOST_CHUNKS = 1024
# The apply kernel's programs merge so many slots themselves, 512 bytes beside a tile of 16 KB; more have a launch.
MERGED_BY_ALL = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What decides of a GroupNorm: G groups of so many channels, positions (H * W * ...), in which order, how wide."""

    groups: int
    channels: int
    """Of one group."""
    positions: int
    channels_last: bool
    """Neighbors in memory are channels, as in (N, C) too."""
    itemsize: int
    """Bytes of an element."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much a program may hold, in elements (lanes) of one tensor."""

    whole: int
    """A group that is read once."""
    walk: int
    """A group that one program reads twice, the second time from L1."""
    chunk: int
    """A part of a larger group."""
    pack: int
    """Small groups that share a program."""
    warp: int = 1024
    """Elements of a warp: 32 a thread are four 16-byte loads of 2-byte elements in flight, eight of float32."""


def limits(direction: Direction, itemsize: int, *, interpreted: bool) -> Limits:
    """Give what a program may hold.

    Whole groups are 64 KB of a multiprocessor's 256 KB of registers, which hold them as float32: twice that spilled
    150 to 300 bytes a thread. Backward, 32 KB of x and dy: twice that spilled up to 120 with Triton 3.6, not with 3.9.
    A group that is walked, x or x and dy, is half of the multiprocessor's L1.
    """
    if interpreted:
        return INTERPRETED
    share = 1 if direction == "forward" else 2
    return Limits(
        whole=16384 if direction == "forward" else 4096,
        walk=131072 // itemsize // share,
        chunk=8192 // share,
        pack=2048,
        warp=1024 // share,
    )


INTERPRETED = Limits(whole=32768, walk=65536, chunk=131072, pack=65536)
"""An operation costs 50 us whatever the tile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What tuning may change of a launch: doublings of the default's warps and of its chunk."""

    warps: int = 0
    chunk: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """What a program holds at a time, each a power of two: samples x groups x channels x positions."""

    samples: int
    groups: int
    channels: int
    positions: int
    warps: int

    @property
    def lanes(self) -> int:
        """Give its elements, those beyond the tensor's ends counted."""
        return self.samples * self.groups * self.channels * self.positions


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunks:
    """A group as parts: so many across its channels, so many along its positions, each of ``tiles`` tiles."""

    tile: Tile
    tiles: int
    across: int
    along: int

    @property
    def count(self) -> int:
        """Give the chunks of one group."""
        return self.across * self.along


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A tile for whole groups, or the tiles of a walk, or chunks for the sums and tiles for what is then written."""

    whole: Tile | None = None
    walk: Chunks | None = None
    sums: Chunks | None = None
    apply: Chunks | None = None


def plan(shape: Shape, most: Limits, choice: Choice = Choice()) -> Plan:
    """Choose between one read and two, and the tiles."""
    if (whole := _whole(shape, most, choice)) is not None:
        return Plan(whole=whole)
    lanes = _scaled(most.chunk, choice.chunk)
    tile = _part_channels_last(shape, lanes) if shape.channels_last else _part_contiguous(shape, lanes)
    tile = _with_warps(tile, most, choice)
    across, blocks = ceil(shape.channels, tile.channels), ceil(shape.positions, tile.positions)
    if tile.groups * shape.channels * shape.positions <= most.walk:
        return Plan(walk=Chunks(tile=tile, tiles=1, across=across, along=blocks))
    tiles = min(power_of_two(ceil(across * blocks, _MOST_CHUNKS)), power_of_two(blocks))
    return Plan(
        sums=Chunks(tile=tile, tiles=tiles, across=across, along=ceil(blocks, tiles)),
        apply=Chunks(tile=tile, tiles=1, across=across, along=blocks),
    )


def choices(shape: Shape, most: Limits) -> tuple[Choice, ...]:
    """List what is worth trying, the default first; each gives a launch of its own."""
    steps = [Choice(), Choice(warps=-1), Choice(warps=1)]
    if plan(shape, most).whole is None:
        steps += [Choice(chunk=-1), Choice(chunk=1), Choice(chunk=1, warps=-1)]
    found: dict[Plan, Choice] = {}
    for step in steps:
        found.setdefault(plan(shape, most, step), step)
    return tuple(found.values())


def sample_blocks(samples: int, tile: Tile, group_blocks: int, programs: int = 1024) -> int:
    """Split the samples of a backward pass among programs, which add up dweight and dbias over theirs.

    1,024 programs: eight a multiprocessor of an H100. More would only write more partial sums, 8 bytes a channel each.
    """
    return max(1, min(ceil(samples, tile.samples), programs // group_blocks))


def power_of_two(number: int) -> int:
    """Give the least power of two that is not below."""
    return 1 << max(0, number - 1).bit_length()


def ceil(number: int, unit: int) -> int:
    """Divide, upwards."""
    return -(-number // unit)


def _scaled(number: int, doublings: int) -> int:
    return max(1, number << doublings if doublings >= 0 else number >> -doublings)


def _with_warps(tile: Tile, most: Limits, choice: Choice) -> Tile:
    warps = min(_MOST_WARPS, _scaled(max(1, min(_MOST_WARPS, tile.lanes // most.warp)), choice.warps))
    return Tile(samples=tile.samples, groups=tile.groups, channels=tile.channels, positions=tile.positions, warps=warps)


def _whole(shape: Shape, most: Limits, choice: Choice) -> Tile | None:
    channels, positions = power_of_two(shape.channels), power_of_two(shape.positions)
    groups = _groups_of_whole_sectors(shape) if shape.channels_last and shape.positions > 1 else 1
    if groups * channels * positions > most.whole:
        return None
    room = max(1, most.pack // (channels * positions))
    groups = max(groups, min(room, power_of_two(shape.groups)))
    tile = Tile(samples=max(1, room // groups), groups=groups, channels=channels, positions=positions, warps=1)
    return _with_warps(tile, most, choice)


def _groups_of_whole_sectors(shape: Shape) -> int:
    """Count neighboring groups that begin and end with a sector, up to a line of 128 bytes."""
    width = shape.channels * shape.itemsize
    groups = 1
    while groups < shape.groups and (groups * width % SECTOR or groups * width < _LINE):
        groups *= 2
    return groups


def _part_channels_last(shape: Shape, lanes: int) -> Tile:
    channels = min(power_of_two(shape.channels), lanes)
    groups = 1
    if channels >= shape.channels:
        groups = min(_groups_of_whole_sectors(shape), max(1, lanes // channels))
    positions = min(power_of_two(shape.positions), max(1, lanes // (channels * groups)))
    return Tile(samples=1, groups=groups, channels=channels, positions=positions, warps=1)


def _part_contiguous(shape: Shape, lanes: int) -> Tile:
    positions = _fitting(shape.positions, lanes)
    channels = _fitting(shape.channels, max(1, lanes // positions))
    return Tile(samples=1, groups=1, channels=channels, positions=positions, warps=1)


def _fitting(size: int, most: int) -> int:
    """Give the power of two, of the three largest up to ``most``, whose multiple is least above ``size``."""
    largest = min(power_of_two(size), most)
    candidates = [largest >> step for step in range(3) if largest >> step]
    return min(candidates, key=lambda block: (ceil(size, block) * block, -block))
