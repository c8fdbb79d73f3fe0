"""A problem and a device to the launches that compute it: pure, and tested without a GPU.

Four ways, by what an item (a group, or channels_last a tile of groups) needs to be held in shared memory, so that x is
read once; and what is read once is all that counts, for a copy of x is as fast as anything can be:

=======  =====================================================================  ===============
small    contiguous groups to 2 KB: some lanes of a warp, x in registers        2 S
alone    one block                                                              2 S
cluster  2 to 16 blocks of a cluster, two to a multiprocessor                   2 S
grid     all multiprocessors, one block each; the next item is on its way       2 S
split    what is larger: ``statistics``, then ``apply`` backwards               3 S
=======  =====================================================================  ===============
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any

from .cut import VECTOR_BYTES, Cut, Group, Item, cut, item_of
from .device import Device

SMALL_BYTES = 32 * 4 * VECTOR_BYTES
"""Four vectors of each lane of a warp."""
_SLICE = 81920
"""Two such a multiprocessor hold 160 KB; a diffusion model's 64 groups of 0.3 MB make 256 blocks for 132 of them."""
_QUARTER = 16384
"""Smaller slices than this are not worth telling each other about, larger ones are dealt to up to four blocks: there
may be but 32 groups."""
_STREAMED = 131072
"""Bytes of a slice that nobody holds."""
_MOST_TOLD = 512
"""Slices of an item: each block of ``apply`` joins all, 16 a lane."""
_RING = 3
_SYSTEM = 1024
"""Shared bytes that the system keeps of each block."""

WAYS = {"alone": 0, "cluster": 1, "grid": 2, "split": 3}
"""The numbers of exchange.cuh."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One kernel's launch. ``grid`` counts blocks, also of a cluster."""

    kernel: str
    grid: int
    block: int
    cluster: int = 1
    cooperative: bool = False
    shared_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A forward pass: launches in order, and the whole numbers that each of them is told (see `numbers`)."""

    variant: str
    way: str
    launches: tuple[Launch, ...]
    numbers: tuple[int, ...]
    slots: int = 0
    """Entries of 16 bytes that blocks tell each other through global memory."""
    counters: int = 0
    """Of 4 bytes, zero before the launch."""
    fallback: Plan | None = None
    """The same cut and the same bits by two kernels, where a cluster or a cooperative grid is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pointers:
    """What the kernels read and write, each an address or whatever stands for one; 0 or None where there is none."""

    x: Any
    y: Any
    weight: Any
    bias: Any
    statistics: Any
    slots: Any
    counters: Any


_C_TYPES = {"q": ctypes.c_int64, "I": ctypes.c_uint32, "i": ctypes.c_int32}


def arguments(
    plan: Plan, launch: Launch, pointers: Pointers, *, activation: int, parameters_are_float: bool, eps: float
) -> tuple[Any, ...]:
    """Give what a launch of the plan passes to its kernel, in the order of its parameters."""
    p = pointers
    workspace = () if launch.kernel == "small" else (p.slots, p.counters)
    kinds = FORMATS[launch.kernel]
    numbers = (_C_TYPES[kind](number) for kind, number in zip(kinds, plan.numbers, strict=True))
    rest = (ctypes.c_int(activation), ctypes.c_int(parameters_are_float), ctypes.c_float(eps))
    return (p.x, p.y, p.weight, p.bias, p.statistics, *workspace, *numbers, *rest)


FORMATS = {"small": "qIiii", "team": "qqIiiiiiiiii", "statistics": "qqIiiiiiiiii", "apply": "qqIiiiiiiiii"}
"""C types of each kernel's `Plan.numbers`, as `struct` writes them."""


