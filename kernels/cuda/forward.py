"""The forward pass on a GPU: the plan's launches on torch's current stream, and the memory that they need beside it."""

# ruff: noqa: PLR0917 (operators have the arguments of their schema)
from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from ..layout import strides
from . import build
from .cut import VECTOR_BYTES
from .device import device_of
from .launch import Launch, Plan, Pointers, arguments, plan

_PORTABLE_CLUSTER = 8
"""Blocks of a cluster that every GPU with clusters has; more have to be allowed, kernel by kernel."""


def normalize(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    activation: int,
    statistics: Tensor | None,
) -> Tensor:
    """Give y, and write statistics, float32 (N, G, 3), where they are wanted.

    Parameters
    ----------
    x
        (N, C, ...), dense in one of the two memory formats.

    Raises
    ------
    ValueError
        weight and bias are not of x's channels and of one type.
    nvrtc.BuildError
        The source cannot be compiled.
    """
    weight, bias = _parameters(x.shape[1], weight, bias)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    if x.data_ptr() % VECTOR_BYTES:
        x = x.clone()  # a view of a storage's middle: the kernels move 16 bytes at once
    lie = strides(x)
    with torch.cuda.device(x.device):
        chosen = _chosen(
            x.get_device(), x.dtype, x.shape[0], x.shape[1], num_groups, lie.positions, channels_last=lie.p != 1
        )
        if chosen is None:
            return y.copy_(normalize(x.contiguous(), num_groups, weight, bias, eps, activation, statistics))
        given = next((parameter for parameter in (weight, bias) if parameter is not None), None)
        flags = {
            "activation": activation,
            "parameters_are_float": given is None or given.dtype == torch.float32,
            "eps": eps,
        }
        _run(chosen, (x, y, weight, bias, statistics), flags)
    return y


@functools.lru_cache(maxsize=1024)
def _chosen(
    device: int, dtype: torch.dtype, N: int, C: int, G: int, positions: int, *, channels_last: bool
) -> Plan | None:
    """Give the plan that a shape is launched by on one of this machine's GPUs.

    None where a block cannot hold the moments of a row: of 14,500 odd channels, last and in one group, it cannot.
    """
    limits = device_of(device)
    chosen = plan(
        N=N, C=C, G=G, positions=positions, channels_last=channels_last, itemsize=dtype.itemsize, device=limits
    )
    if any(one.shared_bytes > limits.shared_bytes_per_block for one in chosen.launches):
        return None
    if chosen.fallback is None or _fits(device, dtype, chosen):
        return chosen
    return chosen.fallback  # the same bits by two kernels


def _parameters(C: int, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    given = [parameter for parameter in (weight, bias) if parameter is not None]
    if any(parameter.shape != (C,) for parameter in given):
        raise ValueError(f"weight and bias: {C} values are wanted")
    if len({parameter.dtype for parameter in given}) > 1:
        raise ValueError("weight and bias: one type is wanted")
    return (
        None if weight is None else weight.contiguous(),
        None if bias is None else bias.contiguous(),
    )


def _run(chosen: Plan, tensors: tuple[Tensor | None, ...], flags: dict[str, Any]) -> None:
    x = tensors[0]
    assert x is not None
    slots = x.new_empty((chosen.slots, 4), dtype=torch.float32)
    counters = x.new_zeros(chosen.counters, dtype=torch.int32)
    addresses = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
    # An empty tensor's address is 0: nobody's workspace.
    pointers = Pointers(
        **dict(zip(("x", "y", "weight", "bias", "statistics"), addresses, strict=True)),
        slots=slots.data_ptr(),
        counters=counters.data_ptr(),
    )
    kernels = _kernels(x.get_device(), x.dtype, chosen.variant)
    _enqueue(chosen, kernels, pointers, flags)


def _fits(device: int, dtype: torch.dtype, chosen: Plan) -> bool:
    """Ask the driver whether a plan's cluster, or all blocks of its cooperative grid, can be alive together."""
    one = chosen.launches[0]
    kernel = _kernels(device, dtype, chosen.variant)[one.kernel]
    if one.cooperative:
        alive: int = kernel.occupancy.max_active_blocks_per_multiprocessor(one.block, one.shared_bytes)
        return alive * device_of(device).multiprocessors >= one.grid
    if one.cluster > 1:
        clusters: int = kernel.occupancy.max_active_clusters(_config(one), stream=_stream(device))
        return clusters >= 1
    return True


def _stream(device: int) -> Any:
    from cuda.core import Device  # noqa: PLC0415 (cuda-core is an extra)

    return Device(device).default_stream


@functools.cache
def _kernels(device: int, dtype: torch.dtype, lie: str) -> dict[str, Any]:
    """Load one variant into a device's context, which torch has made current."""
    from cuda.core import Device, ObjectCode  # noqa: PLC0415 (cuda-core is an extra)

    # cuda-core keeps a current device of its own; the primary context behind it is torch's.
    Device(device).set_current()
    major, minor = torch.cuda.get_device_capability(device)
    variant = build.Variant(dtype=str(dtype).removeprefix("torch."), lie=lie)
    code = ObjectCode.from_cubin(build.compile_for(f"sm_{major}{minor}", variant).cubin.read_bytes(), name="forward")
    kernels = {kernel: code.get_kernel(kernel) for kernel in variant.kernels}
    for kernel in ("team", "statistics", "apply"):
        _allow(kernels[kernel], device, clusters=kernel == "team" and device_of(device).largest_cluster > 1)
    return kernels


def _allow(kernel: Any, device: int, *, clusters: bool) -> None:
    """Let a kernel ask for all of a block's shared memory, and for clusters of 16."""
    from cuda.bindings import driver  # noqa: PLC0415 (an extra)

    attribute = driver.CUfunction_attribute
    wanted = {
        attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: device_of(device).shared_bytes_per_block,
    }
    if clusters and device_of(device).largest_cluster > _PORTABLE_CLUSTER:
        wanted[attribute.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED] = 1
    handle = driver.CUkernel(int(kernel.handle))
    for name, value in wanted.items():
        (status,) = driver.cuKernelSetAttribute(name, value, handle, driver.CUdevice(device))
        if status != driver.CUresult.CUDA_SUCCESS:
            raise RuntimeError(f"{name.name}: {status.name}")


def _enqueue(chosen: Plan, kernels: dict[str, Any], pointers: Pointers, flags: dict[str, Any]) -> None:
    from cuda.core import launch as enqueue  # noqa: PLC0415 (cuda-core is an extra)

    stream = torch.cuda.current_stream()
    for one in chosen.launches:
        enqueue(stream, _config(one), kernels[one.kernel], *arguments(chosen, one, pointers, **flags))


def _config(one: Launch) -> Any:
    from cuda.core import LaunchConfig  # noqa: PLC0415 (cuda-core is an extra)

    if one.cluster > 1:  # cuda-core counts a grid of clusters in clusters
        return LaunchConfig(
            grid=one.grid // one.cluster, cluster=one.cluster, block=one.block, shmem_size=one.shared_bytes
        )
    return LaunchConfig(grid=one.grid, block=one.block, shmem_size=one.shared_bytes, is_cooperative=one.cooperative)
