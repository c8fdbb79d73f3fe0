"""The forward kernels as ``kernels.cuda`` launches them, on the CPU: the same source, flags, plan and arguments."""

import cuda_on_cpu as cpu
import torch
from torch.nn import functional

from kernels.cuda import build as compiled
from kernels.cuda import launch as launcher
from kernels.cuda.device import Device
from kernels.layout import strides

SOURCE = compiled.SOURCE
ACTIVATIONS = (lambda y: y, functional.silu, functional.relu)
DEVICES = {
    "alone": Device(
        multiprocessors=4, shared_bytes_per_block=232448, shared_bytes_per_multiprocessor=233472, largest_cluster=1
    ),
    "cluster": Device(
        multiprocessors=4, shared_bytes_per_block=4096, shared_bytes_per_multiprocessor=8192, largest_cluster=8
    ),
    "grid": Device(
        multiprocessors=5, shared_bytes_per_block=6144, shared_bytes_per_multiprocessor=8192, largest_cluster=1
    ),
    "split": Device(
        multiprocessors=5, shared_bytes_per_block=4096, shared_bytes_per_multiprocessor=8192, largest_cluster=1,
        cooperative=False,
    ),
}  # fmt: skip
"""Small ones that send small shapes down every way."""


def plan_of(x, num_groups, device):
    """Give what the launcher chooses for x on a device."""
    lie = strides(x)
    return launcher.plan(
        N=x.shape[0],
        C=x.shape[1],
        G=num_groups,
        positions=lie.positions,
        channels_last=lie.p != 1,
        itemsize=x.itemsize,
        device=DEVICES[device],
    )


def module(plan, x, sanitizer, source=SOURCE):
    """Compile the variant that a plan asks for."""
    variant = compiled.Variant(dtype=str(x.dtype).removeprefix("torch."), lie=plan.variant)
    return cpu.build(source, variant.kernels, macros=variant.macros, sanitizer=sanitizer)


def forward(
    x, num_groups, weight=None, bias=None, *, plan, activation=0, eps=1e-5, sanitizer="watch", seed=0, source=SOURCE
):
    """Give (y, statistics) of a plan's launches."""
    y, statistics = torch.empty_like(x), torch.empty(x.shape[0], num_groups, 3)
    parameter = next((p.dtype for p in (weight, bias) if p is not None), torch.float32)
    flags = {"activation": activation, "parameters_are_float": parameter == torch.float32, "eps": eps}
    launched(
        plan, x, y, (weight, bias), statistics=statistics, flags=flags, sanitizer=sanitizer, seed=seed, source=source
    )
    return y, statistics


def launched(plan, x, y, parameters, *, statistics, flags, sanitizer="watch", seed=0, source=SOURCE):
    """Run a plan's launches, which write y and, where they are wanted, statistics."""
    weight, bias = parameters
    pointers = launcher.Pointers(
        x=cpu.reads(x, "x"),
        y=cpu.writes(y, "y"),
        weight=None if weight is None else cpu.reads(weight, "weight"),
        bias=None if bias is None else cpu.reads(bias, "bias"),
        statistics=None if statistics is None else cpu.writes(statistics, "statistics"),
        slots=cpu.writes(torch.empty(plan.slots, 4), "slots") if plan.slots else None,
        counters=cpu.updates(torch.zeros(plan.counters, dtype=torch.int32), "counters") if plan.counters else None,
    )
    launches = [
        cpu.Launch(
            kernel=launch.kernel,
            grid=launch.grid,
            block=launch.block,
            cluster=launch.cluster,
            cooperative=launch.cooperative,
            shared_bytes=launch.shared_bytes,
            arguments=launcher.arguments(plan, launch, pointers, **flags),
        )
        for launch in plan.launches
    ]
    module(plan, x, sanitizer, source).run(launches, seed=seed)


def oracle(x, num_groups, weight=None, bias=None, *, eps=1e-5, activation=0):
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
