"""The Triton kernel: one program a group, x read twice for its statistics and once to be normalized.

Bytes: 2 S where a group stays in L2, 4 S where it does not. Contiguous and channels_last differ in the order in
which a group's elements are counted, so that neighbors in a tile are neighbors in memory. No program waits for another.

The mean comes first and squares are centered about it: E[x^2] - E[x]^2 in float32 has no digit left at a mean of
1e4 and a spread of 1. What rounding took from the mean is found by the second sweep and taken off as well.

Everything below is read by Triton's compiler, which knows no annotations: see ``triton/__init__`` for the call.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-decorators=False, disallow-untyped-calls=False
from __future__ import annotations

import triton
import triton.language as tl


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
    WIDE: tl.constexpr,  # offsets within a group need 64 bits, which divide three times slower
    BLOCK: tl.constexpr,
):
    """Normalize one group of a sample; the grid is (N * G,)."""
    program = tl.program_id(0)
    group = program % groups
    base = (program // groups).to(tl.int64) * stride_n + (group * channels).to(tl.int64) * stride_c
    x_group = x_pointer + base
    y_group = y_pointer + base
    count = channels * positions
    lane = tl.arange(0, BLOCK)
    if WIDE:
        lane = lane.to(tl.int64)

    total = tl.zeros([BLOCK], tl.float32)
    for begin in range(0, count, BLOCK):
        at = begin + lane
        if CHANNELS_LAST:
            offset = at % channels * stride_c + at // channels * stride_p
        else:
            offset = at
        total += tl.load(x_group + offset, mask=at < count, other=0.0).to(tl.float32)
    mean = tl.sum(total, 0) / count

    first = tl.zeros([BLOCK], tl.float32)
    second = tl.zeros([BLOCK], tl.float32)
    for begin in range(0, count, BLOCK):
        at = begin + lane
        if CHANNELS_LAST:
            offset = at % channels * stride_c + at // channels * stride_p
        else:
            offset = at
        x = tl.load(x_group + offset, mask=at < count, other=0.0).to(tl.float32)
        centered = tl.where(at < count, x - mean, 0.0)
        first += centered
        second += centered * centered
    deviation = tl.sum(first, 0)
    rest = deviation / count
    variance = (tl.sum(second, 0) - deviation * rest) / count
    variance = tl.where(variance < 0.0, 0.0, variance)  # a maximum would lose a NaN
    rstd = 1.0 / tl.sqrt_rn(variance + eps)

    for begin in range(0, count, BLOCK):
        at = begin + lane
        if CHANNELS_LAST:
            channel = at % channels
            offset = channel * stride_c + at // channels * stride_p
        else:
            channel = at // positions
            offset = at
        mask = at < count
        x = tl.load(x_group + offset, mask=mask, other=0.0).to(tl.float32)
        y = ((x - mean) - rest) * rstd
        if HAS_WEIGHT:
            y = y * tl.load(weight_pointer + group * channels + channel, mask=mask, other=0.0).to(tl.float32)
        if HAS_BIAS:
            y = y + tl.load(bias_pointer + group * channels + channel, mask=mask, other=0.0).to(tl.float32)
        if ACTIVATION == "silu":
            y = y / (1.0 + tl.exp(-y))
        elif ACTIVATION == "relu":
            y = tl.where(y < 0.0, 0.0, y)
        tl.store(y_group + offset, y.to(y_pointer.dtype.element_ty), mask=mask)
