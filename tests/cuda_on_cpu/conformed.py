"""The row ``cuda`` on CPU tensors: its own launcher and operators, and the harness where it would enqueue."""

# ruff: noqa: PLR0917 (operators have the arguments of their schema)
from contextlib import nullcontext

import backward as gradients_on_cpu
import forward as forward_on_cpu
import torch

from kernels import operators
from kernels.cuda import backward, forward
from kernels.table import Implementation


def _run(chosen, tensors, flags):
    """Stand where ``forward._run`` enqueues a plan."""
    x, y, weight, bias, statistics = tensors
    forward_on_cpu.launched(chosen, x, y, (weight, bias), statistics=statistics, flags=flags)


def _backward(dy, x, statistics, num_groups, weight, bias, activation, *needs):
    if x.numel() == 0 or not any(needs):
        return backward.group_norm_backward(dy, x, statistics, num_groups, weight, bias, activation, *needs)
    made = gradients_on_cpu.backward(
        dy, x, num_groups, weight, bias, activation=activation, wants=needs, statistics=statistics
    )
    empty = operators.gradients(x, weight, bias, False, False, False)
    return tuple(none if one is None else one for one, none in zip(made, empty, strict=True))


def _training(x, num_groups, weight, bias, eps, activation):
    statistics = x.new_empty((x.shape[0], num_groups, 3), dtype=torch.float32)
    return forward.normalize(x, num_groups, weight, bias, eps, activation, statistics), statistics


def _forward(x, num_groups, weight, bias, eps, activation):
    return forward.normalize(x, num_groups, weight, bias, eps, activation, None)


_NAME = "cuda_on_cpu"


def row(patch, device):
    """Give the row as it would be on a made-up device; ``patch`` is pytest's, and undoes what it needs."""
    patch.setattr(forward, "device_of", lambda _: forward_on_cpu.DEVICES[device])
    patch.setattr(forward, "_fits", lambda *_: True)
    patch.setattr(forward, "_run", _run)
    patch.setattr(torch.cuda, "device", lambda _: nullcontext())
    forward._chosen.cache_clear()  # it has asked another device
    defined = _defined()

    def group_norm(x, num_groups, weight, bias, eps, *, activation="none"):
        if torch.compiler.is_compiling():
            return operators.compiled(_NAME, x, num_groups, weight, bias, eps, activation)
        return defined(x, num_groups, weight, bias, eps, activation)

    return Implementation(
        name="cuda", call=group_norm, devices=("cpu",), differentiable=True, dtypes=("float32", "float16", "bfloat16")
    )


_made = []


def _defined():
    """Define the operators once a process: a name can be taken once."""
    if not _made:
        functions = {"group_norm": _forward, "group_norm_training": _training, "group_norm_backward": _backward}
        _made.append(operators.define(_NAME, {"CPU": functions}))
    return _made[0]
