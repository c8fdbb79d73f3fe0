"""Rows that each break one law, and a right one."""

import torch
from torch.nn import functional

from kernels import register

_calls = []


def _right(x, num_groups, weight, bias, eps):
    groups = x.float().contiguous().reshape(x.shape[0], num_groups, -1) if x.numel() else x.float()
    if not x.numel():
        y = x * 1.0
    else:
        mean = groups.mean(2, keepdim=True)
        centered = groups - mean
        rest = centered.mean(2, keepdim=True)
        centered = centered - rest
        y = (centered / (centered.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
    channel = (1, -1, *(1 for _ in x.shape[2:]))
    y = y if weight is None else y * weight.float().reshape(channel)
    y = y if bias is None else y + bias.float().reshape(channel)
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    is_last = x.dim() in formats and x.is_contiguous(memory_format=formats[x.dim()]) and not x.is_contiguous()
    return y.to(x.dtype).contiguous(memory_format=formats[x.dim()] if is_last else torch.contiguous_format)


@register("right", devices=("cpu",), differentiable=True)
def right(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps)


@register("square-of-the-mean", devices=("cpu",))
def square_of_the_mean(x, num_groups, weight, bias, eps):
    """E[x^2] - E[x]^2."""
    groups = x.contiguous().reshape(x.shape[0], num_groups, -1)
    variance = groups.square().mean(2, keepdim=True) - groups.mean(2, keepdim=True).square()
    normal = (groups - groups.mean(2, keepdim=True)) / (variance.clamp(min=0) + eps).sqrt()
    return _right(x, num_groups, weight, bias, eps) + (normal.reshape(x.shape) - _right(x, num_groups, None, None, eps))


@register("contiguous-back", devices=("cpu",))
def contiguous_back(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps).contiguous()


@register("poisons-neighbours", devices=("cpu",))
def poisons_neighbours(x, num_groups, weight, bias, eps):
    y = _right(x, num_groups, weight, bias, eps)
    return y if x.isfinite().all() else y * float("nan")


@register("needs-a-sample", devices=("cpu",))
def needs_a_sample(x, num_groups, weight, bias, eps):
    x[0]  # raises where N = 0
    return _right(x, num_groups, weight, bias, eps)


@register("adds-its-own-eps", devices=("cpu",))
def adds_its_own_eps(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, 1e-5)


@register("returns-x", devices=("cpu",))
def returns_x(x, num_groups, weight, bias, eps):
    return x.copy_(_right(x, num_groups, weight, bias, eps))


@register("by-threads", devices=("cpu",))
def by_threads(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps) * (1 + 2**-23 * (torch.get_num_threads() - 1))


class _WrongDweight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, num_groups, weight, bias, eps):  # noqa: PLR0917 - a row's arguments
        ctx.save_for_backward(x, weight, bias)
        ctx.rest = num_groups, eps
        ctx.factor = lambda ctx: 1.01
        return _right(x, num_groups, weight, bias, eps)

    @staticmethod
    def backward(ctx, dy):
        given = [None if one is None else one.detach().requires_grad_() for one in ctx.saved_tensors]
        with torch.enable_grad():
            y = _right(given[0], ctx.rest[0], given[1], given[2], ctx.rest[1])
        found = iter(torch.autograd.grad(y, [one for one in given if one is not None], dy))
        dx, dweight, dbias = (None if one is None else next(found) for one in given)
        return dx, None, None if dweight is None else dweight * ctx.factor(ctx), dbias, None


class _WrongAlone(_WrongDweight):
    @staticmethod
    def forward(ctx, x, num_groups, weight, bias, eps):  # noqa: PLR0917 - a row's arguments
        y = _WrongDweight.forward(ctx, x, num_groups, weight, bias, eps)
        ctx.factor = lambda ctx: 1.0 if ctx.needs_input_grad[0] else 1.01
        return y


@register("wrong-alone", devices=("cpu",), differentiable=True)
def wrong_alone(x, num_groups, weight, bias, eps):
    """dweight is wrong where dx is not wanted."""
    return _WrongAlone.apply(x, num_groups, weight, bias, eps)


@register("counts-too-few", devices=("cpu",))
def counts_too_few(x, num_groups, weight, bias, eps):
    """A group of more than 2^23 elements is divided by too small a number."""
    y = _right(x, num_groups, weight, bias, eps)
    return y * 1.001 if x.numel() // max(1, x.shape[0]) // num_groups > 2**23 else y


@register("wrong-dweight", devices=("cpu",), differentiable=True)
def wrong_dweight(x, num_groups, weight, bias, eps):
    return _WrongDweight.apply(x, num_groups, weight, bias, eps)


@register("forgets-silu", devices=("cpu",))
def forgets_silu(x, num_groups, weight, bias, eps, *, activation="none"):
    y = _right(x, num_groups, weight, bias, eps)
    return functional.relu(y) if activation == "relu" else y


@register("wrong-type", devices=("cpu",))
def wrong_type(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps).float()


@register("dies-of-one-position", devices=("cpu",))
def dies_of_one_position(x, num_groups, weight, bias, eps):
    if x.shape[2:] == (1, 1):
        import os

        os._exit(7)
    return _right(x, num_groups, weight, bias, eps)


@register("takes-memory", devices=("cpu",))
def takes_memory(x, num_groups, weight, bias, eps):
    """Asks for 8 GiB where an input is of one position."""
    room = torch.empty(8 << 30, dtype=torch.uint8) if x.dim() > 2 and x.shape[2:].numel() == 1 else None
    return _right(x, num_groups, weight, bias, eps) if room is None else x
