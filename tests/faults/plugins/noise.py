"""Rows that talk on standard output."""

import os

import torch.nn.functional as F

from kernels import register

_calls = {}


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


@register("chatty", devices=("cpu",))
def chatty(x, num_groups, weight, bias, eps):
    """Prints a line in every call."""
    print("a kernel that talks on standard output")
    return _right(x, num_groups, weight, bias, eps)


@register("garbage", devices=("cpu",))
def garbage(x, num_groups, weight, bias, eps):
    """Writes bytes that look like a message, and bytes that are none, to descriptor 1."""
    os.write(1, b'\x00\x00\x00\x10["Closed",{}]\xff\xfe\x00')
    return _right(x, num_groups, weight, bias, eps)


@register("floods", devices=("cpu",))
def floods(x, num_groups, weight, bias, eps):
    """Writes 12 MB in each of its first calls."""
    _calls["floods"] = _calls.get("floods", 0) + 1
    if _calls["floods"] <= 2:
        os.write(1, b"flood " * 2_000_000)
    return _right(x, num_groups, weight, bias, eps)
