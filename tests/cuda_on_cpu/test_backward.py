"""The backward kernels, executed: right in every way that the launcher chooses, and silent under the shadow map.

Left out: large shapes. The cut follows from a row's vectors and an item's bytes, so these reach `together` and `split`,
lanes from 1 to 32 an entry, several stretches a channel, several blocks an item, and every width of access.
"""

import backward
import cuda_on_cpu as cpu
import forward
import pytest
import torch

SHAPES = {
    (3, 6): 3,  # no positions beside, groups of two
    (2, 8, 1, 1): 8,  # one element a group
    (1, 6, 33): 2,
    (2, 12, 7, 5): 3,  # odd
    (2, 8, 40, 40): 2,
    (1, 4, 160, 160): 1,  # split
    (2, 4, 3, 5, 8): 2,
}
CASES = [(shape, False) for shape in SHAPES] + [(shape, True) for shape in SHAPES if len(shape) > 3]
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def _inputs(shape, dtype, *, last=False, weight_dtype=None, mean=0.3, spread=1.0):
    generator = torch.Generator().manual_seed(sum(shape))
    x = (torch.randn(shape, generator=generator) * spread + mean).to(dtype)
    dy = torch.randn(shape, generator=generator).to(dtype)
    if last:
        x, dy = (given.contiguous(memory_format=FORMATS[len(shape)]) for given in (x, dy))
    weight, bias = torch.randn(2, shape[1], generator=generator).to(weight_dtype or dtype)
    return dy, x, weight, bias


