"""What the Triton kernels share: where a tile lies, its sums, the activations, and rounding where nobody rounds.

A tile is [rows, channels, positions] of x, or [positions, rows, channels] for channels_last, so that neighbors in a
tile are neighbors in memory; P_AXIS, 2 or 0, is the axis of its positions. A row is one group of one sample.

tl.sum and tl.zeros are kernels too, compiled or interpreted for good when Triton is imported; what they are made of
is not. So these can be interpreted even where somebody, as torch.compile does, has imported Triton before.
_sum_combine is the one reduction that the interpreter knows as a sum: any other it makes element by element.
The interpreter pays half a millisecond for each call of one function by another.

Everything below is read by Triton's compiler, which knows no annotations.
"""

# ruff: noqa: PLR0917, SLF001 (a kernel's arguments are numbers, given by name at the launch; _sum_combine: see above)
# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl

TINY = tl.constexpr(2.0**-96)
"""Scales a group whose squares overflow: 1e38 becomes 1e9, and what it loses is 1e-29 of the largest."""
HUGE = tl.constexpr(2.0**96)


@triton.jit
def locate(first_sample, first_group, samples, groups, SAMPLES: tl.constexpr, GROUPS: tl.constexpr):
    """Give each row of a tile its sample, its group, and whether there is such a one."""
    lane = tl.arange(0, SAMPLES * GROUPS)
    sample = first_sample + lane // GROUPS
    group = first_group + lane % GROUPS
    return sample, group, (sample < samples) & (group < groups)


@triton.jit
def spread(
    rows,  # where each begins, 64 bits; its group; whether there is such a one
    lie,  # positions, and the strides of channels and of positions
    first_channel,
    first_position,
    D: tl.constexpr,  # channels of a group
    CHANNELS: tl.constexpr,
    POSITIONS: tl.constexpr,
    P_AXIS: tl.constexpr,
    WIDE: tl.constexpr,  # offsets within a sample need 64 bits
):
    """Give a tile's offsets, which are inside, and its channels [rows, channels] and which of them are."""
    base, group, is_row = rows
    positions, stride_c, stride_p = lie
    channel = first_channel + tl.arange(0, CHANNELS)
    position = first_position + tl.arange(0, POSITIONS)
    of_sample = (group * D)[:, None] + channel[None, :]
    is_channel = is_row[:, None] & (channel < D)[None, :]
    position = position[:, None, None] if P_AXIS == 0 else position[None, None, :]
    inside = tl.expand_dims(is_channel, P_AXIS) & (position < positions)
    if WIDE:
        along = position.to(tl.int64) * stride_p
        across = of_sample.to(tl.int64) * stride_c
    else:
        along = position * stride_p
        across = of_sample * stride_c
    offset = tl.expand_dims(tl.expand_dims(base, 1), P_AXIS) + (tl.expand_dims(across, P_AXIS) + along)
    return offset, inside, of_sample, is_channel


