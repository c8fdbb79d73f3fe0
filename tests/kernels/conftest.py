"""An oracle that shares nothing with the rows, and their inputs."""

import pytest
import torch
from torch.nn import functional

from kernels import discovery, table


@pytest.fixture(scope="session")
def rows():
    """All built-in rows."""
    return discovery.load()


@pytest.fixture
def empty_table(monkeypatch):
    """The table as in a fresh process, for one test."""
    monkeypatch.setattr(table, "_rows", {})
    monkeypatch.setattr(table, "sources", set())
    return table


@pytest.fixture(scope="session")
def oracle():
    """GroupNorm in float64 on contiguous data, mean first."""

    def group_norm(x, num_groups, weight=None, bias=None, *, eps=1e-5, activation="none"):
        groups = x.double().contiguous().reshape(x.shape[0], num_groups, -1)
        centered = groups - groups.mean(2, keepdim=True)
        y = (centered / (centered.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
        channel = (1, -1, *(1 for _ in x.shape[2:]))
        y = y if weight is None else y * weight.double().reshape(channel)
        y = y if bias is None else y + bias.double().reshape(channel)
        return {"none": torch.clone, "silu": functional.silu, "relu": functional.relu}[activation](y)

    return group_norm


@pytest.fixture
def make():
    """Build x (N, C, ...) of a type and layout, with weight and bias of ``weight_dtype``."""
    generator = torch.Generator().manual_seed(7)

    def inputs(shape, dtype=torch.float32, layout="contiguous", *, weight_dtype=None, mean=0.3, spread=1.0):
        x = (torch.randn(shape, generator=generator) * spread + mean).to(dtype)
        if layout == "channels_last":
            x = x.contiguous(memory_format=torch.channels_last if len(shape) == 4 else torch.channels_last_3d)
        weight, bias = torch.randn(2, shape[1], generator=generator).to(weight_dtype or dtype)
        return x, weight, bias

    return inputs
