"""How exact the C++ forward pass is, in absolute terms, whatever the layout, the type and the instruction set."""

import os
import subprocess
import sys

import pytest
import torch

from kernels import table
from kernels.cpp import build

LAYOUTS = ["contiguous", "channels_last"]


def two_valued(shape, generator):
    x = torch.randn(shape, generator=generator) * 1e-2
    x[:, :, : shape[2] // 2] += 1e4
    x[:, :, shape[2] // 2 :] -= 1e4
    return x


def outlier(shape, generator):
    x = torch.randn(shape, generator=generator)
    x[0, 1, 2, 3] = 1e6
    return x


def nearly_constant(shape, generator):
    return torch.nextafter(torch.full(shape, 3.7), torch.where(torch.rand(shape, generator=generator) < 0.5, 4.0, 3.7))


def channels_apart(shape, generator):
    return torch.randn(shape, generator=generator) + 100 * torch.arange(shape[1]).reshape(1, -1, 1, 1)


def rising(shape, generator):
    return torch.randn(shape, generator=generator) + torch.linspace(-1e3, 1e3, shape[2]).reshape(1, 1, -1, 1)


CASES = {
    "normal": lambda shape, g: torch.randn(shape, generator=g),
    "far": lambda shape, g: torch.randn(shape, generator=g) + 1e4,
    "far_and_close": lambda shape, g: torch.randn(shape, generator=g) * 1e-2 + 1e3,
    "nearly_constant": nearly_constant,
    "two_valued": two_valued,
    "outlier": outlier,
    "channels_apart": channels_apart,
    "rising": rising,
    "large": lambda shape, g: torch.rand(shape, generator=g) * 2e38 - 1e38,
    "squares_overflow": lambda shape, g: torch.randn(shape, generator=g) * 1e25,
    "small": lambda shape, g: torch.randn(shape, generator=g) * 1e-10,
}
# A group of one element, of one channel, of less than a vector, of odd runs, of several tiles, of several chunks.
SHAPES = [
    ((3, 6, 1, 1), 6),
    ((2, 40, 8, 8), 40),
    ((2, 6, 5, 7), 3),
    ((2, 66, 7, 7), 2),
    ((1, 20, 63, 65), 2),
    ((2, 4, 257, 253), 1),
]


def layout_of(x, layout):
    return x.contiguous(memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_float32_errs_by_less_than_seven_rounding_errors(rows, oracle, case, layout):
    """4e-7 of the largest output; a rounding error of float32 is 6e-8."""
    generator = torch.Generator().manual_seed(3)
    for shape, groups in SHAPES:
        x = layout_of(CASES[case](shape, generator) if shape[2] > 3 else torch.randn(shape), layout)
        weight, bias = torch.randn(2, shape[1], generator=generator)
        for activation in table.ACTIVATIONS:
            truth = oracle(x, groups, weight, bias, activation=activation)
            y = rows["cpp"].call(x, groups, weight, bias, 1e-5, activation=activation)
            assert (y - truth).abs().max() <= 4e-7 * truth.abs().max(), (shape, activation)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_sixteen_bits_are_rounded_as_the_exact_value_is(rows, oracle, make, dtype, layout):
    """Of all shapes together: of few values an input has, one close to a tie may be wrong a thousand times."""
    wrong, count = dict.fromkeys(table.ACTIVATIONS, 0), 0
    for mean, spread in ((0.0, 1.0), (30.0, 1.0), (-2000.0, 100.0)):
        for shape, groups in (*SHAPES[1:], ((2, 32, 64, 64), 8)):
            x, weight, bias = make(shape, dtype, layout, weight_dtype=torch.float32, mean=mean, spread=spread)
            count += x.numel()
            for activation in table.ACTIVATIONS:
                truth = oracle(x, groups, weight, bias, activation=activation).to(dtype)
                y = rows["cpp"].call(x, groups, weight, bias, 1e-5, activation=activation)
                wrong[activation] += int((y != truth).sum())
    assert max(wrong.values()) <= 1e-3 * count, (wrong, count)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_eps_of_zero_sees_the_least_variance(rows, oracle, make, layout):
    x, weight, bias = make((2, 8, 12, 10), layout=layout, mean=0.0, spread=1e-30)
    truth = oracle(x, 2, weight, bias, eps=0.0)
    assert (rows["cpp"].call(x, 2, weight, bias, 0.0) - truth).abs().max() <= 4e-7 * truth.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_subnormal_outputs_survive(rows, oracle, make, dtype):
    x, _, _ = make((1, 4, 16, 15), dtype)
    weight = torch.full((4,), 8 * torch.finfo(dtype).smallest_normal / 64)
    truth = oracle(x, 2, weight).to(dtype)
    y = rows["cpp"].call(x, 2, weight, torch.zeros(4), 1e-5)
    assert truth.count_nonzero() > x.numel() // 2
    assert (y - truth).abs().max() <= torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps


@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_gives_the_same_bits_and_the_statistics(rows, oracle, make, layout):
    x, weight, bias = make((3, 12, 21, 17), layout=layout, mean=1e3, spread=1e-2)
    rows["cpp"].call(x, 4, weight, bias, 1e-5)
    operators = getattr(torch.ops, table.NAMESPACE)
    y, statistics = operators.cpp_group_norm_training(x, 4, weight, bias, 1e-5, 1)
    assert torch.equal(y, operators.cpp_group_norm(x, 4, weight, bias, 1e-5, 1))
    groups = x.double().contiguous().reshape(3, 4, -1)
    mean = statistics[..., 0].double() + statistics[..., 1].double()
    assert (mean - groups.mean(2)).abs().max() <= 1e-9
    rstd = (groups.var(2, correction=0) + 1e-5).rsqrt()
    torch.testing.assert_close(statistics[..., 2].double(), rstd, rtol=4e-7, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(5, 8, 64, 65), (3, 8, 300, 301)], ids=str)
def test_what_else_is_in_the_batch_changes_no_bit(rows, make, shape, layout):
    """And neither does the number of threads, which share the last sample's groups or do not."""
    x, weight, bias = make(shape, layout=layout)
    before = torch.get_num_threads()
    try:
        alone = [rows["cpp"].call(x[n : n + 1], 2, weight, bias, 1e-5, activation="silu") for n in range(shape[0])]
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            together = rows["cpp"].call(x, 2, weight, bias, 1e-5, activation="silu")
            assert torch.equal(together, torch.cat(alone))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_output_past_the_caches_is_the_same(rows, make, dtype, layout):
    """From 32 MB on y is streamed: each sample by itself is not. Rows of 33 channels begin at every address."""
    x, weight, bias = make((2, 33, 520, 1000 if dtype is torch.bfloat16 else 500), dtype, layout)
    y = rows["cpp"].call(x, 3, weight, bias, 1e-5)
    assert y.nbytes >= 32 << 20
    assert torch.equal(y[:1], rows["cpp"].call(x[:1], 3, weight, bias, 1e-5))


def test_an_unknown_instruction_set_is_refused(monkeypatch):
    from kernels import cpp

    monkeypatch.setenv("GNBENCH_CPP_ISA", "mmx")
    assert cpp._unavailable() == f"GNBENCH_CPP_ISA=mmx: set it to {', '.join(build.levels())}, or not at all"


_OF_ANOTHER_LEVEL = """
import sys, torch
from kernels import discovery
row = discovery.load(["cpp"])["cpp"].call
calls = torch.load(sys.argv[1])
torch.save([row(x, groups, w, b, 1e-5, activation=word) for x, groups, w, b, word in calls], sys.argv[1])
"""


@pytest.mark.parametrize("level", build.levels()[1:])
def test_every_other_instruction_set_is_as_exact(rows, oracle, make, level, tmp_path):
    """The best one is what the other tests run. Without fused multiply and add there are two roundings more."""
    generator, calls = torch.Generator().manual_seed(3), []
    for layout in LAYOUTS:
        for shape, groups in SHAPES:
            for word in table.ACTIVATIONS:
                weight, bias = torch.randn(2, shape[1], generator=generator)
                cases = ("two_valued", "outlier", "rising", "squares_overflow") if shape[2] > 3 else ("normal",)
                inputs = [layout_of(CASES[case](shape, generator), layout) for case in cases]
                inputs += [make(shape, dtype, layout)[0] for dtype in (torch.bfloat16, torch.float16)]
                calls += [(x, groups, weight, bias, word) for x in inputs]
    x, weight, bias = make((1, 4, 4, 4))
    rows["cpp"].call(x, 2, weight, bias, 1e-5)  # builds for both
    torch.save(calls, tmp_path / "calls")
    command = [sys.executable, *(["-P"] if sys.flags.safe_path else []), "-c", _OF_ANOTHER_LEVEL, tmp_path / "calls"]
    subprocess.run(command, env=os.environ | {"GNBENCH_CPP_ISA": level}, check=True)
    wrong = count = 0
    for (x, groups, weight, bias, word), y in zip(calls, torch.load(tmp_path / "calls"), strict=True):
        truth = oracle(x, groups, weight, bias, activation=word)
        if x.dtype is torch.float32:
            assert (y - truth).abs().max() <= (6e-7 if level == "portable" else 4e-7) * truth.abs().max()
        else:
            wrong, count = wrong + int((y != truth.to(x.dtype)).sum()), count + y.numel()
    assert wrong <= 1e-3 * count
