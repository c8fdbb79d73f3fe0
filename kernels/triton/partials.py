"""What the backward kernels leave in parts, added up in the parts' order: dweight, dbias, and a group's two means.

``merge``        chunks to 8 bytes a channel and 8 a group.
``parameters``   dweight and dbias of each channel, from its partial sums over samples.
"""

# ruff: noqa: PLR0917, SLF001 (as in ``backward``)
# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl

from .record import COUNTS
from .tiles import read, write


@triton.jit(do_not_specialize=COUNTS)
def merge(
    slots_pointer,  # two planes of [samples, C, along], of dz and of dz * n, float32
    weight_pointer,
    partials_pointer,  # two planes of [samples, C]
    means_pointer,  # [rows, 2]: of dz * w and of dz * w * n over a group
    rows,
    groups,
    along,
    count,
    D: tl.constexpr,
    CHANNELS: tl.constexpr,
    SLOTS: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Add up one group's chunks, channel by channel; the grid is (N * G,)."""
    row = tl.program_id(0)
    lane = tl.arange(0, SLOTS)[None, :]
    plane = rows.to(tl.int64) * D
    first_sums = tl.full([CHANNELS], 0.0, tl.float32)
    second_sums = tl.full([CHANNELS], 0.0, tl.float32)
    for first in range(0, D, CHANNELS):
        channel = first + tl.arange(0, CHANNELS)
        is_channel = channel < D
        line = row.to(tl.int64) * D + channel
        of_bias = tl.full([CHANNELS, SLOTS], 0.0, tl.float32)
        of_weight = tl.full([CHANNELS, SLOTS], 0.0, tl.float32)
        for begin in range(0, along, SLOTS):
            inside = is_channel[:, None] & (begin + lane < along)
            slot = slots_pointer + ((line * along)[:, None] + (begin + lane))
            of_bias += tl.load(slot, mask=inside, other=0.0)
            of_weight += tl.load(slot + plane * along, mask=inside, other=0.0)
        bias_sums = tl.reduce(of_bias, 1, tl.standard._sum_combine)
        weight_sums = tl.reduce(of_weight, 1, tl.standard._sum_combine)
        tl.store(partials_pointer + line, bias_sums, mask=is_channel)
        tl.store(partials_pointer + (plane + line), weight_sums, mask=is_channel)
        if HAS_WEIGHT:
            weight = read(weight_pointer + (row % groups * D + channel), is_channel, INTERPRETED)
            bias_sums = bias_sums * weight
            weight_sums = weight_sums * weight
        first_sums += bias_sums
        second_sums += weight_sums
    at = means_pointer + row.to(tl.int64) * 2
    tl.store(at, tl.reduce(first_sums, 0, tl.standard._sum_combine) / count)
    tl.store(at + 1, tl.reduce(second_sums, 0, tl.standard._sum_combine) / count)


@triton.jit
def _sum(
    planes,
    lines,
    C,
    channel,
    is_channel,
    LINES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Add up the lines of one plane of [lines, C], channel by channel; [channels]."""
    sums = tl.full([LINES, CHANNELS], 0.0, tl.float32)
    for first in range(0, lines, LINES):
        line = first + tl.arange(0, LINES)
        inside = (line < lines)[:, None] & is_channel[None, :]
        sums += tl.load(planes + (line.to(tl.int64)[:, None] * C + channel[None, :]), mask=inside, other=0.0)
    return tl.reduce(sums, 0, tl.standard._sum_combine)


@triton.jit(do_not_specialize=COUNTS)
def parameters(
    partials_pointer,  # two planes of [lines, C], of dbias and of dweight
    dweight_pointer,
    dbias_pointer,
    lines,
    C,
    LINES: tl.constexpr,
    CHANNELS: tl.constexpr,
    NEED_DWEIGHT: tl.constexpr,
    NEED_DBIAS: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Add up partial sums over samples; the grid is (blocks of channels,)."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    is_channel = channel < C
    if NEED_DBIAS:
        dbias = _sum(partials_pointer, lines, C, channel, is_channel, LINES, CHANNELS)
        write(dbias_pointer + channel, dbias, is_channel, INTERPRETED)
    if NEED_DWEIGHT:
        plane = partials_pointer + lines.to(tl.int64) * C
        dweight = _sum(plane, lines, C, channel, is_channel, LINES, CHANNELS)
        write(dweight_pointer + channel, dweight, is_channel, INTERPRETED)
