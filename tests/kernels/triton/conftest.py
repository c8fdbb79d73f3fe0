"""Skips what needs Triton; limits so small that small shapes go each way; the truth in float64."""

import pytest
import torch
from torch.nn import functional

pytest.importorskip("triton", reason="triton is not installed: pip install 'groupnorm-bench[triton]'")

from kernels.layout import memory_format
from kernels.triton import launch
from kernels.triton.plan import Limits

WAYS = {
    "whole": Limits(whole=1024, walk=0, chunk=64, pack=256),
    "one by one": Limits(whole=1024, walk=0, chunk=128, pack=1),
    "walk": Limits(whole=0, walk=4096, chunk=128, pack=1),
    "split": Limits(whole=0, walk=0, chunk=128, pack=1),
}


@pytest.fixture(params=WAYS)
def way(request):
    """Whole groups packed and alone, walked through in many blocks, and taken apart."""
    return WAYS[request.param]


@pytest.fixture
def both():
    """Give y, dx, dweight, dbias of the kernels on the CPU, interpreted, for an upstream gradient."""

    def run(x, dy, num_groups, weight, bias, *, activation=0, eps=1e-5, most=None):
        statistics = torch.empty((x.shape[0], num_groups, 3))
        y = launch.forward(x, num_groups, weight, bias, eps, activation, statistics, most=most)
        dy = dy.contiguous(memory_format=memory_format(x))
        wanted = (True, weight is not None, bias is not None)
        return y, *launch.backward(dy, x, statistics, num_groups, weight, bias, activation, *wanted, most=most)

    return run


@pytest.fixture
def truth():
    """Give the same in float64, by autograd through a two-pass GroupNorm."""

    def run(x, dy, num_groups, weight, bias, *, activation=0, eps=1e-5):
        x = x.double().contiguous().requires_grad_()
        given = [None if one is None else one.double().requires_grad_() for one in (weight, bias)]
        groups = x.reshape(x.shape[0], num_groups, -1)
        centered = groups - groups.mean(2, keepdim=True)
        y = (centered / (centered.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
        channel = (1, -1, *(1 for _ in x.shape[2:]))
        y = y if given[0] is None else y * given[0].reshape(channel)
        y = y if given[1] is None else y + given[1].reshape(channel)
        y = (torch.clone, functional.silu, functional.relu)[activation](y)
        y.backward(dy.double())
        return y.detach(), x.grad, *(None if one is None else one.grad for one in given)

    return run
