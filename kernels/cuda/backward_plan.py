"""A problem to the launches that compute its gradients: pure, and tested without a GPU.

========  ==========================================================================  ======
together  one block an item, a group or a tile of several: it reads x and dy twice,    3 S
          the second time from its L1
split     ``sums``, then ``combine``, then ``apply``, the last blocks first            5 S
========  ==========================================================================  ======

dweight and dbias cost one more launch beside ``together``, ``combine``; without dx nothing but ``sums`` and it.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any

_THREADS = {False: 256, True: 192}
"""Of a block, by whether channels are last (see backward_lines.cuh)."""
_SHARED = 49152
"""Dynamic shared memory that a block may have unasked."""
_HELD = 98304
"""Bytes of an item's x and dy: two such blocks fill the 192 KB of sm_80's L1, 256 KB since sm_90."""
_LEAST_ITEM = 16384
"""An item's bytes of x and dy below this leave a block's threads idle: 256 of them move 8 KB at once."""
_STEPS = 16
"""Vectors that a thread adds up before its sums go on as pairs: 128 products in 16 bits."""
_SECTOR = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One kernel's launch."""

    kernel: str
    grid: int
    block: int
    shared_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A backward pass: launches in order, and the whole numbers that they are told."""

    vector: int
    """Elements of one access, a compile flag."""
    way: str
    launches: tuple[Launch, ...]
    numbers: tuple[int, ...]
    """Of ``sums``, ``apply`` and ``together``, in the order of their parameters."""
    combined: tuple[int, ...]
    """Of ``combine``."""
    partials: int
    """Pairs of sums in memory, 8 bytes each; 0 where nobody outside a block needs them."""
    coefficients: int
    """Pairs of coefficients in memory, 8 bytes each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pointers:
    """What the kernels read and write, each an address or whatever stands for one; 0 or None where there is none."""

    dy: Any
    x: Any
    statistics: Any
    weight: Any
    bias: Any
    dx: Any
    dweight: Any
    dbias: Any
    partials: Any
    coefficients: Any


def arguments(
    plan: Plan, launch: Launch, pointers: Pointers, *, activation: int, parameters_are_float: bool
) -> tuple[Any, ...]:
    """Give what a launch of the plan passes to its kernel, in the order of its parameters."""
    p, is_float = pointers, ctypes.c_int(parameters_are_float)
    if launch.kernel == "combine":
        combined = map(ctypes.c_int, plan.combined)
        return (p.partials, p.weight, p.coefficients, p.dweight, p.dbias, *combined, is_float)
    given = (p.dy, p.x, p.statistics, p.weight, p.bias, p.dx, p.partials, p.coefficients)
    return (*given, *map(ctypes.c_int, plan.numbers), ctypes.c_int(activation), is_float)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cut:
    tile: int
    stretches: int
    stretch: int
    each: int
    width: int
    team: int
    warps: int
    table_bytes: int


