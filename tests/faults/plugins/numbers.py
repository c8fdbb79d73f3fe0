"""Rows that raise, or whose answer is not the one, or not in the form, that was asked for."""

import torch
import torch.nn.functional as F

from kernels import register

_calls = {}


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


@register("raises", devices=("cpu",))
def raises(x, num_groups, weight, bias, eps):
    """Raises an error."""
    raise RuntimeError("no kernel image\nis available")


@register("raises-later", devices=("cpu",))
def raises_later(x, num_groups, weight, bias, eps):
    """Raises one when it is timed."""
    _calls["raises-later"] = _calls.get("raises-later", 0) + 1
    if _calls["raises-later"] > 40:
        raise RuntimeError("enough")
    return _right(x, num_groups, weight, bias, eps)


@register("wrong", devices=("cpu",))
def wrong(x, num_groups, weight, bias, eps):
    """Is off by 0.001."""
    return _right(x, num_groups, weight, bias, eps) + 1e-3


@register("wrong-shape", devices=("cpu",))
def wrong_shape(x, num_groups, weight, bias, eps):
    """Returns one channel."""
    return _right(x, num_groups, weight, bias, eps)[:1, :1]


@register("wrong-dtype", devices=("cpu",))
def wrong_dtype(x, num_groups, weight, bias, eps):
    """Returns float64 for float32."""
    return _right(x, num_groups, weight, bias, eps).double()


@register("no-tensor", devices=("cpu",))
def no_tensor(x, num_groups, weight, bias, eps):
    """Returns an array."""
    return _right(x, num_groups, weight, bias, eps).numpy()


@register("nothing", devices=("cpu",))
def nothing(x, num_groups, weight, bias, eps):
    """Returns None."""


@register("sparse", devices=("cpu",))
def sparse(x, num_groups, weight, bias, eps):
    """Returns a sparse tensor."""
    return _right(x, num_groups, weight, bias, eps).to_sparse()


@register("broadcasts", devices=("cpu",))
def broadcasts(x, num_groups, weight, bias, eps):
    """Returns one element as if it were all."""
    return torch.zeros(()).expand(x.shape)


@register("nan", devices=("cpu",))
def nan(x, num_groups, weight, bias, eps):
    """Returns one NaN."""
    y = _right(x, num_groups, weight, bias, eps)
    y[0, 0, 0, 0] = torch.nan
    return y


@register("input", devices=("cpu",))
def input_(x, num_groups, weight, bias, eps):
    """Returns its input's memory, having computed nothing."""
    return x.view(x.shape)
