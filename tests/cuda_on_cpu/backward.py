"""The backward kernels as ``kernels.cuda`` launches them, on the CPU: the same source, flags, plan and arguments."""

import ctypes
from pathlib import Path

import cuda_on_cpu as cpu
import torch
from torch.nn import functional

from kernels.cuda import backward_plan
from kernels.cuda import build as compiled
from kernels.layout import strides

SOURCE = Path(compiled.SOURCE).with_name("backward.cu")
KERNELS = ("sums", "apply", "together", "combine")
ACTIVATIONS = (lambda z: z, functional.silu, functional.relu)


def plan_of(x, num_groups, wants=(True, True, True), alignment=16):
    """Give what the launcher chooses for x."""
    lie = strides(x)
    return backward_plan.plan(
        N=x.shape[0],
        C=x.shape[1],
        G=num_groups,
        positions=lie.positions,
        channels_last=lie.p != 1,
        itemsize=x.itemsize,
        needs_dx=wants[0],
        needs_parameters=wants[1] or wants[2],
        alignment=alignment,
    )


def module(plan, x, sanitizer, source=SOURCE):
    """Compile the variant that a plan asks for."""
    macros = {
        "ELEMENT": compiled.ELEMENTS[str(x.dtype).removeprefix("torch.")],
        "VECTOR": str(plan.vector),
        "CHANNELS_LAST": str(int(strides(x).p != 1)),
    }
    return cpu.build(source, KERNELS, macros=macros, sanitizer=sanitizer)


def statistics_of(x, num_groups, eps=1e-5):
    """What the forward pass leaves, of float64."""
    groups = x.double().contiguous().reshape(x.shape[0], num_groups, -1)
    mean, variance = groups.mean(2), groups.var(2, correction=0)
    high = mean.float()
    return torch.stack([high, (mean - high.double()).float(), (variance + eps).rsqrt().float()], 2).contiguous()


def backward(
    dy, x, num_groups, weight=None, bias=None, *, activation=0, sanitizer="watch", seed=0, source=SOURCE,
    wants=(True, True, True), alignment=16, plan=None,
):  # fmt: skip
    """Give (dx, dweight, dbias), None for what is not wanted."""
    plan = plan or plan_of(x, num_groups, wants, alignment)
    parameter = next((p.dtype for p in (weight, bias) if p is not None), torch.float32)
    made = [torch.empty_like(x), *(torch.empty(x.shape[1], dtype=parameter) for _ in range(2))]
    dx, dweight, dbias = (cpu.writes(t, n) if w else None for t, n, w in zip(made, ("dx", "dw", "db"), wants))
    given = [None if p is None else cpu.reads(p, name) for p, name in ((weight, "weight"), (bias, "bias"))]
    partials = cpu.writes(torch.empty(plan.partials, 2), "partials") if plan.partials else None
    coefficients = cpu.writes(torch.empty(plan.coefficients, 2), "coefficients") if plan.coefficients else None
    is_float = ctypes.c_int(parameter == torch.float32)
    first = (cpu.reads(dy, "dy"), cpu.reads(x, "x"), cpu.reads(statistics_of(x, num_groups), "statistics"), *given, dx)
    walk = (*first, partials, coefficients, *map(ctypes.c_int, plan.numbers), ctypes.c_int(activation), is_float)
    combine = (partials, given[0], coefficients, dweight, dbias, *map(ctypes.c_int, plan.combined), is_float)
    launches = [
        cpu.Launch(
            kernel=launch.kernel,
            grid=launch.grid,
            block=launch.block,
            shared_bytes=launch.shared_bytes,
            arguments=combine if launch.kernel == "combine" else walk,
        )
        for launch in plan.launches
    ]
    module(plan, x, sanitizer, source).run(launches, seed=seed)
    return tuple(t if w else None for t, w in zip(made, wants))


def oracle(dy, x, num_groups, weight=None, bias=None, *, activation=0, eps=1e-5):
    """The gradients by autograd in float64, mean first, on contiguous data."""
    C = x.shape[1]
    leaf = x.detach().double().contiguous().requires_grad_()
    w = (torch.ones(C) if weight is None else weight).double().requires_grad_()
    b = (torch.zeros(C) if bias is None else bias).double().requires_grad_()
    groups = leaf.reshape(x.shape[0], num_groups, -1)
    centered = groups - groups.mean(2, keepdim=True)
    y = (centered / (centered.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
    shape = (1, -1, *(1 for _ in x.shape[2:]))
    y = ACTIVATIONS[activation](y * w.reshape(shape) + b.reshape(shape))
    return torch.autograd.grad(y, (leaf, w, b), dy.double().contiguous())
