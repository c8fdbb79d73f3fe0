"""A plugin whose import replaces a function of torch, and changes the default dtype."""

import torch
import torch.nn.functional as F

from kernels import register

_original = F.group_norm


def _slower(*args):
    return _original(*args)


F.group_norm = _slower
torch.set_default_dtype(torch.float64)


@register("meddles", devices=("cpu",))
def meddles(x, num_groups, weight, bias, eps):
    """Replaces torch's group_norm while it is imported."""
    return _original(x, num_groups, weight, bias, eps)
