"""Rows that go wrong, each in its own way, beside one that does not."""

import ctypes
import os
import time

import torch
import torch.nn.functional as F

from kernels import register

_calls = {}


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _nth(name):
    _calls[name] = _calls.get(name, 0) + 1
    return _calls[name]


@register("right", devices=("cpu",), differentiable=True)
def right(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps)


@register("chatty", devices=("cpu",))
def chatty(x, num_groups, weight, bias, eps):
    print("a kernel that talks on standard output")
    return _right(x, num_groups, weight, bias, eps)


@register("twice", devices=("cpu",))
def twice(x, num_groups, weight, bias, eps):
    _right(x, num_groups, weight, bias, eps)
    return _right(x, num_groups, weight, bias, eps)


@register("segfaults", devices=("cpu",))
def segfaults(x, num_groups, weight, bias, eps):
    ctypes.string_at(0)


@register("aborts", devices=("cpu",))
def aborts(x, num_groups, weight, bias, eps):
    os.abort()


@register("exits", devices=("cpu",))
def exits(x, num_groups, weight, bias, eps):
    os._exit(3)


@register("leaves", devices=("cpu",))
def leaves(x, num_groups, weight, bias, eps):
    raise SystemExit(0)


@register("hangs", devices=("cpu",))
def hangs(x, num_groups, weight, bias, eps):
    time.sleep(600)


@register("raises", devices=("cpu",))
def raises(x, num_groups, weight, bias, eps):
    raise RuntimeError("no kernel image\nis available")


@register("wrong", devices=("cpu",))
def wrong(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps) + 1e-3


@register("wrong-shape", devices=("cpu",))
def wrong_shape(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps)[:1, :1]


@register("wrong-dtype", devices=("cpu",))
def wrong_dtype(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps).double()


@register("nan", devices=("cpu",))
def nan(x, num_groups, weight, bias, eps):
    y = _right(x, num_groups, weight, bias, eps)
    y[0, 0, 0, 0] = torch.nan
    return y


@register("in-place", devices=("cpu",))
def in_place(x, num_groups, weight, bias, eps):
    return x.copy_(_right(x, num_groups, weight, bias, eps))


@register("scribbles", devices=("cpu",))
def scribbles(x, num_groups, weight, bias, eps):
    y = _right(x, num_groups, weight, bias, eps)
    x[0, 0, 0, 0] += 1
    return y


@register("scribbles-later", devices=("cpu",))
def scribbles_later(x, num_groups, weight, bias, eps):
    y = _right(x, num_groups, weight, bias, eps)
    if _nth("scribbles-later") > 5:
        x[0, 0, 0, 0] += 1
    return y


@register("remembers", devices=("cpu",))
def remembers(x, num_groups, weight, bias, eps):
    """Answers a call on inputs of the same address with the answer of the last one: no work at all."""
    if "remembered" not in _calls or _nth("remembers") <= 4:
        _calls["remembered"] = _right(x, num_groups, weight, bias, eps)
    return _calls["remembered"]


@register("raises-later", devices=("cpu",))
def raises_later(x, num_groups, weight, bias, eps):
    if _nth("raises-later") > 40:
        raise RuntimeError("enough")
    return _right(x, num_groups, weight, bias, eps)


@register("greedy", devices=("cpu",))
def greedy(x, num_groups, weight, bias, eps):
    torch.empty(1 << 50)


@register("choosy", devices=("cpu",), supports=lambda problem: "G is even" if problem.G % 2 == 0 else None)
def choosy(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps)


@register("absent", devices=("cpu",), unavailable=lambda: "no such chip")
def absent(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps)


@register("untimed", devices=("cpu",), untimed=lambda problem: "interpreted")
def untimed(x, num_groups, weight, bias, eps):
    return _right(x, num_groups, weight, bias, eps)


@register("rethreads", devices=("cpu",))
def rethreads(x, num_groups, weight, bias, eps):
    torch.set_default_dtype(torch.float64)
    return _right(x, num_groups, weight, bias, eps)


@register("rethreads-later", devices=("cpu",))
def rethreads_later(x, num_groups, weight, bias, eps):
    if _nth("rethreads-later") > 3:
        torch.set_default_dtype(torch.float64)
    return _right(x, num_groups, weight, bias, eps)
