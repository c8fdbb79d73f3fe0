"""The oracle of the device's tests: float64, on the CPU, contiguous."""

import pytest
import torch
from torch.nn import functional

SHAPES = [((2, 8, 1, 1), 2), ((2, 6, 5, 7), 3), ((3, 4, 3, 3), 1), ((2, 320, 64, 64), 32), ((1, 128, 256, 255), 32)]


@pytest.fixture(params=SHAPES, ids=str)
def shape_and_groups(request):
    return request.param


@pytest.fixture
def check_on_device():
    """Compare one call of a row on CUDA with the truth; one rounding of the output's type is allowed."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")

    def check(call, shape, groups, *, dtype, layout, weight_dtype, activation, mean=0.3):
        generator = torch.Generator().manual_seed(7)
        x = (torch.randn(shape, generator=generator) + mean).to(dtype)
        if layout == "channels_last":
            x = x.contiguous(memory_format=torch.channels_last)
        weight, bias = torch.randn(2, shape[1], generator=generator).to(weight_dtype)
        on_device = [tensor.cuda() for tensor in (x, weight, bias)]
        y = call(on_device[0], groups, on_device[1], on_device[2], 1e-5, activation=activation)
        groups_of_x = x.double().contiguous().reshape(shape[0], groups, -1)
        centered = groups_of_x - groups_of_x.mean(2, keepdim=True)
        truth = (centered / (centered.square().mean(2, keepdim=True) + 1e-5).sqrt()).reshape(shape)
        truth = truth * weight.double().reshape(1, -1, 1, 1) + bias.double().reshape(1, -1, 1, 1)
        truth = {"none": torch.clone, "silu": functional.silu, "relu": functional.relu}[activation](truth)
        assert y.dtype == dtype
        assert y.stride() == x.stride()
        allowed = (torch.finfo(dtype).eps + 1e-6) * truth.abs().max()
        assert (y.cpu().double() - truth).abs().max() <= allowed

    return check
