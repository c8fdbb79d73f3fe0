"""The Triton kernel: one program a group, x read twice for its statistics and once to be normalized.

Bytes: 2 S where a group stays in L2, 4 S where it does not. Contiguous and channels_last differ in the order in
which a group's elements are counted, so that neighbors in a tile are neighbors in memory. No program waits for another.

The mean comes first and squares are centered about it: E[x^2] - E[x]^2 in float32 has no digit left at a mean of
1e4 and a spread of 1. What rounding took from the mean is found by the second sweep and taken off as well.

The interpreter pays half a millisecond for each call of one function by another, so little is called in a loop.

Everything below is read by Triton's compiler, which knows no annotations: see ``triton/__init__`` for the call.
"""

# ruff: noqa: PLR0917, SLF001 (a kernel's arguments are numbers, given by name where it is launched; _sum_combine: see below)
# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl

# tl.sum and tl.zeros are kernels too, compiled or interpreted for good when Triton is imported; what they are made of
# is not. So this one can be interpreted even where somebody, as torch.compile does, has imported Triton before.
# _sum_combine is the one reduction that the interpreter knows as a sum: any other it makes element by element.


@triton.jit
def _statistics(
    x_group, lane, channels, count, stride_c, stride_p, eps, CHANNELS_LAST: tl.constexpr, BLOCK: tl.constexpr
):
    """Give a group's mean, what rounding took from it, and the reciprocal of the standard deviation."""
    total = tl.full([BLOCK], 0.0, tl.float32)
    for begin in range(0, count, BLOCK):
        at = begin + lane
        offset = at % channels * stride_c + at // channels * stride_p if CHANNELS_LAST else at
        total += tl.load(x_group + offset, mask=at < count, other=0.0).to(tl.float32)
    mean = tl.reduce(total, 0, tl.standard._sum_combine) / count

    first = tl.full([BLOCK], 0.0, tl.float32)
    second = tl.full([BLOCK], 0.0, tl.float32)
    for begin in range(0, count, BLOCK):
        at = begin + lane
        offset = at % channels * stride_c + at // channels * stride_p if CHANNELS_LAST else at
        x = tl.load(x_group + offset, mask=at < count, other=0.0).to(tl.float32)
        centered = tl.where(at < count, x - mean, 0.0)
        first += centered
        second += centered * centered
    deviation = tl.reduce(first, 0, tl.standard._sum_combine)
    rest = deviation / count
    variance = (tl.reduce(second, 0, tl.standard._sum_combine) - deviation * rest) / count
    variance = tl.where(variance < 0.0, 0.0, variance)  # a maximum would lose a NaN
    return mean, rest, 1.0 / tl.sqrt_rn(variance + eps)


@triton.jit
def _activate(y, ACTIVATION: tl.constexpr):
    if ACTIVATION == "silu":
        y = y / (1.0 + tl.exp(-y))
    elif ACTIVATION == "relu":
        y = tl.where(y < 0.0, 0.0, y)
    return y


@triton.jit
def _nearest_bfloat16(y):
    """Round float32 to the nearest bfloat16, ties to even, and leave a NaN alone."""
    bits = y.to(tl.int32, bitcast=True)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & -65536
    is_number = (bits & 0x7FFFFFFF) <= 0x7F800000
    return tl.where(is_number, rounded.to(tl.float32, bitcast=True), y)


@triton.jit
def group_norm_kernel(
    x_pointer,
    y_pointer,
    weight_pointer,
    bias_pointer,
    groups,
    channels,  # of one group
    positions,
    stride_n,  # strides of x and y, in elements
    stride_c,
    stride_p,
    eps,
    CHANNELS_LAST: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    ROUND: tl.constexpr,  # bfloat16 in the interpreter, which would cut the bits off
    WIDE: tl.constexpr,  # offsets within a sample need 64 bits, in which a division is a subroutine
    BLOCK: tl.constexpr,
):
    """Normalize one group of a sample; the grid is (N * G,)."""
    program = tl.program_id(0)
    first_channel = program % groups * channels
    base = (program // groups).to(tl.int64) * stride_n + first_channel.to(tl.int64) * stride_c
    x_group = x_pointer + base
    y_group = y_pointer + base
    count = channels * positions
    lane = tl.arange(0, BLOCK)
    if WIDE:
        lane = lane.to(tl.int64)
    mean, rest, rstd = _statistics(x_group, lane, channels, count, stride_c, stride_p, eps, CHANNELS_LAST, BLOCK)
    for begin in range(0, count, BLOCK):
        at = begin + lane
        mask = at < count
        offset = at % channels * stride_c + at // channels * stride_p if CHANNELS_LAST else at
        channel = first_channel + (at % channels if CHANNELS_LAST else at // positions)
        y = ((tl.load(x_group + offset, mask=mask, other=0.0).to(tl.float32) - mean) - rest) * rstd
        if HAS_WEIGHT:
            y = y * tl.load(weight_pointer + channel, mask=mask, other=0.0).to(tl.float32)
        if HAS_BIAS:
            y = y + tl.load(bias_pointer + channel, mask=mask, other=0.0).to(tl.float32)
        y = _activate(y, ACTIVATION)
        if ROUND:
            y = _nearest_bfloat16(y)
        tl.store(y_group + offset, y.to(y_pointer.dtype.element_ty), mask=mask)
