"""What a backward pass is asked for, and what it then does not do."""

import itertools

import pytest
import torch

from kernels.triton import launch


@pytest.mark.parametrize("wanted", list(itertools.product([False, True], repeat=3)), ids=str)
def test_each_gradient_is_the_same_whether_others_are_wanted_or_not(both, make, way, wanted):
    x, weight, bias = make((2, 4, 5, 3))
    dy = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    everything = both(x, dy, 2, weight, bias, activation=1, most=way)[1:]
    statistics = torch.empty((2, 2, 3))
    launch.forward(x, 2, weight, bias, 1e-5, 1, statistics, most=way)
    found = launch.backward(dy, x, statistics, 2, weight, bias, 1, *wanted, most=way)
    for one, whole, is_wanted in zip(found, everything, wanted, strict=True):
        assert torch.equal(one, whole) if is_wanted else one.shape == (0,)


def test_relu_passes_nothing_at_zero(both):
    """Torch's own way; the bias alone makes the output 0 here."""
    x = torch.arange(12.0).reshape(1, 2, 6)
    _, dx, _, dbias = both(x, torch.ones_like(x), 2, torch.zeros(2), torch.tensor([0.0, 1.0]), activation=2)
    assert dbias.tolist() == [0.0, 6.0]
    assert torch.equal(dx, torch.zeros_like(x))


def test_silu_loses_no_digit_where_it_is_nearly_the_identity(both, truth):
    """1 - sigmoid(z) in float32 would be wrong by a part in 30 at z = 14."""
    x = torch.linspace(-1, 1, 64).reshape(1, 1, 64)
    weight, bias = torch.tensor([0.1]), torch.tensor([14.0])
    dy = torch.where(x > 0, 1.0, -1.0)
    found, true = (run(x, dy, 1, weight, bias, activation=1) for run in (both, truth))
    assert (found[1] - true[1]).abs().max() <= 4e-7 * true[1].abs().max()


@pytest.mark.parametrize("shape", [(0, 6, 5), (2, 6, 0), (0, 6)], ids=str)
def test_of_nothing_parameters_have_gradients_of_zero(both, make, shape):
    x, weight, bias = make(shape)
    y, dx, dweight, dbias = both(x, torch.ones_like(x), 3, weight, bias)
    assert y.shape == dx.shape == shape
    assert dweight.tolist() == dbias.tolist() == [0.0] * 6


def test_many_samples_are_shared_among_programs(both, truth, make):
    x, weight, bias = make((37, 4, 3))
    dy = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    found, true = (run(x, dy, 2, weight, bias) for run in (both, truth))
    for one, its_truth in zip(found, true, strict=True):
        assert (one - its_truth).abs().max() <= 1e-6 * its_truth.abs().max()
