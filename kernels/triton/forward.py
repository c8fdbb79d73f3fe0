"""The forward kernels: a group read once, walked through twice by one program, or taken apart.

``whole``        x once, y once: 2 S bytes. x stays in registers.
``walk``         x twice, y once by one program, which walks back: 2 S from memory while a group fits in L1.
``statistics``   x once; 16 bytes a chunk: mean (high, low), squares about it, and these scaled.
``merge``        chunks to statistics (``chan``), where they are too many for each program of ``apply`` to do it.
``apply``        x again, y: 3 S in all. It walks backwards, so that what ``statistics`` read last comes from L2.

No program waits for another and no atomics: the same bits each time, and the interpreter can run it.
A row (one group of one sample) whose variance is not finite is redone with x scaled by 2^-96: right up to 1e38.
"""

# ruff: noqa: PLR0917, SLF001 (a kernel's arguments are numbers, given by name where it is launched)
# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl

from .chan import merged
from .record import COUNTS
from .tiles import HUGE, TINY, activate, keep, locate, moments, read, reciprocal_deviation, spread, write


@triton.jit
def _write(
    x,  # a tile, float32
    y_pointer,
    offset,
    inside,
    of_sample,
    is_channel,
    statistics,  # mean, what rounding took from it, reciprocal deviation; each [rows]
    affine,  # pointers to weight and bias
    P_AXIS: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Write y of a tile."""
    mean, rest, rstd = statistics
    weight_pointer, bias_pointer = affine
    y = (x - tl.expand_dims(tl.expand_dims(mean, 1), P_AXIS)) - tl.expand_dims(tl.expand_dims(rest, 1), P_AXIS)
    y = y * tl.expand_dims(tl.expand_dims(rstd, 1), P_AXIS)
    if HAS_WEIGHT:
        weight = read(weight_pointer + of_sample, is_channel, INTERPRETED)
        y = y * tl.expand_dims(weight, P_AXIS)
    if HAS_BIAS:
        bias = read(bias_pointer + of_sample, is_channel, INTERPRETED)
        y = y + tl.expand_dims(bias, P_AXIS)
    y = activate(y, ACTIVATION)
    write(y_pointer + offset, y, inside, INTERPRETED)


@triton.jit(do_not_specialize=COUNTS)
def whole(
    x_pointer, y_pointer, weight_pointer, bias_pointer, statistics_pointer,
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,  # strides of x and y, in elements
    count,  # elements of a group, float32
    eps,
    D: tl.constexpr,  # channels of a group
    SAMPLES: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr,
    KEEP: tl.constexpr,  # the statistics
):  # fmt: skip
    """Normalize whole groups; the grid is (sample blocks * group blocks,)."""
    program = tl.program_id(0)
    sample, group, is_row = locate(
        program // group_blocks * SAMPLES, program % group_blocks * GROUPS, samples, groups, SAMPLES, GROUPS
    )
    base = sample.to(tl.int64) * stride_n
    lie = (positions, stride_c, stride_p)
    offset, inside, of_sample, is_channel = spread(
        (base, group, is_row), lie, 0, 0, D, CHANNELS, POSITIONS, P_AXIS, WIDE
    )
    x = read(x_pointer + offset, inside, INTERPRETED)
    first = read(x_pointer + (base + (group * D).to(tl.int64) * stride_c), is_row, INTERPRETED)

    mean, rest, squares = moments(x, first, inside, count, P_AXIS, INTERPRETED)
    scale = tl.full([SAMPLES * GROUPS], 1.0, tl.float32)
    inverse = tl.full([SAMPLES * GROUPS], 1.0, tl.float32)
    is_strange = squares - squares != 0.0
    if tl.reduce(is_strange.to(tl.float32), 0, tl.standard._sum_combine) > 0.0:
        scale = tl.where(is_strange, TINY, scale)
        inverse = tl.where(is_strange, HUGE, inverse)
        # Loaded again, and y made of it: x beside its scaled copy would spill.
        x = tl.load(x_pointer + offset, mask=inside, other=0.0, volatile=True).to(tl.float32)
        x = x * tl.expand_dims(tl.expand_dims(scale, 1), P_AXIS)
        mean, rest, squares = moments(x, first * scale, inside, count, P_AXIS, INTERPRETED)
    rstd = reciprocal_deviation(squares, count, eps * scale * scale)

    _write(
        x, y_pointer, offset, inside, of_sample, is_channel, (mean, rest, rstd), (weight_pointer, bias_pointer),
        P_AXIS, HAS_WEIGHT, HAS_BIAS, ACTIVATION, INTERPRETED,
    )  # fmt: skip
    if KEEP:
        keep(statistics_pointer, sample * groups + group, is_row, mean * inverse, rest * inverse, rstd * scale)


@triton.jit
def _sums(
    x_pointer,
    rows,
    lie,
    first_block,
    last_block,  # not taken
    blocks,  # along a group's positions
    D: tl.constexpr,
    GROUPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr,
    INTERPRETED: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Give mean (high, low) and squares, and these scaled, of some blocks of each of a tile's groups."""
    base, group, is_row = rows
    positions, stride_c, stride_p = lie
    channel = first_block // blocks * CHANNELS
    position = first_block % blocks * POSITIONS
    across = base + ((group * D + channel).to(tl.int64) * stride_c + position.to(tl.int64) * stride_p)
    before = 0.0
    high = read(x_pointer + across, is_row, INTERPRETED)
    low = tl.full([GROUPS], 0.0, tl.float32)
    squares = tl.full([GROUPS], 0.0, tl.float32)
    scaled = tl.full([GROUPS], 0.0, tl.float32)
    for block in range(first_block, last_block):
        channel = block // blocks * CHANNELS
        position = block % blocks * POSITIONS
        offset, inside, _, _ = spread(rows, lie, channel, position, D, CHANNELS, POSITIONS, P_AXIS, WIDE)
        x = read(x_pointer + offset, inside, INTERPRETED)
        # In float32: it is at most a tile's elements.
        count = (tl.minimum(positions - position, POSITIONS) * tl.minimum(D - channel, CHANNELS)).to(tl.float32)
        mean, rest, here = moments(x, high, inside, count, P_AXIS, INTERPRETED)
        scaled_here = here * TINY * TINY
        is_strange = here - here != 0.0
        if tl.reduce(is_strange.to(tl.float32), 0, tl.standard._sum_combine) > 0.0:
            # Loaded again: x beside its scaled copy would spill.
            x = tl.load(x_pointer + offset, mask=inside, other=0.0, volatile=True).to(tl.float32) * TINY
            scaled_mean, scaled_rest, redone = moments(x, high * TINY, inside, count, P_AXIS, INTERPRETED)
            mean = tl.where(is_strange, scaled_mean * HUGE, mean)
            rest = tl.where(is_strange, scaled_rest * HUGE, rest)
            scaled_here = tl.where(is_strange, redone, scaled_here)
        # Chan, Golub and LeVeque (1979), the mean in two parts.
        delta = (mean - high) + (rest - low)
        fraction = count / (before + count)
        shift = delta * fraction
        total = high + shift
        back = total - high
        low += (high - (total - back)) + (shift - back)
        high = total
        squares += here + delta * delta * (before * fraction)
        delta = delta * TINY
        scaled += scaled_here + delta * delta * (before * fraction)
        before += count
    return high, low, squares, scaled


@triton.jit(do_not_specialize=COUNTS)
def walk(
    x_pointer, y_pointer, weight_pointer, bias_pointer, statistics_pointer,
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    count, eps,
    blocks,  # along a group's positions
    all_blocks,  # of a group
    D: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Normalize whole groups block by block, forth and back; the grid is (samples * group blocks,)."""
    program = tl.program_id(0)
    sample, group, is_row = locate(program // group_blocks, program % group_blocks * GROUPS, samples, groups, 1, GROUPS)
    rows = (sample.to(tl.int64) * stride_n, group, is_row)
    lie = (positions, stride_c, stride_p)
    mean, rest, squares, scaled = _sums(
        x_pointer, rows, lie, program * 0, all_blocks, blocks, D, GROUPS, CHANNELS, POSITIONS, P_AXIS, INTERPRETED, WIDE
    )
    rstd = reciprocal_deviation(squares, count, eps)
    rstd = tl.where(squares - squares != 0.0, reciprocal_deviation(scaled, count, 0.0) * TINY, rstd)
    if KEEP:
        keep(statistics_pointer, sample * groups + group, is_row, mean, rest, rstd)
    for done in range(all_blocks):
        block = all_blocks - 1 - done
        offset, inside, of_sample, is_channel = spread(
            rows, lie, block // blocks * CHANNELS, block % blocks * POSITIONS, D, CHANNELS, POSITIONS, P_AXIS, WIDE
        )
        x = read(x_pointer + offset, inside, INTERPRETED)
        _write(
            x, y_pointer, offset, inside, of_sample, is_channel, (mean, rest, rstd), (weight_pointer, bias_pointer),
            P_AXIS, HAS_WEIGHT, HAS_BIAS, ACTIVATION, INTERPRETED,
        )  # fmt: skip


@triton.jit(do_not_specialize=COUNTS)
def statistics(
    x_pointer,
    slots_pointer,  # four planes of [rows of all samples, chunks], float32
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    blocks,  # tiles along a group's positions
    along,  # chunks of a group along its positions
    chunks,  # chunks of a group
    tiles,  # of a chunk
    D: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Sum up one chunk of each of a tile's groups; the grid is (samples * group blocks * chunks,)."""
    program = tl.program_id(0)
    chunk = program % chunks
    row_block = program // chunks
    sample, group, is_row = locate(
        row_block // group_blocks, row_block % group_blocks * GROUPS, samples, groups, 1, GROUPS
    )
    begin = chunk // along * blocks + chunk % along * tiles
    end = tl.minimum(begin + tiles, (chunk // along + 1) * blocks)
    rows = (sample.to(tl.int64) * stride_n, group, is_row)
    lie = (positions, stride_c, stride_p)
    high, low, squares, scaled = _sums(
        x_pointer, rows, lie, begin, end, blocks, D, GROUPS, CHANNELS, POSITIONS, P_AXIS, INTERPRETED, WIDE
    )
    plane = (samples * groups).to(tl.int64) * chunks
    slot = slots_pointer + ((sample * groups + group).to(tl.int64) * chunks + chunk)
    tl.store(slot, high, mask=is_row)
    tl.store(slot + plane, low, mask=is_row)
    tl.store(slot + 2 * plane, squares, mask=is_row)
    tl.store(slot + 3 * plane, scaled, mask=is_row)


@triton.jit(do_not_specialize=COUNTS)
def merge(
    slots_pointer, statistics_pointer, rows,
    positions,
    along, chunks, span,  # of the chunks: see ``chan``
    count, eps,
    D: tl.constexpr, CHANNELS: tl.constexpr, SLOTS: tl.constexpr,
):  # fmt: skip
    """Merge one row's chunks; the grid is (N * G,)."""
    row = tl.program_id(0) + tl.arange(0, 1)
    is_row = row < rows
    parts = (positions, along, chunks, span)
    mean, rest, rstd = merged(slots_pointer, row, is_row, rows, parts, count, eps, 1, D, CHANNELS, SLOTS)
    keep(statistics_pointer, row, is_row, mean, rest, rstd)


@triton.jit(do_not_specialize=COUNTS)
def apply(
    x_pointer, y_pointer, weight_pointer, bias_pointer, statistics_pointer,
    slots_pointer,
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    count, eps,
    blocks, chunks,
    slots_along, slots_chunks, span,  # of the chunks of ``statistics``
    D: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    SLOTS: tl.constexpr,  # 0: the statistics are there
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Normalize one chunk of each of a tile's groups, the last first; the grid is ``statistics``'s."""
    program = tl.num_programs(0) - 1 - tl.program_id(0)
    chunk = program % chunks
    row_block = program // chunks
    sample, group, is_row = locate(
        row_block // group_blocks, row_block % group_blocks * GROUPS, samples, groups, 1, GROUPS
    )
    row = sample * groups + group
    if SLOTS == 0:
        at = statistics_pointer + row.to(tl.int64) * 3
        mean = tl.load(at, mask=is_row, other=0.0)
        rest = tl.load(at + 1, mask=is_row, other=0.0)
        rstd = tl.load(at + 2, mask=is_row, other=0.0)
    else:
        parts = (positions, slots_along, slots_chunks, span)
        mean, rest, rstd = merged(
            slots_pointer, row, is_row, samples * groups, parts, count, eps, GROUPS, D, CHANNELS, SLOTS
        )
        if KEEP:  # noqa: SIM102 (one is known to the compiler, the other is not)
            if chunk == 0:
                keep(statistics_pointer, row, is_row, mean, rest, rstd)

    rows = (sample.to(tl.int64) * stride_n, group, is_row)
    lie = (positions, stride_c, stride_p)
    offset, inside, of_sample, is_channel = spread(
        rows, lie, chunk // blocks * CHANNELS, chunk % blocks * POSITIONS, D, CHANNELS, POSITIONS, P_AXIS, WIDE
    )
    x = read(x_pointer + offset, inside, INTERPRETED)
    _write(
        x, y_pointer, offset, inside, of_sample, is_channel, (mean, rest, rstd), (weight_pointer, bias_pointer),
        P_AXIS, HAS_WEIGHT, HAS_BIAS, ACTIVATION, INTERPRETED,
    )  # fmt: skip
