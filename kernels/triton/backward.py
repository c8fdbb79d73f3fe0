"""The backward kernels: a whole group's x and dy read once, or its chunks' sums, their merge, and dx.

With n = (x - mean) * rstd, z = n * w + b and dz = dy * activation'(z):
dbias = sum dz and dweight = sum dz * n over samples and positions, and with sums over a group's m elements
dx = rstd * (dz * w - (sum dz * w) / m - n * (sum dz * w * n) / m). Both sums are those of its channels times w.

``whole``   x, dy once, dx once: 3 S bytes, and 8 bytes a channel for each block of samples.
``walk``    x, dy twice by one program, dx once: 3 S from memory while both fit in L1.
``sums``    x, dy once; 8 bytes a channel and chunk, which ``partials`` adds up.
``apply``   x, dy again, dx: 5 S in all, walking backwards as the forward's does.
"""

# ruff: noqa: PLR0917, SLF001 (a kernel's arguments are numbers, given by name where it is launched)
# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl

from .record import COUNTS
from .tiles import locate, over_positions, read, spread, through_activation, write


@triton.jit
def _affine(
    affine,  # pointers to weight and bias
    of_sample,
    is_channel,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Give weight and bias of a tile's channels, 1 and 0 where there are none; [rows, channels]."""
    weight_pointer, bias_pointer = affine
    weight = tl.full([ROWS, CHANNELS], 1.0, tl.float32)
    bias = tl.full([ROWS, CHANNELS], 0.0, tl.float32)
    if HAS_WEIGHT:
        weight = read(weight_pointer + of_sample, is_channel, INTERPRETED)
    if HAS_BIAS:
        bias = read(bias_pointer + of_sample, is_channel, INTERPRETED)
    return weight, bias


@triton.jit
def _gradients(
    inputs,  # pointers to dy, x and the statistics
    offset,
    inside,
    row,  # 64 bits
    is_row,
    weight,
    bias,
    P_AXIS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Give dz and n of a tile, 0 outside, and each row's rstd."""
    dy_pointer, x_pointer, statistics_pointer = inputs
    x = read(x_pointer + offset, inside, INTERPRETED)
    dz = read(dy_pointer + offset, inside, INTERPRETED)
    at = statistics_pointer + row * 3
    mean = tl.load(at, mask=is_row, other=0.0)
    rest = tl.load(at + 1, mask=is_row, other=0.0)
    rstd = tl.load(at + 2, mask=is_row, other=0.0)
    n = (x - tl.expand_dims(tl.expand_dims(mean, 1), P_AXIS)) - tl.expand_dims(tl.expand_dims(rest, 1), P_AXIS)
    n = tl.where(inside, n * tl.expand_dims(tl.expand_dims(rstd, 1), P_AXIS), 0.0)
    if ACTIVATION != "none":
        z = n * tl.expand_dims(weight, P_AXIS) + tl.expand_dims(bias, P_AXIS)
        dz = through_activation(dz, z, ACTIVATION)
    return dz, n, rstd


@triton.jit
def _write(
    dx_pointer,
    offset,
    inside,
    gradients,  # dz, n and rstd
    weight,
    means,  # of dz * w and of dz * w * n over a group; each [rows]
    P_AXIS: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Write dx of a tile."""
    dz, n, rstd = gradients
    first, second = means
    dx = dz * tl.expand_dims(weight, P_AXIS) - tl.expand_dims(tl.expand_dims(first, 1), P_AXIS)
    dx = dx - n * tl.expand_dims(tl.expand_dims(second, 1), P_AXIS)
    dx = dx * tl.expand_dims(tl.expand_dims(rstd, 1), P_AXIS)
    write(dx_pointer + offset, dx, inside, INTERPRETED)


@triton.jit(do_not_specialize=COUNTS)
def whole(
    dy_pointer, x_pointer, statistics_pointer, weight_pointer, bias_pointer,
    dx_pointer,
    partials_pointer,  # two planes of [sample blocks * SAMPLES, C], of dbias and of dweight, float32
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    count,  # elements of a group, float32
    samples_each,  # of a program, a multiple of SAMPLES
    D: tl.constexpr,  # channels of a group
    SAMPLES: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr,
    NEED_DX: tl.constexpr, NEED_SUMS: tl.constexpr,  # for dweight or dbias
):  # fmt: skip
    """Take whole groups, sample by sample; the grid is (sample blocks * group blocks,)."""
    program = tl.program_id(0)
    block = program // group_blocks
    begin = block * samples_each
    inputs = (dy_pointer, x_pointer, statistics_pointer)
    lie = (positions, stride_c, stride_p)
    bias_sums = tl.full([SAMPLES * GROUPS, CHANNELS], 0.0, tl.float32)
    weight_sums = tl.full([SAMPLES * GROUPS, CHANNELS], 0.0, tl.float32)
    for first in range(begin, tl.minimum(begin + samples_each, samples), SAMPLES):
        sample, group, is_row = locate(first, program % group_blocks * GROUPS, samples, groups, SAMPLES, GROUPS)
        rows = (sample.to(tl.int64) * stride_n, group, is_row)
        offset, inside, of_sample, is_channel = spread(rows, lie, 0, 0, D, CHANNELS, POSITIONS, P_AXIS, WIDE)
        weight, bias = _affine(
            (weight_pointer, bias_pointer),
            of_sample,
            is_channel,
            SAMPLES * GROUPS,
            CHANNELS,
            HAS_WEIGHT,
            HAS_BIAS,
            INTERPRETED,
        )
        row = (sample * groups + group).to(tl.int64)
        dz, n, rstd = _gradients(inputs, offset, inside, row, is_row, weight, bias, P_AXIS, ACTIVATION, INTERPRETED)
        of_bias = over_positions(dz, P_AXIS, INTERPRETED)
        of_weight = over_positions(dz * n, P_AXIS, INTERPRETED)
        if NEED_SUMS:
            bias_sums += of_bias
            weight_sums += of_weight
        if NEED_DX:
            first_mean = tl.reduce(of_bias * weight, 1, tl.standard._sum_combine) / count
            second_mean = tl.reduce(of_weight * weight, 1, tl.standard._sum_combine) / count
            _write(dx_pointer, offset, inside, (dz, n, rstd), weight, (first_mean, second_mean), P_AXIS, INTERPRETED)
    if NEED_SUMS:
        lane = tl.arange(0, SAMPLES * GROUPS)
        group = program % group_blocks * GROUPS + lane % GROUPS
        channel = tl.arange(0, CHANNELS)[None, :]
        line = (block * SAMPLES + lane // GROUPS).to(tl.int64) * (groups * D)
        plane = (tl.num_programs(0) // group_blocks * SAMPLES).to(tl.int64) * (groups * D)
        at = partials_pointer + (line[:, None] + ((group * D)[:, None] + channel))
        inside = (group < groups)[:, None] & (channel < D)
        tl.store(at, bias_sums, mask=inside)
        tl.store(at + plane, weight_sums, mask=inside)


@triton.jit
def _channel_sums(
    inputs,
    affine,
    rows,
    row,
    lie,
    first_channel,
    begin,
    end,
    D: tl.constexpr,
    GROUPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr,
    INTERPRETED: tl.constexpr,
    WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
):
    """Give the sums of dz and of dz * n over positions begin to end, tile by tile, weight, and where they belong."""
    _base, group, is_row = rows
    channel = first_channel + tl.arange(0, CHANNELS)
    of_sample = (group * D)[:, None] + channel[None, :]
    is_channel = is_row[:, None] & (channel < D)[None, :]
    weight, bias = _affine(affine, of_sample, is_channel, GROUPS, CHANNELS, HAS_WEIGHT, HAS_BIAS, INTERPRETED)
    bias_sums = tl.full([GROUPS, CHANNELS], 0.0, tl.float32)
    weight_sums = tl.full([GROUPS, CHANNELS], 0.0, tl.float32)
    for at in range(begin, end, POSITIONS):
        offset, inside, _, _ = spread(rows, lie, first_channel, at, D, CHANNELS, POSITIONS, P_AXIS, WIDE)
        dz, n, _ = _gradients(inputs, offset, inside, row, is_row, weight, bias, P_AXIS, ACTIVATION, INTERPRETED)
        bias_sums += over_positions(dz, P_AXIS, INTERPRETED)
        weight_sums += over_positions(dz * n, P_AXIS, INTERPRETED)
    return bias_sums, weight_sums, weight, of_sample, is_channel


@triton.jit
def _block(
    inputs,
    dx_pointer,
    affine,
    rows,
    row,
    lie,
    means,
    first_channel,
    first_position,
    D: tl.constexpr,
    GROUPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr,
    WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Read one block of each of a tile's groups again and write its dx."""
    _, _, is_row = rows
    offset, inside, of_sample, is_channel = spread(
        rows, lie, first_channel, first_position, D, CHANNELS, POSITIONS, P_AXIS, WIDE
    )
    weight, bias = _affine(affine, of_sample, is_channel, GROUPS, CHANNELS, HAS_WEIGHT, HAS_BIAS, INTERPRETED)
    dz, n, rstd = _gradients(inputs, offset, inside, row, is_row, weight, bias, P_AXIS, ACTIVATION, INTERPRETED)
    _write(dx_pointer, offset, inside, (dz, n, rstd), weight, means, P_AXIS, INTERPRETED)


@triton.jit(do_not_specialize=COUNTS)
def walk(
    dy_pointer, x_pointer, statistics_pointer, weight_pointer, bias_pointer,
    dx_pointer,
    partials_pointer,  # two planes of [samples, C]
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    count,
    blocks, across,  # along positions, and of channels
    D: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr,
    NEED_DX: tl.constexpr,
):  # fmt: skip
    """Take whole groups block by block, forth and back; the grid is (samples * group blocks,)."""
    program = tl.program_id(0)
    sample, group, is_row = locate(program // group_blocks, program % group_blocks * GROUPS, samples, groups, 1, GROUPS)
    inputs = (dy_pointer, x_pointer, statistics_pointer)
    affine = (weight_pointer, bias_pointer)
    rows = (sample.to(tl.int64) * stride_n, group, is_row)
    row = (sample * groups + group).to(tl.int64)
    lie = (positions, stride_c, stride_p)
    line = sample.to(tl.int64)[:, None] * (groups * D)
    plane = samples.to(tl.int64) * (groups * D)
    first_sums = tl.full([GROUPS, CHANNELS], 0.0, tl.float32)
    second_sums = tl.full([GROUPS, CHANNELS], 0.0, tl.float32)
    for place in range(across):
        of_bias, of_weight, weight, of_sample, is_channel = _channel_sums(
            inputs, affine, rows, row, lie, place * CHANNELS, 0, positions,
            D, GROUPS, CHANNELS, POSITIONS, P_AXIS, INTERPRETED, WIDE, HAS_WEIGHT, HAS_BIAS, ACTIVATION,
        )  # fmt: skip
        tl.store(partials_pointer + (line + of_sample), of_bias, mask=is_channel)
        tl.store(partials_pointer + (plane + (line + of_sample)), of_weight, mask=is_channel)
        first_sums += of_bias * weight
        second_sums += of_weight * weight
    if NEED_DX:
        first_mean = tl.reduce(first_sums, 1, tl.standard._sum_combine) / count
        second_mean = tl.reduce(second_sums, 1, tl.standard._sum_combine) / count
        for done in range(across * blocks):
            block = across * blocks - 1 - done
            _block(
                inputs, dx_pointer, affine, rows, row, lie, (first_mean, second_mean),
                block // blocks * CHANNELS, block % blocks * POSITIONS,
                D, GROUPS, CHANNELS, POSITIONS, P_AXIS, WIDE, HAS_WEIGHT, HAS_BIAS, ACTIVATION, INTERPRETED,
            )  # fmt: skip


@triton.jit(do_not_specialize=COUNTS)
def sums(
    dy_pointer, x_pointer, statistics_pointer, weight_pointer, bias_pointer,
    slots_pointer,  # two planes of [samples, C, along], of dz and of dz * n, float32
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    along,  # chunks of a group along its positions
    chunks,  # chunks of a group
    tiles,  # of a chunk
    D: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr,
):  # fmt: skip
    """Sum up one chunk of each of a tile's groups, channel by channel."""
    program = tl.program_id(0)
    chunk = program % chunks
    row_block = program // chunks
    sample, group, is_row = locate(
        row_block // group_blocks, row_block % group_blocks * GROUPS, samples, groups, 1, GROUPS
    )
    begin = chunk % along * tiles * POSITIONS
    end = tl.minimum(begin + tiles * POSITIONS, positions)
    rows = (sample.to(tl.int64) * stride_n, group, is_row)
    of_bias, of_weight, _, of_sample, is_channel = _channel_sums(
        (dy_pointer, x_pointer, statistics_pointer), (weight_pointer, bias_pointer),
        rows, (sample * groups + group).to(tl.int64), (positions, stride_c, stride_p),
        chunk // along * CHANNELS, begin, end,
        D, GROUPS, CHANNELS, POSITIONS, P_AXIS, INTERPRETED, WIDE, HAS_WEIGHT, HAS_BIAS, ACTIVATION,
    )  # fmt: skip
    line = sample.to(tl.int64)[:, None] * (groups * D) + of_sample
    slot = slots_pointer + (line * along + chunk % along)
    tl.store(slot, of_bias, mask=is_channel)
    tl.store(slot + (samples * groups).to(tl.int64) * D * along, of_weight, mask=is_channel)


@triton.jit(do_not_specialize=COUNTS)
def apply(
    dy_pointer, x_pointer, statistics_pointer, weight_pointer, bias_pointer,
    dx_pointer, means_pointer,  # [rows, 2], of ``partials.merge``
    samples, groups, group_blocks,
    positions, stride_n, stride_c, stride_p,
    blocks, chunks,
    D: tl.constexpr, GROUPS: tl.constexpr, CHANNELS: tl.constexpr, POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr, WIDE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr,
):  # fmt: skip
    """Give dx of one block of each of a tile's groups, the last first."""
    program = tl.num_programs(0) - 1 - tl.program_id(0)
    chunk = program % chunks
    row_block = program // chunks
    sample, group, is_row = locate(
        row_block // group_blocks, row_block % group_blocks * GROUPS, samples, groups, 1, GROUPS
    )
    row = (sample * groups + group).to(tl.int64)
    first_mean = tl.load(means_pointer + row * 2, mask=is_row, other=0.0)
    second_mean = tl.load(means_pointer + (row * 2 + 1), mask=is_row, other=0.0)
    rows = (sample.to(tl.int64) * stride_n, group, is_row)
    _block(
        (dy_pointer, x_pointer, statistics_pointer), dx_pointer, (weight_pointer, bias_pointer),
        rows, row, (positions, stride_c, stride_p), (first_mean, second_mean),
        chunk // blocks * CHANNELS, chunk % blocks * POSITIONS,
        D, GROUPS, CHANNELS, POSITIONS, P_AXIS, WIDE, HAS_WEIGHT, HAS_BIAS, ACTIVATION, INTERPRETED,
    )  # fmt: skip