def plan(*, N: int, C: int, G: int, positions: int, channels_last: bool, itemsize: int, device: Device) -> Plan:
    """Choose the launches of a forward pass; N and positions are at least 1.

    Raises
    ------
    ValueError
        A channel has 2^31 positions or more.

    Examples
    --------
    >>> from .device import H100
    >>> unet = plan(N=2, C=320, G=32, positions=4096, channels_last=False, itemsize=2, device=H100)
    >>> unet.way, unet.launches[0].grid, unet.launches[0].cluster
    ('cluster', 256, 4)
    >>> video = plan(N=1, C=128, G=32, positions=20 * 256 * 256, channels_last=False, itemsize=2, device=H100)
    >>> video.way, video.launches[0].grid, video.numbers[-1]
    ('grid', 132, 2)
    """
    if positions >= 2**31:
        raise ValueError(f"x: {positions} positions; fewer than 2^31 are wanted")
    group = Group(C=C, G=G, positions=positions, channels_last=channels_last, itemsize=itemsize)
    item = item_of(group)
    if not channels_last and group.channels * positions * itemsize <= SMALL_BYTES:
        return _small(N * G, group, item)
    way, slices, ring = choose(item, device)
    items = N * (C // item.tile)
    if way == "split":
        return _in_two(items, group, slices)
    return _team(items, group, slices, way=way, ring=ring, device=device)


def choose(item: Item, device: Device) -> tuple[str, Cut, int]:
    """Choose how an item is held: the way, its cut, and the slices that a block holds at once."""
    room = device.shared_bytes_per_block
    half = min(room, device.shared_bytes_per_multiprocessor // 2 - _SYSTEM)
    wanted = max(_power(math.ceil(item.bytes / min(_SLICE, half))), min(4, _floor_power(item.bytes // _QUARTER)))
    slices = cut(item, min(wanted, device.largest_cluster))
    if slices.team == 1 and slices.shared_bytes(ring=1, told=0) <= room:
        return "alone", slices, 1
    if slices.team > 1 and slices.shared_bytes(ring=1, told=slices.team) <= half:
        return "cluster", slices, 1
    if device.cooperative:
        blocks = device.multiprocessors
        # Teams side by side where a block can have two slices of theirs: fewer to tell, and the next item on its way.
        for teams in sorted({max(1, blocks // math.ceil(item.bytes / (room // 2))), 1}, reverse=True):
            slices = cut(item, blocks // teams)
            for ring in range(_RING, 0, -1):
                if slices.shared_bytes(ring=ring, told=0) <= room and (ring > 1 or teams == 1):
                    return "grid", slices, ring
    return "split", cut(item, min(_MOST_TOLD, math.ceil(item.bytes / _STREAMED))), 1


def _small(groups: int, group: Group, item: Item) -> Plan:
    elements = group.channels * group.positions
    width = min(32, _power(math.ceil(elements / item.vector)))
    grid = math.ceil(groups * width / 256)
    return Plan(
        variant=item.variant,
        way="small",
        launches=(Launch(kernel="small", grid=grid, block=256),),
        numbers=(groups, group.positions, group.C, group.channels, width),
    )


def _numbers(items: int, group: Group, slices: Cut, way: str, ring: int) -> tuple[int, ...]:
    item = slices.item
    return (
        items,
        item.lines,
        group.positions,
        group.C,
        group.channels,
        item.tile,
        item.columns,
        item.width,
        slices.slice_lines,
        slices.team,
        WAYS[way],
        ring,
    )


def _team(items: int, group: Group, slices: Cut, *, way: str, ring: int, device: Device) -> Plan:
    teams = min(items, device.multiprocessors // slices.team) if way == "grid" else items
    launch = Launch(
        kernel="team",
        grid=teams * slices.team,
        block=32 * slices.warps,
        cluster=slices.team if way == "cluster" else 1,
        cooperative=way == "grid",
        shared_bytes=slices.shared_bytes(ring=ring, told=slices.team if way == "cluster" else 0),
    )
    return Plan(
        variant=slices.item.variant,
        way=way,
        launches=(launch,),
        numbers=_numbers(items, group, slices, way, ring),
        slots=items * slices.team * slices.item.groups if way == "grid" else 0,
        counters=items if way == "grid" else 0,
        fallback=None if way == "alone" else _in_two(items, group, slices),
    )


def _in_two(items: int, group: Group, slices: Cut) -> Plan:
    launches = tuple(
        Launch(
            kernel=kernel,
            grid=items * slices.team,
            block=32 * slices.warps,
            shared_bytes=slices.shared_bytes(ring=0, told=0),
        )
        for kernel in ("statistics", "apply")
    )
    return Plan(
        variant=slices.item.variant,
        way="split",
        launches=launches,
        numbers=_numbers(items, group, slices, "split", 1),
        slots=items * slices.team * slices.item.groups,
    )


def _power(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()


def _floor_power(most: int) -> int:
    return 1 << max(0, most.bit_length() - 1)