@triton.jit
def over_positions(values, P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr):
    """Sum a tile's positions; interpreted, fold it first: numpy adds up a first axis one by one and loses digits."""
    if INTERPRETED and P_AXIS == 0:
        for _ in tl.static_range(4):
            if values.shape[0] >= 64:
                parts = tl.reshape(values, [16, values.shape[0] // 16, values.shape[1], values.shape[2]])
                values = tl.reduce(parts, 0, tl.standard._sum_combine)
    return tl.reduce(values, P_AXIS, tl.standard._sum_combine)


@triton.jit
def moments(x, shift, inside, count, P_AXIS: tl.constexpr, INTERPRETED: tl.constexpr):
    """Give each row's mean, what rounding took from it, and the sum of squares about both; all [rows].

    The mean comes first and squares are centered about it: E[x^2] - E[x]^2 in float32 has no digit left at a mean of
    1e4 and a spread of 1. ``shift``, a row's first element, makes a constant row's mean exactly that constant.
    """
    start = tl.expand_dims(tl.expand_dims(shift, 1), P_AXIS)
    sums = over_positions(tl.where(inside, x - start, 0.0), P_AXIS, INTERPRETED)
    mean = shift + tl.reduce(sums, 1, tl.standard._sum_combine) / count
    centered = tl.where(inside, x - tl.expand_dims(tl.expand_dims(mean, 1), P_AXIS), 0.0)
    deviation = tl.reduce(over_positions(centered, P_AXIS, INTERPRETED), 1, tl.standard._sum_combine)
    squares = tl.reduce(over_positions(centered * centered, P_AXIS, INTERPRETED), 1, tl.standard._sum_combine)
    rest = deviation / count
    return mean, rest, squares - deviation * rest


@triton.jit
def reciprocal_deviation(squares, count, eps):
    """Give 1 / sqrt(variance + eps), correctly rounded twice."""
    variance = tl.where(squares < 0.0, 0.0, squares) / count  # a maximum would lose a NaN
    return tl.div_rn(1.0, tl.sqrt_rn(variance + eps))


@triton.jit
def activate(y, ACTIVATION: tl.constexpr):
    """Give silu(y), relu(y) or y."""
    if ACTIVATION == "silu":
        y = y / (1.0 + tl.exp(-y))
    elif ACTIVATION == "relu":
        y = tl.where(y < 0.0, 0.0, y)
    return y


@triton.jit
def through_activation(dy, z, ACTIVATION: tl.constexpr):
    """Give the gradient before the activation of z. One exp and one division serve sigmoid(z) and sigmoid(-z).

    1 - sigmoid(z) would lose all digits where sigmoid(z) is nearly 1.
    """
    if ACTIVATION == "silu":
        power = tl.exp(-tl.abs(z))
        larger = 1.0 / (1.0 + power)
        smaller = power * larger
        sigmoid = tl.where(z >= 0.0, larger, smaller)
        dy = dy * (sigmoid * (1.0 + z * tl.where(z >= 0.0, smaller, larger)))
    elif ACTIVATION == "relu":
        dy = tl.where(z <= 0.0, 0.0, dy)
    return dy


@triton.jit
def read(pointers, inside, INTERPRETED: tl.constexpr):
    """Load as float32, 0 outside. The interpreter would garble a subnormal bfloat16; by its bits it does not."""
    values = tl.load(pointers, mask=inside, other=0.0)
    if INTERPRETED and pointers.dtype.element_ty == tl.bfloat16:
        wide = (values.to(tl.int16, bitcast=True).to(tl.int32) << 16).to(tl.float32, bitcast=True)
    else:
        wide = values.to(tl.float32)
    return wide


@triton.jit
def write(pointers, y, inside, INTERPRETED: tl.constexpr):
    """Store float32 in the pointers' type, rounded to nearest, ties to even.

    The interpreter would cut the bits of a bfloat16 off, and garble a subnormal; by integers it does neither.
    """
    if INTERPRETED and pointers.dtype.element_ty == tl.bfloat16:
        bits = y.to(tl.int32, bitcast=True)
        is_number = (bits & 0x7FFFFFFF) <= 0x7F800000
        rounded = tl.where(is_number, bits + 0x7FFF + ((bits >> 16) & 1), 0x7FC00000)
        tl.store(pointers, (rounded >> 16).to(tl.int16).to(tl.bfloat16, bitcast=True), mask=inside)
    else:
        tl.store(pointers, y.to(pointers.dtype.element_ty), mask=inside)


@triton.jit
def keep(statistics_pointer, row, is_row, mean, rest, rstd):
    """Write what backward needs of each row: the mean in two parts, and the reciprocal deviation."""
    at = statistics_pointer + row.to(tl.int64) * 3
    tl.store(at, mean, mask=is_row)
    tl.store(at + 1, rest, mask=is_row)
    tl.store(at + 2, rstd, mask=is_row)
