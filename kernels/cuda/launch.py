"""Shapes to grid and block: pure, and tested without a GPU."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_THREADS = 1024
"""N * G is 32 or 64 in diffusion models, below a GPU's 132 multiprocessors: what a block lacks, nobody does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How one group is laid out before a block's threads."""

    grid: int
    block: tuple[int, int]
    outer: int
    """Lines of a group."""
    inner: int
    """Elements of a line, neighbors in memory."""
    stride: int
    """Elements from line to line."""


def plan(*, N: int, C: int, G: int, positions: int, channels_last: bool) -> Launch:
    """Give a block to each of N * G groups, and its threads to neighbors in memory first.

    >>> plan(N=2, C=320, G=32, positions=4096, channels_last=False)
    Launch(grid=64, block=(1024, 1), outer=10, inner=4096, stride=4096)
    >>> plan(N=2, C=320, G=32, positions=4096, channels_last=True).block
    (16, 64)
    """
    channels = C // G
    outer, inner, stride = (positions, channels, C) if channels_last else (channels, positions, positions)
    threads = min(_MOST_THREADS, max(32, _power_of_two(outer * inner)))
    width = min(threads, _power_of_two(inner))
    return Launch(grid=N * G, block=(width, threads // width), outer=outer, inner=inner, stride=stride)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
