"""Statistics of rows from those of their chunks, by Chan's formula for any number of parts at once.

``parts`` is (positions, along, chunks, span): a row's chunks, ``along`` its positions ``span`` apart and then across
its channels. ``statistics`` of ``forward`` leaves four planes of [rows, chunks]: mean (high, low), squares about it,
and the squares of x scaled by 2^-96.

T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
Stanford STAN-CS-79-773, 1979. In slots' order and so in a fixed one.
"""

# ruff: noqa: PLR0917, SLF001 (as in ``tiles``)
# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl

from .tiles import HUGE, TINY, reciprocal_deviation


@triton.jit
def _merge(
    slots,  # [rows, 1], each row's first slot in the plane of high means
    squares_slots,  # and in the plane of squares, scaled as SCALE is
    plane,
    is_row,
    parts,
    count,
    SCALE: tl.constexpr,
    ROWS: tl.constexpr,
    D: tl.constexpr,
    CHANNELS: tl.constexpr,
    SLOTS: tl.constexpr,
):
    """Merge a row's chunks: the weighted mean of their means about the first, then squares about it."""
    positions, along, chunks, span = parts
    lane = tl.arange(0, SLOTS)[None, :]
    first = tl.load(slots, mask=is_row[:, None], other=0.0) * SCALE
    sums = tl.full([ROWS, SLOTS], 0.0, tl.float32)
    for begin in range(0, chunks, SLOTS):
        chunk = begin + lane
        inside = is_row[:, None] & (chunk < chunks)
        size = tl.minimum(D - chunk // along * CHANNELS, CHANNELS) * tl.minimum(positions - chunk % along * span, span)
        high = tl.load(slots + chunk, mask=inside, other=0.0) * SCALE
        low = tl.load(slots + plane + chunk, mask=inside, other=0.0) * SCALE
        sums += tl.where(inside, ((high - first) + low) * size.to(tl.float32), 0.0)
    mean = first + tl.expand_dims(tl.reduce(sums, 1, tl.standard._sum_combine), 1) / count

    deviations = tl.full([ROWS, SLOTS], 0.0, tl.float32)
    squares = tl.full([ROWS, SLOTS], 0.0, tl.float32)
    for begin in range(0, chunks, SLOTS):
        chunk = begin + lane
        inside = is_row[:, None] & (chunk < chunks)
        size = tl.minimum(D - chunk // along * CHANNELS, CHANNELS) * tl.minimum(positions - chunk % along * span, span)
        high = tl.load(slots + chunk, mask=inside, other=0.0) * SCALE
        low = tl.load(slots + plane + chunk, mask=inside, other=0.0) * SCALE
        delta = tl.where(inside, (high - mean) + low, 0.0)
        weighted = delta * size.to(tl.float32)
        deviations += weighted
        squares += tl.load(squares_slots + chunk, mask=inside, other=0.0) + weighted * delta
    deviation = tl.reduce(deviations, 1, tl.standard._sum_combine)
    rest = deviation / count
    mean = tl.reduce(mean, 1, tl.standard._sum_combine)  # of one: only its axis goes
    return mean, rest, tl.reduce(squares, 1, tl.standard._sum_combine) - deviation * rest


@triton.jit
def merged(
    slots_pointer,
    row,
    is_row,
    rows,
    parts,
    count,
    eps,
    ROWS: tl.constexpr,
    D: tl.constexpr,
    CHANNELS: tl.constexpr,
    SLOTS: tl.constexpr,
):
    """Give mean, what rounding took from it, and reciprocal deviation of rows from their chunks; all [rows]."""
    _, _, chunks, _ = parts
    plane = rows.to(tl.int64) * chunks
    slots = slots_pointer + (row.to(tl.int64) * chunks)[:, None]
    mean, rest, squares = _merge(slots, slots + 2 * plane, plane, is_row, parts, count, 1.0, ROWS, D, CHANNELS, SLOTS)
    rstd = reciprocal_deviation(squares, count, eps)
    is_strange = squares - squares != 0.0
    if tl.reduce(is_strange.to(tl.float32), 0, tl.standard._sum_combine) > 0.0:
        scaled_mean, scaled_rest, squares = _merge(
            slots, slots + 3 * plane, plane, is_row, parts, count, TINY, ROWS, D, CHANNELS, SLOTS
        )
        mean = tl.where(is_strange, scaled_mean * HUGE, mean)
        rest = tl.where(is_strange, scaled_rest * HUGE, rest)
        rstd = tl.where(is_strange, reciprocal_deviation(squares, count, 0.0) * TINY, rstd)
    return mean, rest, rstd
