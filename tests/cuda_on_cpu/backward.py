"""The backward kernels as ``kernels.cuda`` launches them, on the CPU: the same source, flags, plan and arguments."""

import cuda_on_cpu as cpu
import torch
from torch.nn import functional

from kernels.cuda import backward_build as compiled
from kernels.cuda import backward_plan
from kernels.layout import strides

SOURCE = compiled.SOURCE
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
    dtype = str(x.dtype).removeprefix("torch.")
    variant = compiled.Variant(dtype=dtype, vector=plan.vector, channels_last=strides(x).p != 1)
    return cpu.build(source, compiled.KERNELS, macros=variant.macros, sanitizer=sanitizer)


def statistics_of(x, num_groups, eps=1e-5):
    """What the forward pass leaves, of float64."""
    groups = x.double().contiguous().reshape(x.shape[0], num_groups, -1)
    mean, variance = groups.mean(2), groups.var(2, correction=0)
    high = mean.float()
    return torch.stack([high, (mean - high.double()).float(), (variance + eps).rsqrt().float()], 2).contiguous()


def backward(
    dy, x, num_groups, weight=None, bias=None, *, activation=0, sanitizer="watch", seed=0, source=SOURCE,
    wants=(True, True, True), alignment=16, plan=None, statistics=None,
):  # fmt: skip
    """Give (dx, dweight, dbias), None for what is not wanted."""
    plan = plan or plan_of(x, num_groups, wants, alignment)
    parameter = next((p.dtype for p in (weight, bias) if p is not None), torch.float32)
    made = [torch.empty_like(x), *(torch.empty(x.shape[1], dtype=parameter) for _ in range(2))]
    named = zip(made, ("dx", "dweight", "dbias"), wants, strict=True)
    dx, dweight, dbias = (cpu.writes(tensor, name) if wanted else None for tensor, name, wanted in named)
    given = [None if p is None else cpu.reads(p, name) for p, name in ((weight, "weight"), (bias, "bias"))]
    partials = cpu.writes(torch.empty(plan.partials, 2), "partials") if plan.partials else None
    coefficients = cpu.writes(torch.empty(plan.coefficients, 2), "coefficients") if plan.coefficients else None
    pointers = backward_plan.Pointers(
        dy=cpu.reads(dy, "dy"),
        x=cpu.reads(x, "x"),
        statistics=cpu.reads(statistics_of(x, num_groups) if statistics is None else statistics, "statistics"),
        weight=given[0],
        bias=given[1],
        dx=dx,
        dweight=dweight,
        dbias=dbias,
        partials=partials,
        coefficients=coefficients,
    )
    flags = {"activation": activation, "parameters_are_float": parameter == torch.float32}
    launches = [
        cpu.Launch(
            kernel=launch.kernel,
            grid=launch.grid,
            block=launch.block,
            shared_bytes=launch.shared_bytes,
            arguments=backward_plan.arguments(plan, launch, pointers, **flags),
        )
        for launch in plan.launches
    ]
    module(plan, x, sanitizer, source).run(launches, seed=seed)
    return tuple(tensor if wanted else None for tensor, wanted in zip(made, wants, strict=True))


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
