"""The oracle of the device's tests: float64, on the CPU, contiguous."""

import pytest
import torch
from torch.nn import functional

SHAPES = [((2, 8, 1, 1), 2), ((2, 6, 5, 7), 3), ((3, 4, 3, 3), 1), ((2, 320, 64, 64), 32), ((1, 128, 256, 255), 32)]


@pytest.fixture(params=SHAPES, ids=str)
def shape_and_groups(request):
    return request.param


@pytest.fixture
def device():
    """Give what the rows run on; a CPU would do for a row that runs there."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return "cuda"


def truth_of(x, groups, weight, bias, activation):
    """Give y by a two-pass GroupNorm that autograd can follow."""
    groups_of_x = x.reshape(x.shape[0], groups, -1)
    centered = groups_of_x - groups_of_x.mean(2, keepdim=True)
    y = (centered / (centered.square().mean(2, keepdim=True) + 1e-5).sqrt()).reshape(x.shape)
    y = y * weight.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)
    return {"none": torch.clone, "silu": functional.silu, "relu": functional.relu}[activation](y)


@pytest.fixture
def inputs():
    """Make x, weight, bias and dy."""

    def make(shape, *, dtype, layout, weight_dtype, mean=0.3):
        generator = torch.Generator().manual_seed(7)
        x, dy = ((torch.randn(shape, generator=generator) + one).to(dtype) for one in (mean, 0.0))
        if layout == "channels_last":
            x, dy = (one.contiguous(memory_format=torch.channels_last) for one in (x, dy))
        weight, bias = torch.randn(2, shape[1], generator=generator).to(weight_dtype)
        return x, weight, bias, dy

    return make


@pytest.fixture
def check_on_device(device, inputs):
    """Compare one call of a row on the device with the truth; one rounding of the output's type is allowed."""

    def check(call, shape, groups, *, dtype, activation, **given):
        x, weight, bias, _ = inputs(shape, dtype=dtype, **given)
        y = call(x.to(device), groups, weight.to(device), bias.to(device), 1e-5, activation=activation)
        truth = truth_of(x.double().contiguous(), groups, weight.double(), bias.double(), activation)
        assert y.dtype == dtype
        assert y.stride() == x.stride()
        allowed = (torch.finfo(dtype).eps + 1e-6) * truth.abs().max()
        assert (y.cpu().double() - truth).abs().max() <= allowed

    return check


@pytest.fixture
def check_gradients_on_device(device, inputs):
    """Compare the gradients of a row on the device with the truth's; one rounding of each one's type is allowed."""

    def check(call, shape, groups, *, dtype, activation, **given):
        x, weight, bias, dy = inputs(shape, dtype=dtype, **given)
        ours = [one.to(device).requires_grad_() for one in (x, weight, bias)]
        y = call(ours[0], groups, *ours[1:], 1e-5, activation=activation)
        found = torch.autograd.grad(y, ours, dy.to(device))
        exact = [one.double().contiguous().requires_grad_() for one in (x, weight, bias)]
        truth = torch.autograd.grad(truth_of(exact[0], groups, *exact[1:], activation), exact, dy.double())
        assert found[0].stride() == x.stride()
        for one, true, like in zip(found, truth, (x, weight, bias), strict=True):
            assert one.dtype == like.dtype
            allowed = (torch.finfo(like.dtype).eps + 4e-6) * true.abs().max()
            assert (one.cpu().double() - true).abs().max() <= allowed

    return check
