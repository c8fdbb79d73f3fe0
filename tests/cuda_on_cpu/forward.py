"""The forward kernel as ``kernels.cuda`` launches it, on the CPU: the same source, flags, plan and arguments."""

import ctypes

import cuda_on_cpu as cpu
import torch
from torch.nn import functional

from kernels.cuda import build as compiled
from kernels.cuda import launch as launcher
from kernels.layout import strides

SOURCE = compiled.SOURCE
ACTIVATIONS = {"none": lambda y: y, "silu": functional.silu, "relu": functional.relu}


def _name(dtype):
    return str(dtype).removeprefix("torch.")


def module(dtype, weight_dtype, activation, sanitizer, source=SOURCE):
    """Compile one variant."""
    macros = {
        "ELEMENT": compiled.ELEMENTS[_name(dtype)],
        "PARAMETER": compiled.ELEMENTS[_name(weight_dtype)],
        "ACTIVATION": str(compiled.ACTIVATIONS.index(activation)),
    }
    return cpu.build(source, [compiled.KERNEL], macros=macros, sanitizer=sanitizer)


def plan_of(x, num_groups):
    """Give what the launcher chooses for x."""
    lie = strides(x)
    N, C = x.shape[:2]
    return launcher.plan(N=N, C=C, G=num_groups, positions=lie.positions, channels_last=lie.p != 1)


def forward(built, x, num_groups, weight=None, bias=None, *, eps=1e-5, seed=0, statistics=None):
    """Run a compiled variant as the row ``cuda`` would."""
    y, lie, plan = torch.empty_like(x), strides(x), plan_of(x, num_groups)
    whole = (num_groups, x.shape[1] // num_groups, lie.n, lie.c, plan.outer, plan.inner, plan.stride)
    arguments = (
        cpu.reads(x, "x"),
        cpu.writes(y, "y"),
        None if weight is None else cpu.reads(weight, "weight"),
        None if bias is None else cpu.reads(bias, "bias"),
        *map(ctypes.c_int64, whole),
        ctypes.c_int(lie.p != 1),
        ctypes.c_double(eps),
        None if statistics is None else cpu.writes(statistics, "statistics"),
    )
    built.run([cpu.Launch(kernel=compiled.KERNEL, arguments=arguments, grid=plan.grid, block=plan.block)], seed=seed)
    return y


def oracle(x, num_groups, weight=None, bias=None, *, eps=1e-5, activation="none"):
    """GroupNorm in float64, mean first, on contiguous data."""
    groups = x.double().contiguous().reshape(x.shape[0], num_groups, -1)
    centered = groups - groups.mean(2, keepdim=True)
    y = (centered / (centered.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
    channel = (1, -1, *(1 for _ in x.shape[2:]))
    y = y if weight is None else y * weight.double().reshape(channel)
    return ACTIVATIONS[activation](y if bias is None else y + bias.double().reshape(channel))


def inputs(shape, dtype=torch.float32, weight_dtype=None, *, channels_last=False):
    """Build x, weight and bias, always the same for a shape."""
    generator = torch.Generator().manual_seed(sum(shape))
    x = (torch.randn(shape, generator=generator) + 0.3).to(dtype)
    if channels_last:
        x = x.contiguous(memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[len(shape)])
    weight, bias = torch.randn(2, shape[1], generator=generator).to(weight_dtype or dtype)
    return x, weight, bias