def _judge(made, truth, elements_of_group):
    for name, got, wanted, bar in zip(("dx", "dweight", "dbias"), made, truth, (4e-7, 1e-6, 1e-6), strict=True):
        largest = wanted.abs().max()
        if got.dtype == torch.float32:
            # In a group of two, dx is what eps leaves of a difference: rounding over 1e-5 of what is subtracted.
            if name == "dx" and elements_of_group == 2:
                continue
            assert (got.double() - wanted).abs().max() <= bar * largest, name
        else:
            allowed = max(1 if elements_of_group > 2 else got.numel(), got.numel() // 1000)
            assert (got != wanted.to(got.dtype)).sum() <= allowed, name


@pytest.mark.parametrize("activation", range(3), ids=("none", "silu", "relu"))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_every_way_is_right(sanitizer, dtype, activation):
    ways = set()
    for shape, last in CASES:
        dy, x, weight, bias = _inputs(shape, dtype, last=last)
        G = SHAPES[shape]
        ways.add(backward.plan_of(x, G).way)
        made = backward.backward(dy, x, G, weight, bias, activation=activation, sanitizer=sanitizer)
        truth = backward.oracle(dy, x, G, weight, bias, activation=activation)
        assert made[0].stride() == x.stride()
        _judge(made, truth, x[0].numel() // G)
    assert ways == {"together", "split"}


@pytest.mark.parametrize("shape", [(2, 12, 7, 5), (1, 4, 160, 160)])
@pytest.mark.parametrize("last", [False, True])
def test_only_what_is_wanted_is_made_and_its_bits_are_the_same(sanitizer, shape, last):
    dy, x, weight, bias = _inputs(shape, torch.float32, last=last)
    whole = backward.backward(dy, x, SHAPES[shape], weight, bias, activation=1, sanitizer=sanitizer)
    for wants in [(True, False, False), (True, True, False), (True, False, True)]:
        made = backward.backward(dy, x, SHAPES[shape], weight, bias, activation=1, sanitizer=sanitizer, wants=wants)
        assert all(torch.equal(one, other) for one, other in zip(made, whole, strict=True) if one is not None)
    made = backward.backward(
        dy, x, SHAPES[shape], weight, bias, activation=1, sanitizer=sanitizer, wants=(False, True, True)
    )
    for one, other in zip(made[1:], backward.oracle(dy, x, SHAPES[shape], weight, bias, activation=1)[1:], strict=True):
        assert (one.double() - other).abs().max() <= 1e-6 * other.abs().max()


@pytest.mark.parametrize(("weight", "bias"), [(False, False), (True, False), (False, True)])
def test_weight_and_bias_may_each_be_absent(sanitizer, weight, bias):
    dy, x, w, b = _inputs((2, 12, 7, 5), torch.float32)
    w, b = w if weight else None, b if bias else None
    wants = (True, weight, bias)
    made = backward.backward(dy, x, 3, w, b, activation=1, sanitizer=sanitizer, wants=wants)
    truth = backward.oracle(dy, x, 3, w, b, activation=1)
    for one, other in zip(made, truth, strict=True):
        assert one is None or (one.double() - other).abs().max() <= 4e-7 * other.abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_weights_may_be_float32_beside_a_narrow_x(sanitizer, dtype):
    dy, x, weight, bias = _inputs((2, 12, 7, 5), dtype, weight_dtype=torch.float32)
    made = backward.backward(dy, x, 3, weight, bias, activation=1, sanitizer=sanitizer)
    assert made[1].dtype == made[2].dtype == torch.float32
    _judge(made, backward.oracle(dy, x, 3, weight, bias, activation=1), 140)


@pytest.mark.parametrize(("mean", "spread"), [(1e4, 1.0), (1e3, 1e-2), (0.0, 1e30)])
@pytest.mark.parametrize(
    ("shape", "last"), [((2, 8, 40, 40), False), ((2, 8, 40, 40), True), ((1, 4, 160, 160), False)]
)
def test_a_large_mean_or_spread_costs_no_digit(sanitizer, shape, last, mean, spread):
    dy, x, weight, bias = _inputs(shape, torch.float32, last=last, mean=mean, spread=spread)
    made = backward.backward(dy, x, SHAPES[shape], weight, bias, sanitizer=sanitizer)
    _judge(made, backward.oracle(dy, x, SHAPES[shape], weight, bias), 1000)


@pytest.mark.parametrize("alignment", [2, 4, 8])
@pytest.mark.parametrize("last", [False, True])
def test_any_alignment_will_do(sanitizer, alignment, last):
    dy, x, weight, bias = _inputs((2, 16, 8, 8), torch.bfloat16, last=last)
    plan = backward.plan_of(x, 4, alignment=alignment)
    assert plan.vector == alignment // 2
    made = backward.backward(dy, x, 4, weight, bias, sanitizer=sanitizer, alignment=alignment)
    _judge(made, backward.oracle(dy, x, 4, weight, bias), 256)


@pytest.mark.parametrize("shape", [(2, 12, 7, 5), (1, 4, 160, 160)])
@pytest.mark.parametrize("last", [False, True])
def test_neither_order_nor_batch_is_in_the_bits(sanitizer, shape, last):
    dy, x, weight, bias = _inputs(shape, torch.float32, last=last)
    G = SHAPES[shape]
    first, *others = (
        backward.backward(dy, x, G, weight, bias, activation=1, sanitizer=sanitizer, seed=seed) for seed in range(3)
    )
    assert all(torch.equal(one, two) for other in others for one, two in zip(first, other, strict=True))
    alone = backward.backward(dy[:1], x[:1], G, weight, bias, activation=1, sanitizer=sanitizer)
    assert torch.equal(alone[0], first[0][:1])


def test_a_poisoned_group_poisons_itself_alone(sanitizer):
    dy, x, weight, bias = _inputs((2, 12, 7, 5), torch.float32)
    clean = backward.backward(dy, x, 3, weight, bias, sanitizer=sanitizer)[0]
    x[1, 5, 3, 2] = float("nan")
    dx = backward.backward(dy, x, 3, weight, bias, sanitizer=sanitizer)[0]
    assert dx[1, 4:8].isnan().all()
    assert torch.equal(dx[0], clean[0])
    assert torch.equal(dx[1, :4], clean[1, :4])
    assert torch.equal(dx[1, 8:], clean[1, 8:])


@pytest.mark.parametrize("last", [False, True])
def test_the_forward_kernel_leaves_what_the_backward_needs(sanitizer, last):
    _, x, weight, bias = _inputs((2, 12, 7, 5), torch.float32, last=last, mean=1e4)
    plan = forward.plan_of(x, 3, "alone")
    _, statistics = forward.forward(x, 3, weight, bias, plan=plan, sanitizer=sanitizer)
    made, wanted = statistics.double(), backward.statistics_of(x, 3).double()
    assert (made[..., :2].sum(2) - wanted[..., :2].sum(2)).abs().max() <= 1e-7
    assert ((made[..., 2] - wanted[..., 2]) / wanted[..., 2]).abs().max() <= 4e-7


TOGETHER, SPLIT = (2, 12, 7, 8), (1, 4, 160, 160)
PLANTED = [
    # A missing barrier of each kind: before a group's sum, before its coefficients are read, around the table.
    (TOGETHER, False, "backward.cu", "  });\n  __syncthreads();\n  const float count", "  });\n  const float count"),
    (TOGETHER, False, "backward.cu", "  }\n  __syncthreads();\n  apply_slice", "  }\n  apply_slice"),
    (TOGETHER, True, "backward_lines.cuh", "    }\n    __syncthreads();\n    for (int i", "    }\n    for (int i"),
    (SPLIT, True, "backward_lines.cuh", "    }\n    __syncthreads();\n    for (int i", "    }\n    for (int i"),
    # An index error in each kernel.
    (TOGETHER, False, "backward_lines.cuh", "given.g_dy + place);", "given.g_dy + place + VECTOR);"),
    (TOGETHER, False, "backward.cu", "s_entries[entry] = make", "s_entries[entry + 1] = make"),
    (TOGETHER, True, "backward_lines.cuh", "lines = min(shape.stretch,",
     "lines = 1 + min(shape.stretch,"),
    (SPLIT, False, "backward.cu", "gridDim.x - 1 - blockIdx.x", "gridDim.x - blockIdx.x"),
    (SPLIT, False, "backward.cu", "g_partials[slice.entry + entry] = make_float2(scale, shift);\n  });\n}",
     "g_partials[slice.entry + entry + 1] = make_float2(scale, shift);\n  });\n}"),
    (SPLIT, True, "backward_lines.cuh", "s_table[(row * VECTOR", "s_table[((row + 1) * VECTOR"),
    (SPLIT, False, "backward.cu", "task - groups < channels", "task - groups <= channels"),
]  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault[3][:40])
def test_a_fault_planted_in_the_source_is_found(plant, fault):
    shape, last, name, right, wrong = fault
    source = plant(backward.SOURCE, name, right, wrong)
    dy, x, weight, bias = _inputs(shape, torch.float32, last=last)
    with pytest.raises(cpu.FaultError, match=r"^(race|uninitialized|out of bounds|input|undefined|misaligned)"):
        backward.backward(dy, x, 4 if shape == TOGETHER else 1, weight, bias, activation=1, source=source)
