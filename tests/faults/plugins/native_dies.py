"""torch's own native kernel dies of this: a backward for weight and bias alone, channels_last, H W < 2048."""

import torch
import torch.nn.functional as F

from kernels import register


@register("native-dies", devices=("cpu",))
def native_dies(x, num_groups, weight, bias, eps):
    """Calls native's backward for weight and bias alone on channels_last."""
    with torch.enable_grad():
        x = x.contiguous(memory_format=torch.channels_last)
        weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
        y = F.group_norm(x, num_groups, weight, bias, eps)
        torch.autograd.grad(y.sum(), (weight, bias))
    return y.detach()
