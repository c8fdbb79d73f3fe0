"""Rows without fault, some of them odd: none may be blamed."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F

from kernels import register

_calls = {}


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _nth(name):
    _calls[name] = _calls.get(name, 0) + 1
    return _calls[name]


_pool = []
_memory = {}


@register("right", devices=("cpu",), differentiable=True)
def right(x, num_groups, weight, bias, eps):
    """Does what it should."""
    return _right(x, num_groups, weight, bias, eps)


@register("twice", devices=("cpu",))
def twice(x, num_groups, weight, bias, eps):
    """Does it twice."""
    _right(x, num_groups, weight, bias, eps)
    return _right(x, num_groups, weight, bias, eps)


@register("seeds", devices=("cpu",))
def seeds(x, num_groups, weight, bias, eps):
    """Seeds the global random generator, which is nobody's."""
    torch.manual_seed(1)
    return _right(x, num_groups, weight, bias, eps)


@register("recursion", devices=("cpu",))
def recursion(x, num_groups, weight, bias, eps):
    """Raises the recursion limit, as torch.compile does; it is put back."""
    sys.setrecursionlimit(12_345)
    return _right(x, num_groups, weight, bias, eps)


@register("joins", devices=("cpu",))
def joins(x, num_groups, weight, bias, eps):
    """Works in a thread of its own and waits for it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(_right(x, num_groups, weight, bias, eps)))
    thread.start()
    thread.join()
    return found[0]


@register("pools", devices=("cpu",))
def pools(x, num_groups, weight, bias, eps):
    """Keeps a pool of threads that sleep between its calls."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(2))
    return _pool[0].submit(_right, x, num_groups, weight, bias, eps).result()


@register("reuses", devices=("cpu",))
def reuses(x, num_groups, weight, bias, eps):
    """Returns the same memory each time, computed anew."""
    y = _right(x, num_groups, weight, bias, eps)
    return _memory.setdefault((y.shape, y.dtype), torch.empty_like(y)).copy_(y)
