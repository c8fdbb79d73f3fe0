"""How exact the C++ backward pass is, in absolute terms, whatever the layout, the type and the instruction set."""

import os
import subprocess
import sys

import pytest
import torch

from kernels import table
from kernels.cpp import build

LAYOUTS = ["contiguous", "channels_last"]


def halves(shape, generator):
    """Two values, and all but two: half of each group at 1e4, half at -1e4, a hundredth apart."""
    side = torch.where(torch.arange(shape[2]) < shape[2] // 2, 1e4, -1e4).reshape(1, 1, -1, 1)
    return torch.randn(shape, generator=generator) * 1e-2 + side


def outlier(shape, generator):
    x = torch.randn(shape, generator=generator)
    x[0, 1, 2, 3] = 1e6
    return x


def nearly_constant(shape, generator):
    return torch.nextafter(torch.full(shape, 3.7), torch.where(torch.rand(shape, generator=generator) < 0.5, 4.0, 3.7))


CASES = {
    "normal": lambda shape, g: torch.randn(shape, generator=g),
    "far": lambda shape, g: torch.randn(shape, generator=g) + 1e4,
    "far_and_close": lambda shape, g: torch.randn(shape, generator=g) * 1e-2 + 1e3,
    "nearly_constant": nearly_constant,
    "halves": halves,
    "outlier": outlier,
    "rising": lambda shape, g: torch.randn(shape, generator=g) + torch.linspace(-1e3, 1e3, shape[2]).reshape(-1, 1),
    "squares_overflow": lambda shape, g: torch.randn(shape, generator=g) * 1e25,
    "small": lambda shape, g: torch.randn(shape, generator=g) * 1e-10,
}
# A group of one channel, of less than a vector, of odd runs, of several tiles, of several chunks.
SHAPES = [
    ((2, 40, 8, 8), 40),
    ((2, 6, 5, 7), 3),
    ((2, 66, 7, 7), 2),
    ((1, 20, 63, 65), 2),
    ((2, 4, 257, 253), 1),
]

ODD_SHAPES = [
    *(((3, 16), 4), ((70, 48), 6), ((33, 1000), 8), ((5, 7), 7)),
    *(((2, 12, 31), 4), ((1, 3, 40001), 1), ((2, 8, 3, 5, 7), 2)),
    *(((9, 24, 3, 5), 4), ((40, 8, 2, 2), 2), ((2, 320, 33, 32), 32), ((2, 300, 9, 9), 10), ((2, 64, 17, 16), 64)),
]


@pytest.fixture
def truths(oracle):
    """Gives the gradients in float64, and dy without what a rounding error of relu's argument would switch."""

    def gradients(dy, x, groups, weight, bias, activation):  # noqa: PLR0917 (an operator has as many)
        inputs = [tensor.detach().double().requires_grad_() for tensor in (x, weight, bias)]
        if activation == "relu":
            pre = oracle(x, groups, weight, bias)
            dy = torch.where(pre.abs() < 1e-5 * pre.abs().max(), 0, dy)
        y = oracle(inputs[0], groups, *inputs[1:], activation=activation)
        return torch.autograd.grad(y, inputs, dy.double()), dy

    return gradients


def layout_of(x, layout):
    return x.contiguous(memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format)


def ours(rows, dy, x, groups, weight, bias, activation):  # noqa: PLR0917 (an operator has as many)
    inputs = [tensor.detach().requires_grad_() for tensor in (x, weight, bias)]
    y = rows["cpp"].call(inputs[0], groups, *inputs[1:], 1e-5, activation=activation)
    return torch.autograd.grad(y, inputs, dy)


def assert_float32(gradients, truth, case, bound=4e-7):
    """Of dx so much of the largest, of dweight and dbias a rounding error of each of the sums' two levels."""
    for name, own, exact, limit in zip(("dx", "dweight", "dbias"), gradients, truth, (bound, 1e-6, 1e-6), strict=True):
        assert (own - exact).abs().max() <= limit * exact.abs().max() + 3e-45, (name, case)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_float32_errs_by_less_than_seven_rounding_errors(rows, truths, case, layout):
    generator = torch.Generator().manual_seed(3)
    for shape, groups in SHAPES:
        x = layout_of(CASES[case](shape, generator), layout)
        dy = layout_of(torch.randn(shape, generator=generator), layout)
        weight, bias = torch.randn(2, shape[1], generator=generator)
        for activation in table.ACTIVATIONS:
            truth, used = truths(dy, x, groups, weight, bias, activation)
            gradients = ours(rows, used, x, groups, weight, bias, activation)
            assert_float32(gradients, truth, (shape, activation))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_sixteen_bits_are_rounded_as_the_exact_value_is(rows, oracle, truths, make, *, dtype, layout):
    """Where relu passes nothing dx follows from x alone: of few values one near a tie is wrong a thousand times."""
    wrong, count = dict.fromkeys(table.ACTIVATIONS, 0), 0
    for mean, spread in ((0.0, 1.0), (30.0, 1.0), (-2000.0, 100.0)):
        for shape, groups in SHAPES:
            x, weight, bias = make(shape, dtype, layout, weight_dtype=torch.float32, mean=mean, spread=spread)
            dy, _, _ = make(shape, dtype, layout, mean=0.0)
            count += x.numel()
            for activation in table.ACTIVATIONS:
                truth, used = truths(dy, x, groups, weight, bias, activation)
                gradients = ours(rows, used, x, groups, weight, bias, activation)
                passes = oracle(x, groups, weight, bias, activation=activation) != 0
                wrong[activation] += int(((gradients[0] != truth[0].to(dtype)) & passes).sum())
                assert_float32([gradients[0].double(), *gradients[1:]], truth, (shape, activation), bound=4e-3)
    assert max(wrong.values()) <= 1e-3 * count, (wrong, count)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("shape", "groups"), ODD_SHAPES, ids=str)
