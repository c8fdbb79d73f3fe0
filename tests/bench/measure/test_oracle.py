import itertools

import pytest
import torch
import torch.nn.functional as F

from bench.measure.inputs import Inputs, make_inputs
from bench.measure.oracle import truth, without_doubtful_signs
from bench.plan.problem import Problem

SHAPES = [(2, 6, 5, 3, 3), (1, 8, 1, 7, 8), (3, 4, 1, 1, 2), (2, 4, 3, 3, 1)]


def of(shape, **kwargs):
    N, C, H, W, G = shape
    return Problem(N=N, C=C, H=H, W=W, G=G, **kwargs)


def by_autograd(problem, inputs):
    """The same in float64 by torch's own operators, on contiguous data where they are right."""
    x, weight, bias = (
        None if tensor is None else tensor.double().contiguous().requires_grad_()
        for tensor in (inputs.x, inputs.weight, inputs.bias)
    )
    y = F.group_norm(x, problem.G, weight, bias, problem.eps)
    y = {"none": lambda y: y, "silu": F.silu, "relu": F.relu}[problem.activation](y)
    if problem.direction != "backward":
        return (y.detach(),)
    leaves = [leaf for leaf in (x, weight, bias) if leaf is not None]
    return torch.autograd.grad(y, leaves, inputs.dy.double().contiguous())


@pytest.mark.parametrize(
    ("shape", "direction", "activation", "affine", "layout"),
    list(
        itertools.product(
            SHAPES, ("forward", "backward"), ("none", "silu", "relu"), (True, False), ("contiguous", "channels_last")
        )
    ),
)
def test_agrees_with_torch_in_float64_on_contiguous_data(shape, direction, activation, affine, layout):
    problem = of(shape, direction=direction, activation=activation, affine=affine, layout=layout)
    inputs = without_doubtful_signs(problem, make_inputs(problem, 1))
    for ours, theirs in zip(truth(problem, inputs), by_autograd(problem, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_is_right_where_torchs_own_float64_is_not():
    """Channels_last at mean 1e3, spread 1e-2: torch's own is off by about 1e-5 and more."""
    problem = of((1, 4, 16, 16, 2), affine=False, layout="channels_last")
    x = torch.randn(1, 4, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1e-2 + 1e3
    inputs = Inputs(x=x.contiguous(memory_format=torch.channels_last), weight=None, bias=None, dy=None)
    contiguous = F.group_norm(x, 2, eps=problem.eps)
    own_error = (F.group_norm(inputs.x, 2, eps=problem.eps) - contiguous).abs().max().item()
    assert (truth(problem, inputs)[0] - contiguous).abs().max().item() < 1e-9 < own_error


def test_one_group_is_layer_norm_and_a_group_a_channel_is_instance_norm():
    inputs = make_inputs(problem := of((2, 6, 5, 4, 1), affine=False), 0)
    layer = torch.nn.LayerNorm((6, 5, 4), elementwise_affine=False, dtype=torch.float64)
    torch.testing.assert_close(truth(problem, inputs)[0], layer(inputs.x.double()))
    instance = torch.nn.InstanceNorm2d(6, dtype=torch.float64)
    torch.testing.assert_close(truth(of((2, 6, 5, 4, 6), affine=False), inputs)[0], instance(inputs.x.double()))


def test_dy_is_zero_where_relu_could_go_either_way():
    problem = of((4, 8, 16, 16, 2), direction="backward", activation="relu")
    before = make_inputs(problem, 0)
    after = without_doubtful_signs(problem, before)
    zeroed = (after.dy == 0) & (before.dy != 0)
    assert 0 < zeroed.sum().item() < before.dy.numel() / 100
    assert torch.equal(after.dy[~zeroed], before.dy[~zeroed])
