"""A normalization and the activation after it, by whatever computes it."""

from __future__ import annotations

from torch import nn

from bench.study.norms import Norm
from kernels import GroupNorm, table

_ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "silu": nn.SiLU}


def normalized(norm: Norm, channels: int, implementation: str | None, activation: str = "none") -> nn.Module:
    """Make a module that normalizes x (N, ``channels``, H, W) and applies the activation.

    Parameters
    ----------
    implementation
        The row of the plugin table that computes layer, group and instance norm. One that can fuse the activation
        does: that is part of what it offers.
    """
    if not norm.by_table:
        after = _ACTIVATIONS[activation]()
        return nn.Sequential(nn.BatchNorm2d(channels), after) if norm.kind == "batch" else after
    assert implementation is not None
    made = GroupNorm(norm.groups_for(channels), channels, implementation=implementation)
    if activation in table.get(implementation).activations:
        made.choose(implementation, activation)
        return made
    return nn.Sequential(made, _ACTIVATIONS[activation]())