def test_odd_shapes(rows, truths, make, *, shape, groups, dtype):
    for layout in LAYOUTS if len(shape) > 3 else LAYOUTS[:1]:
        x, weight, bias = make(shape, dtype, layout, mean=2.0)
        dy, _, _ = make(shape, dtype, layout)
        for activation in table.ACTIVATIONS:
            truth, used = truths(dy, x, groups, weight, bias, activation)
            gradients = ours(rows, used, x, groups, weight, bias, activation)
            if dtype is torch.float32 and x.numel() > x.shape[0] * groups:
                assert_float32(gradients, truth, (layout, activation))
            for own, exact in zip(gradients, truth, strict=True):
                torch.testing.assert_close(own, exact.to(dtype), msg=f"{layout} {activation}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weight_dtype", [torch.bfloat16, torch.float32, None], ids=str)
def test_each_gradient_alone_has_the_same_bits(rows, make, weight_dtype, layout):
    x, weight, bias = make((3, 24, 9, 11), torch.bfloat16, layout, weight_dtype=weight_dtype)
    dy, _, _ = make(x.shape, torch.bfloat16, layout)
    weight, bias = (weight, bias) if weight_dtype else (None, None)
    rows["cpp"].call(x, 4, weight, bias, 1e-5)
    operators = getattr(torch.ops, table.NAMESPACE)
    for activation in range(3):
        _, statistics = operators.cpp_group_norm_training(x, 4, weight, bias, 1e-5, activation)
        given = (dy, x, statistics, 4, weight, bias, activation)
        together = operators.cpp_group_norm_backward(*given, True, True, True)
        assert together[0].stride() == x.stride()
        for wanted in ((True, False, False), (False, True, False), (False, False, True), (False, False, False)):
            alone = operators.cpp_group_norm_backward(*given, *wanted)
            for is_wanted, one, other in zip(wanted, alone, together, strict=True):
                assert one.dtype == other.dtype
                assert torch.equal(one, other) if is_wanted else one.shape == (0,)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((5, 8, 64, 65), 2), ((3, 8, 300, 301), 2), ((1, 512, 80, 81), 32), ((130, 40, 1, 1), 4), ((9, 2048, 13, 9), 32)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_neither_threads_nor_the_rest_of_the_batch_change_a_bit(rows, make, *, shape, groups, layout, dtype):
    """From 4 MB on dx is written past the caches: that of each sample by itself is not."""
    x, weight, bias = make(shape, dtype, layout)
    dy, _, _ = make(shape, dtype, layout)
    few = range(min(shape[0], 5))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        first = ours(rows, dy, x, groups, weight, bias, "silu")
        alone = [ours(rows, dy[n : n + 1], x[n : n + 1], groups, weight, bias, "silu")[0] for n in few]
        assert torch.equal(first[0][: len(few)], torch.cat(alone))
        for threads in (2, 3):
            torch.set_num_threads(threads)
            again = ours(rows, dy, x, groups, weight, bias, "silu")
            assert all(map(torch.equal, first, again))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("activation", table.ACTIVATIONS)