def plan(
    *,
    N: int,
    C: int,
    G: int,
    positions: int,
    channels_last: bool,
    itemsize: int,
    needs_dx: bool = True,
    needs_parameters: bool = True,
    alignment: int = 16,
) -> Plan:
    """Choose the launches of a backward pass; N and positions are at least 1.

    Parameters
    ----------
    needs_dx, needs_parameters
        Which gradients are wanted: dx; dweight or dbias.
    alignment
        Bytes, a power of two, that the addresses of x, dy and dx are multiples of.

    Raises
    ------
    ValueError
        A channel has 2^31 positions or more.

    Examples
    --------
    >>> resnet = plan(N=32, C=256, G=32, positions=196, channels_last=False, itemsize=2)
    >>> resnet.way, resnet.vector, [launch.kernel for launch in resnet.launches]
    ('together', 4, ['together', 'combine'])
    >>> vae = plan(N=1, C=128, G=32, positions=1024 * 1024, channels_last=True, itemsize=2, needs_parameters=False)
    >>> vae.way, [launch.kernel for launch in vae.launches]
    ('split', ['sums', 'combine', 'apply'])
    """
    if positions >= 2**31:
        raise ValueError(f"x: {positions} positions; fewer than 2^31 are wanted")
    run = C if channels_last else positions
    vector = math.gcd(run, min(16, max(itemsize, alignment)) // itemsize)
    D = C // G
    tile = _tile(C, D, vector, 2 * positions * itemsize, channels_last=channels_last, itemsize=itemsize)
    item_bytes = 2 * tile * positions * itemsize
    whole = _cut(tile, vector, positions, channels_last, whole=True)
    shared_bytes = 8 * (tile * whole.stretches + tile // D) + whole.table_bytes
    together = needs_dx and item_bytes <= _HELD and shared_bytes <= _SHARED
    cut = whole if together else _cut(tile, vector, positions, channels_last, whole=False)
    items = N * (C // tile)
    sums = N * G if needs_dx and not together else 0
    launches = [_walk("together", items, cut, shared_bytes)] if together else []
    launches += [_walk("sums", items, cut, cut.table_bytes)] if not together else []
    if sums or needs_parameters:
        tasks = sums + (C if needs_parameters else 0)
        launches.append(Launch(kernel="combine", grid=math.ceil(tasks / 4), block=128))
    launches += [_walk("apply", items, cut, 0)] if sums else []
    return Plan(
        vector=vector,
        way="together" if together else "split" if needs_dx else "parameters",
        launches=tuple(launches),
        numbers=(C, D, positions, tile, cut.stretches, cut.stretch, cut.each, cut.width, cut.team),
        combined=(N, sums, C, D, positions, cut.stretches),
        partials=N * C * cut.stretches if needs_parameters or sums else 0,
        coefficients=sums,
    )


def _walk(kernel: str, items: int, cut: _Cut, shared_bytes: int) -> Launch:
    return Launch(kernel=kernel, grid=items * cut.team, block=32 * cut.warps, shared_bytes=shared_bytes)


def _tile(C: int, D: int, vector: int, row_bytes: int, *, channels_last: bool, itemsize: int) -> int:
    """Give the fewest channels that are whole groups and vectors, work enough for a block, and whole sectors.

    ``row_bytes`` is what a channel's x and dy take.
    """
    least = math.lcm(D, vector) if channels_last else D
    for tile in (least * times for times in range(1, C // least + 1)):
        row = tile * itemsize
        if C % tile or (channels_last and row % _SECTOR and C * itemsize % _SECTOR == 0):
            continue
        if tile * row_bytes >= _LEAST_ITEM or tile == C:
            return tile
    return C


def _cut(tile: int, vector: int, positions: int, channels_last: bool, *, whole: bool) -> _Cut:
    """Deal an item's entries to one block (``whole``), or to as many as have enough each."""
    if channels_last:
        columns = tile // vector
        width = min(columns, _THREADS[True])
        most = _THREADS[True] // width
        stretch = positions if whole else min(positions, most * _STEPS)
        warps = math.ceil(width * min(most, math.ceil(stretch / 2)) / 32)
        team = math.ceil(positions / stretch)
        table = 32 * warps // width * width * vector * 8
        return _Cut(
            tile=tile, stretches=team, stretch=stretch, each=0, width=width, team=team, warps=warps, table_bytes=table
        )
    vectors = positions // vector
    width = min(32, 1 << max(0, math.ceil(vectors / 4) - 1).bit_length())
    stretches = math.ceil(vectors / (width * _STEPS))
    stretch = math.ceil(vectors / stretches / width) * width
    stretches = math.ceil(vectors / stretch)
    entries, at_once = tile * stretches, 32 // width
    each = entries if whole else min(entries, 2 * _THREADS[False] // width)
    return _Cut(
        tile=tile,
        stretches=stretches,
        stretch=stretch,
        each=each,
        width=width,
        team=math.ceil(entries / each),
        warps=min(_THREADS[False] // 32, math.ceil(each / at_once)),
        table_bytes=0,
    )
