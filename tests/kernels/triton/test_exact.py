"""Forward and backward against float64, by every way through the kernels, in absolute terms."""

import pytest
import torch

from kernels.triton import launch
from kernels.triton.plan import INTERPRETED

# One position; odd sizes and channels that no power of two holds; groups and channels that are no power of two.
SHAPES = [((3, 12), 3), ((1, 6, 9, 7), 2), ((2, 5, 13), 1), ((1, 3, 2, 3, 7), 1)]
LAYOUTS = ["contiguous", "channels_last"]


def as_laid_out(x, layout):
    if layout == "channels_last":
        return x.contiguous(memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[x.ndim])
    return x


def error(found, true):
    """The largest error over the largest magnitude."""
    return float((found.double() - true).abs().max() / true.abs().max())


def wrongly_rounded(found, true):
    return float((found != true.to(found.dtype)).double().mean())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "groups"), SHAPES, ids=str)
def test_float32_forward_and_backward(both, truth, make, way, *, shape, groups, layout):
    if layout == "channels_last" and len(shape) < 4:
        pytest.skip("has no such layout")
    for activation, affine in ((1, True), (2, False)):
        x, weight, bias = make(shape, layout=layout)
        given = (weight, bias) if affine else (None, None)
        dy = torch.randn(shape, generator=torch.Generator().manual_seed(3))
        found = both(x, dy, groups, *given, activation=activation, most=way)
        true = truth(x, dy, groups, *given, activation=activation)
        assert found[0].stride() == found[1].stride() == x.stride()
        assert error(found[0], true[0]) <= 4e-7
        assert error(found[1], true[1]) <= 4e-7
        for one, its_truth in zip(found[2:], true[2:], strict=True):
            if its_truth is None:
                assert one.shape == (0,)
            else:
                assert error(one, its_truth) <= 1e-6


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weight_dtype", [None, torch.float32], ids=["its own", "float32"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_two_bytes_are_rounded_correctly(both, truth, make, *, dtype, weight_dtype, layout):
    shape = (2, 8, 60, 57)
    x, weight, bias = make(shape, dtype, layout, weight_dtype=weight_dtype)
    dy = torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(dtype)
    found = both(x, dy, 2, weight, bias, activation=1)
    true = truth(x, dy, 2, weight, bias, activation=1)
    assert wrongly_rounded(found[0], true[0]) <= 1e-3
    assert wrongly_rounded(found[1], true[1]) <= 1e-3
    for one, its_truth in zip(found[2:], true[2:], strict=True):
        assert one.dtype == weight.dtype
        assert error(one, its_truth) <= torch.finfo(weight.dtype).eps / 2 + 1e-6


def _two_values(x):
    return torch.where(x > 0, 1e4 + 1.0, 1e4 - 1.0)


def _outlier(x):
    x = x.clone()
    x.view(-1)[5] = 1e6
    return x


HARD = {
    "mean 1e4, spread 1": lambda x: x + 1e4,
    "mean 1e3, spread 1e-2": lambda x: x * 1e-2 + 1e3,
    "two values": _two_values,
    "halves": lambda x: torch.cat([x[:, :1] * 0 + 3e3, x[:, 1:] * 0 - 3e3], 1),
    "an outlier": _outlier,
    "nearly constant": lambda x: 1e3 + (x > 2.5) * 2.0**-13,
    "as large as 1e38": lambda x: x / x.abs().max() * 1e38,
    "a mean of 1e38": lambda x: 1e38 + x * 1e33,
    "as small as 1e-18": lambda x: x * 1e-18,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", HARD)
def test_hard_cases(truth, make, way, name, layout):
    x, weight, bias = make((1, 2, 12, 20), mean=0.0)
    x = as_laid_out(HARD[name](x), layout)
    weight = weight.abs() + 0.5
    eps = 1e-5 if x.abs().max() > 1e-10 else 1e-38
    y = launch.forward(x, 1, weight, bias, eps, 0, most=way)
    assert error(y, truth(x, torch.zeros_like(x), 1, weight, bias, eps=eps)[0]) <= 4e-7


def test_a_group_of_150_000_elements_is_taken_apart_and_exact(both, truth, make):
    shape = (1, 2, 300, 250)
    x, weight, bias = make(shape, mean=1e4)
    assert x.numel() > INTERPRETED.chunk
    dy = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    for layout in LAYOUTS:
        x = as_laid_out(x, layout)
        found, true = both(x, dy, 1, weight, bias, activation=1), truth(x, dy, 1, weight, bias, activation=1)
        assert error(found[0], true[0]) <= 4e-7
        assert error(found[1], true[1]) <= 4e-7
        assert max(map(error, found[2:], true[2:])) <= 1e-6


@pytest.mark.parametrize("value", [1234.567, -3e38, 1e-40])
def test_a_constant_group_gives_exactly_the_bias(make, way, value):
    x, weight, bias = make((2, 4, 7, 5))
    x = torch.full_like(x, value)
    y = launch.forward(x, 2, weight, bias, 1e-5, 0, most=way)
    assert torch.equal(y, bias.reshape(1, -1, 1, 1).expand_as(x))
    assert torch.equal(launch.forward(x, 2, weight, None, 1e-5, 0, most=way), torch.zeros_like(x))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_what_is_not_finite_spoils_its_group_alone(both, make, way, value):
    x, weight, bias = make((2, 4, 5, 7))
    dy = torch.ones_like(x)
    clean = both(x, dy, 2, weight, bias, most=way)
    spoilt = x.clone()
    spoilt[1, 2, 3, 4] = value
    for found, without in zip(both(spoilt, dy, 2, weight, bias, most=way)[:2], clean[:2], strict=True):
        assert found[1, 2:4].isnan().all()
        found[1, 2:4] = without[1, 2:4]
        assert torch.equal(found, without)


def test_a_group_that_overflows_leaves_the_others_bits_alone(make, way):
    x, weight, bias = make((2, 6, 5, 7))
    clean = launch.forward(x, 3, weight, bias, 1e-5, 0, most=way)
    x[0, 2:4] *= 1e37
    found = launch.forward(x, 3, weight, bias, 1e-5, 0, most=way)
    assert found.isfinite().all()
    found[0, 2:4] = clean[0, 2:4]
    assert torch.equal(found, clean)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample_has_the_same_bits_alone_and_in_a_batch(both, make, way, layout):
    x, weight, bias = make((3, 4, 5, 7), layout=layout)
    dy = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    batch = both(x, dy, 2, weight, bias, activation=1, most=way)
    again = both(x, dy, 2, weight, bias, activation=1, most=way)
    assert all(map(torch.equal, batch, again))
    for sample in (0, 2):
        alone = both(x[sample : sample + 1], dy[sample : sample + 1], 2, weight, bias, activation=1, most=way)
        assert torch.equal(alone[0][0], batch[0][sample])
        assert torch.equal(alone[1][0], batch[1][sample])


def test_what_is_kept_gives_the_mean_in_two_parts(make, way):
    x, _, _ = make((2, 4, 9, 11), mean=1e4)
    statistics = torch.empty((2, 2, 3))
    launch.forward(x, 2, None, None, 1e-5, 0, statistics, most=way)
    groups = x.double().reshape(2, 2, -1)
    high, low, rstd = statistics.double().unbind(-1)
    assert (high + low - groups.mean(2)).abs().max() <= 1e-7
    assert (rstd * (groups.var(2, correction=0) + 1e-5).sqrt() - 1).abs().max() <= 2e-7