def test_what_is_beyond_float32s_range_within_is_done_in_double(rows, truths, make, activation, layout):
    """Sums of dy and of its products with x would overflow; the gradients themselves are finite."""
    for x_scale, dy_scale in ((1e38, 1e-3), (1.0, 1e36), (1e30, 1e36), (1e38, 1e36)):
        x, weight, bias = make((2, 12, 20, 21), layout=layout, mean=0.0)
        x, dy = x.clamp(-3, 3) * x_scale, make(x.shape, layout=layout)[0].clamp(-3, 3) * dy_scale
        truth, used = truths(dy, x, 3, weight, bias, activation)
        gradients = ours(rows, used, x, 3, weight, bias, activation)
        for own, exact in zip(gradients, truth, strict=True):
            assert own.isfinite().all()
            assert (own - exact).abs().max() <= 1e-6 * exact.abs().max() + 3e-45


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("of", ["x", "dy"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_what_is_not_finite_spoils_its_group_alone(rows, make, *, of, value, layout, dtype):
    x, weight, bias = make((2, 8, 9, 7), dtype, layout)
    dy, _, _ = make(x.shape, dtype, layout)
    clean = ours(rows, dy, x, 4, weight, bias, "silu")
    (x if of == "x" else dy)[1, 3, 2, 2] = value
    dx, dweight, dbias = ours(rows, dy, x, 4, weight, bias, "silu")
    spoiled = torch.zeros(x.shape, dtype=torch.bool)
    spoiled[1, 2:4] = True
    assert torch.equal(dx[~spoiled], clean[0][~spoiled])
    assert dx[1, 3].isnan().any()
    channels = torch.tensor([c not in (2, 3) for c in range(8)])
    assert torch.equal(dweight[channels], clean[1][channels])
    assert torch.equal(dbias[channels], clean[2][channels])
    assert not dweight[3].isfinite()


def test_relu_at_zero_passes_nothing_and_a_group_of_one_neither(rows):
    weight, bias = torch.ones(4), torch.zeros(4)
    x, dy = torch.full((2, 4, 5, 5), 7.0), torch.ones(2, 4, 5, 5)
    dx, dweight, dbias = ours(rows, dy, x, 2, weight, bias, "relu")
    assert not dx.any()
    assert not dweight.any()
    assert not dbias.any()
    dx, dweight, dbias = ours(rows, torch.randn(3, 4), torch.randn(3, 4) * 1e4, 4, weight, bias + 1, "silu")
    assert not dx.any()
    assert not dweight.any()
    assert dbias.all()


@pytest.mark.parametrize("shape", [(0, 6, 4, 4), (2, 6, 0, 4), (0, 6)], ids=str)
def test_of_nothing_dweight_and_dbias_are_zero(rows, shape):
    dx, dweight, dbias = ours(rows, torch.ones(shape), torch.ones(shape), 3, torch.ones(6), torch.ones(6), "none")
    assert dx.shape == shape
    assert torch.equal(dweight, torch.zeros(6))
    assert torch.equal(dbias, torch.zeros(6))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_subnormal_gradients_survive(rows, truths, make, dtype):
    x, _, _ = make((1, 4, 16, 15), dtype)
    dy = (make(x.shape)[0] * 8 * torch.finfo(dtype).smallest_normal / 64).to(dtype)
    truth, _ = truths(dy, x, 2, torch.ones(4), torch.zeros(4), "none")
    dx = ours(rows, dy, x, 2, torch.ones(4), torch.zeros(4), "none")[0]
    assert truth[0].to(dtype).count_nonzero() > x.numel() // 2
    least = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    assert (dx - truth[0]).abs().max() <= 2 * least  # float32 rounds each of two terms to it


_OF_ANOTHER_LEVEL = """
import sys, torch
from kernels import discovery
row = discovery.load(["cpp"])["cpp"].call
calls, all = torch.load(sys.argv[1]), []
for dy, x, groups, weight, bias, word in calls:
    inputs = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    y = row(inputs[0], groups, *inputs[1:], 1e-5, activation=word)
    all.append(torch.autograd.grad(y, inputs, dy))
torch.save(all, sys.argv[1])
"""


@pytest.mark.parametrize("level", build.levels()[1:])
def test_every_other_instruction_set_is_as_exact(rows, truths, make, level, tmp_path):
    """The best one is what the other tests run. Without fused multiply and add there are two roundings more."""
    generator, calls, exact = torch.Generator().manual_seed(3), [], []
    for shape, groups in (*SHAPES, ((6, 40), 5)):
        for layout in LAYOUTS if len(shape) == 4 else LAYOUTS[:1]:
            for word in table.ACTIVATIONS:
                weight, bias = torch.randn(2, shape[1], generator=generator)
                cases = ("halves", "rising", "squares_overflow") if len(shape) == 4 else ("normal",)
                inputs = [layout_of(CASES[case](shape, generator), layout) for case in cases]
                inputs += [make(shape, dtype, layout)[0] for dtype in (torch.bfloat16, torch.float16)]
                for x in inputs:
                    dy = make(shape, x.dtype, layout)[0]
                    truth, dy = truths(dy, x, groups, weight, bias, word)
                    calls.append((dy, x, groups, weight, bias, word))
                    exact.append(truth)
    ours(rows, *calls[0])  # builds for both
    torch.save(calls, tmp_path / "calls")
    command = [sys.executable, *(["-P"] if sys.flags.safe_path else []), "-c", _OF_ANOTHER_LEVEL, tmp_path / "calls"]
    subprocess.run(command, env=os.environ | {"GNBENCH_CPP_ISA": level}, check=True)
    wrong = count = 0
    for (_, x, *case), gradients, truth in zip(calls, torch.load(tmp_path / "calls"), exact, strict=True):
        if x.dtype is torch.float32:
            assert_float32(gradients, truth, (x.shape, case[-1]), bound=6e-7 if level == "portable" else 4e-7)
        else:
            wrong, count = wrong + int((gradients[0] != truth[0].to(x.dtype)).sum()), count + x.numel()
    assert wrong <= 1e-3 * count
