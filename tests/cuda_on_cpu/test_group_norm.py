"""The CUDA source of the row ``cuda``, executed: right in every launch that the launcher chooses, and silent.

Left out: large shapes. A block's shape follows from a line's length and a group's size, each to the next power of two,
so small ones reach one warp, several, all 32, and lines shorter and longer than a block is wide.
"""

import cuda_on_cpu as cpu
import forward
import pytest
import torch

from kernels.cuda.build import variants

SHAPES = {
    (2, 6): 3,  # a group of two elements, and no positions beside
    (2, 8, 1, 1): 8,  # one element a group
    (1, 6, 33): 2,
    (2, 12, 7, 5): 3,  # odd
    (1, 4, 20, 40): 1,  # one group of 3,200: 1,024 threads, lines longer than a warp
    (1, 10, 23, 29): 10,  # a group a channel
    (2, 4, 3, 5, 7): 2,
}
CASES = [(shape, False) for shape in SHAPES] + [(shape, True) for shape in SHAPES if len(shape) > 3]


def _close(y, truth):
    largest = truth.abs().max()
    if y.dtype == torch.float32:
        return (y.double() - truth).abs().max() <= 4e-7 * largest
    # As near as the type allows, but for one in a thousand.
    return (y != truth.to(y.dtype)).sum() <= max(1, y.numel() // 1000)


@pytest.mark.parametrize("variant", variants(), ids="-".join)
def test_every_variant_is_right_in_every_launch(sanitizer, variant):
    dtype, weight_dtype = (getattr(torch, name) for name in variant[:2])
    built = forward.module(dtype, weight_dtype, variant[2], sanitizer)
    for shape, channels_last in CASES:
        x, weight, bias = forward.inputs(shape, dtype, weight_dtype, channels_last=channels_last)
        y = forward.forward(built, x, SHAPES[shape], weight, bias)
        truth = forward.oracle(x, SHAPES[shape], weight, bias, activation=variant[2])
        assert y.stride() == x.stride()
        assert _close(y, truth), (shape, channels_last, (y.double() - truth).abs().max())


@pytest.mark.parametrize(("weight", "bias"), [(False, False), (True, False), (False, True)])
def test_weight_and_bias_may_each_be_absent(sanitizer, weight, bias):
    x, w, b = forward.inputs((2, 12, 7, 5))
    w, b = w if weight else None, b if bias else None
    y = forward.forward(forward.module(torch.float32, torch.float32, "none", sanitizer), x, 3, w, b)
    assert _close(y, forward.oracle(x, 3, w, b))


def test_the_order_of_blocks_and_threads_is_not_in_the_bits(sanitizer):
    built = forward.module(torch.float32, torch.float32, "silu", sanitizer)
    x, weight, bias = forward.inputs((2, 12, 20, 21))
    first, *others = (forward.forward(built, x, 3, weight, bias, seed=seed) for seed in range(4))
    assert all(torch.equal(first, other) for other in others)


def test_a_poisoned_group_poisons_itself_alone(sanitizer):
    built = forward.module(torch.float32, torch.float32, "none", sanitizer)
    x, weight, bias = forward.inputs((2, 12, 7, 5))
    clean = forward.forward(built, x, 3, weight, bias)
    x[1, 5, 3, 2] = float("nan")
    y = forward.forward(built, x, 3, weight, bias)
    assert y[1, 4:8].isnan().all()
    assert torch.equal(y[0], clean[0])
    assert torch.equal(y[1, :4], clean[1, :4])
    assert torch.equal(y[1, 8:], clean[1, 8:])


PLANTED = [
    (
        "  __syncthreads();  // the last sum",
        "  // the last sum",
        r"race: .* writes static shared memory .*, which .* read ",
    ),
    ("= v;\n  __syncthreads();", "= v;", r"(race|uninitialized): .* reads .*static shared memory "),
    ("s_warps[thread / 32] = v", "s_warps[0] = v", r"(race|uninitialized): .* static shared memory "),
    ("thread % 32 < warps ?", "thread % 32 <= warps ?", r"uninitialized: .* static shared memory "),
    (
        "s_warps[thread / 32] = v",
        "s_warps[thread / 32 + 32] = v",
        r"undefined: index 3[2-9] out of bounds for type 'float \[32\]'",
    ),
    (
        "visit(o * stride + i, o, i)",
        "visit(o * stride + i + 1, o, i)",
        r"out of bounds: .* reads 4 bytes up to 4 bytes behind the end of x ",
    ),
    ("o < outer; o", "o <= outer; o", r"(out of bounds|race): "),
    ("g_out = g_y + base", "g_out = g_y", r"race: .* writes y .*, which .* wrote "),
    (
        "first_channel + (channels_last ? i : o)",
        "first_channel + 1 + (channels_last ? i : o)",
        r"out of bounds: .* behind the end of weight ",
    ),
    (
        "narrow(activate(v), g_out + at)",
        "narrow(activate(v), const_cast<ELEMENT*>(g_in) + at)",
        r"input: .* writes 4 bytes of x, ",
    ),
    (
        "  first = sum_of_block(first);",
        "  if (threadIdx.x < 16) first = sum_of_block(first);",
        r"(warp|deadlock|race|uninitialized): ",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "told"), PLANTED)
def test_a_fault_planted_in_the_source_is_found(plant, right, wrong, told):
    source = plant(forward.SOURCE, forward.SOURCE.name, right, wrong)
    built = forward.module(torch.float32, torch.float32, "silu", "watch", source)
    x, weight, bias = forward.inputs((2, 12, 7, 5))
    with pytest.raises(cpu.FaultError, match=told):
        forward.forward(built, x, 3, weight, bias)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            "visit(o * stride + i, o, i)",
            "visit(o * stride + i + 1, o, i)",
            r"^AddressSanitizer: (heap-buffer-overflow|use-after-poison) at group_norm\.cu:\d+$",
        ),
        ("s_warps[thread / 32] = v", "s_warps[thread / 32 + 32] = v", r"^undefined: index 3[2-9] out of bounds"),
    ],
)
def test_the_address_sanitizer_finds_an_index_too(plant, right, wrong, told):
    source = plant(forward.SOURCE, forward.SOURCE.name, right, wrong)
    built = forward.module(torch.float32, torch.float32, "silu", "address", source)
    x, weight, bias = forward.inputs((2, 12, 7, 5))
    with pytest.raises(cpu.FaultError, match=told):
        forward.forward(built, x, 3, weight, bias)
