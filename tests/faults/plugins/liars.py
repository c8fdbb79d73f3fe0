"""Rows that want to look faster than they are."""

import subprocess
import sys
import time
from types import FunctionType

import torch
import torch.nn.functional as F

from kernels import register

_calls = {}
_by_pointer = {}
_by_content = {}
_captured = {}
_resting = {}
_kept = []


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _nth(name):
    _calls[name] = _calls.get(name, 0) + 1
    return _calls[name]


@register("remembers", devices=("cpu",))
def remembers(x, num_groups, weight, bias, eps):
    """Returns its last output again, whatever the input."""
    if "remembers" not in _resting or _nth("remembers") <= 4:
        _resting["remembers"] = _right(x, num_groups, weight, bias, eps)
    return _resting["remembers"]


@register("replays-by-pointer", devices=("cpu",))
def replays_by_pointer(x, num_groups, weight, bias, eps):
    """Keeps an answer for each address and copies it."""
    if x.data_ptr() not in _by_pointer:
        _by_pointer[x.data_ptr()] = _right(x, num_groups, weight, bias, eps)
    return _by_pointer[x.data_ptr()].clone()


@register("replays-by-content", devices=("cpu",))
def replays_by_content(x, num_groups, weight, bias, eps):
    """Keeps an answer for each content and copies it; what it has not seen takes it 3 ms."""
    key = x.numpy().tobytes()
    if key not in _by_content:
        time.sleep(0.003)
        _by_content[key] = _right(x, num_groups, weight, bias, eps)
    return _by_content[key].clone()


@register("stale", devices=("cpu",))
def stale(x, num_groups, weight, bias, eps):
    """Computes on the contents that it captured in its first call, as a stale graph does."""
    captured = _captured.setdefault(x.data_ptr(), x.clone())
    return _right(captured, num_groups, weight, bias, eps)


@register("rests", devices=("cpu",))
def rests(x, num_groups, weight, bias, eps):
    """Keeps its output and works only when that was overwritten."""
    y = _resting.get(x.data_ptr())
    if y is None or y[0, 0, 0, 0].isnan():
        y = _resting[x.data_ptr()] = _right(x, num_groups, weight, bias, eps)
    return y


class Lazy(torch.Tensor):
    """Computes when somebody looks."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        args = [one.compute() if isinstance(one, Lazy) and hasattr(one, "compute") else one for one in args]
        return function(
            *[one.as_subclass(torch.Tensor) if isinstance(one, Lazy) else one for one in args], **kwargs or {}
        )


@register("lazy", devices=("cpu",))
def lazy(x, num_groups, weight, bias, eps):
    """Returns a subclass of Tensor that computes when it is looked at."""
    y = torch.empty_like(x).as_subclass(Lazy)
    y.compute = lambda: _right(x, num_groups, weight, bias, eps)
    return y


@register("patches-clock", devices=("cpu",))
def patches_clock(x, num_groups, weight, bias, eps):
    """Makes time.perf_counter_ns run at half its pace."""
    clock = time.perf_counter_ns
    time.perf_counter_ns = lambda: clock() // 2
    return _right(x, num_groups, weight, bias, eps)


@register("patches-device", devices=("cpu",))
def patches_device(x, num_groups, weight, bias, eps):
    """Replaces the function that takes the time."""
    sys.modules["bench.devices.cpu"]._warm_parts = lambda call, calls: ([1] * calls, call())
    return _right(x, num_groups, weight, bias, eps)


@register("patches-judge", devices=("cpu",))
def patches_judge(x, num_groups, weight, bias, eps):
    """Replaces what judges it."""
    sys.modules["bench.measure.opened"].judge = lambda *args: None
    return _right(x, num_groups, weight, bias, eps)


@register("patches-native", devices=("cpu",))
def patches_native(x, num_groups, weight, bias, eps):
    """Makes torch's own group_norm slow."""
    right, F.group_norm = F.group_norm, lambda *args: (time.sleep(0.01), right(*args))[1]
    return right(x, num_groups, weight, bias, eps)


@register("in-place", devices=("cpu",))
def in_place(x, num_groups, weight, bias, eps):
    """Writes its answer over its input."""
    return x.copy_(_right(x, num_groups, weight, bias, eps))


@register("zeroes", devices=("cpu",))
def zeroes(x, num_groups, weight, bias, eps):
    """Sets its input to zero, which makes the next call easier."""
    y = _right(x, num_groups, weight, bias, eps)
    x.zero_()
    return y


@register("scribbles-later", devices=("cpu",))
def scribbles_later(x, num_groups, weight, bias, eps):
    """Changes its input when it is timed."""
    y = _right(x, num_groups, weight, bias, eps)
    if _nth("scribbles-later") > 5:
        x[0, 0, 0, 0] += 1
    return y


@register("recycles", devices=("cpu",))
def recycles(x, num_groups, weight, bias, eps):
    """Returns memory that it was just given, in which the reference's answer may lie."""
    return torch.empty_like(x)


@register("recycles-later", devices=("cpu",))
def recycles_later(x, num_groups, weight, bias, eps):
    """The same, when it is timed."""
    return _right(x, num_groups, weight, bias, eps) if _nth("recycles-later") <= 4 else torch.empty_like(x)


@register("keeps", devices=("cpu",))
def keeps(x, num_groups, weight, bias, eps):
    """Keeps every output it returned."""
    _kept.append(_right(x, num_groups, weight, bias, eps))
    return _kept[-1]


@register("recompiles", devices=("cpu",))
def recompiles(x, num_groups, weight, bias, eps):
    """Compiles anew when it is timed."""
    if (n := _nth("recompiles")) > 20 and n % 5 == 0:
        fresh = FunctionType(_right.__code__.replace(), globals())  # or dynamo would refuse it after eight times
        return torch.compile(fresh, backend="eager")(x, num_groups, weight, bias, eps)
    return _right(x, num_groups, weight, bias, eps)


@register("runs-a-compiler", devices=("cpu",))
def runs_a_compiler(x, num_groups, weight, bias, eps):
    """Runs another program when it is timed."""
    if (n := _nth("runs-a-compiler")) > 20 and n % 5 == 0:
        subprocess.run(["true"], check=True)
    return _right(x, num_groups, weight, bias, eps)
