"""The operator ``cuda_group_norm_backward``: the backward plan's launches on torch's current stream."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from ..layout import strides
from ..operators import gradients
from . import backward_build
from .backward_plan import Plan, Pointers, arguments, plan

_plan = functools.lru_cache(maxsize=1024)(plan)


@functools.cache
def _kernels(device: int, dtype: torch.dtype, vector: int, channels_last: bool) -> dict[str, Any]:
    """Load one variant into a device's context, which torch has made current."""
    from cuda.core import Device, ObjectCode  # noqa: PLC0415 (cuda-core is an extra)

    # cuda-core keeps a current device of its own; the primary context behind it is torch's.
    Device(device).set_current()
    major, minor = torch.cuda.get_device_capability(device)
    variant = backward_build.Variant(
        dtype=str(dtype).removeprefix("torch."), vector=vector, channels_last=channels_last
    )
    built = backward_build.compile_for(f"sm_{major}{minor}", variant)
    code = ObjectCode.from_cubin(built.cubin.read_bytes(), name="backward")
    return {kernel: code.get_kernel(kernel) for kernel in backward_build.KERNELS}


def group_norm_backward(  # noqa: PLR0917 (the operator's schema)
    dy: Tensor,
    x: Tensor,
    statistics: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    activation: int,
    need_dx: bool,
    need_dweight: bool,
    need_dbias: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Give (dx, dweight, dbias), of shape (0,) where one is not wanted.

    Parameters
    ----------
    dy, x
        (N, C, ...), dense, in one memory format.
    statistics
        float32 (N, G, 3): each group's mean, high and low part, and its reciprocal standard deviation.

    Raises
    ------
    nvrtc.BuildError
        The source cannot be compiled.
    """
    dx, dweight, dbias = gradients(x, weight, bias, need_dx, need_dweight, need_dbias)
    if not (need_dx or need_dweight or need_dbias):
        return dx, dweight, dbias
    if x.numel() == 0:
        return dx, dweight.zero_(), dbias.zero_()
    weight, bias = (None if given is None else given.contiguous() for given in (weight, bias))
    lie = strides(x)
    # The lowest bit of any address, 16 at most.
    bits = dy.data_ptr() | x.data_ptr() | (dx.data_ptr() if need_dx else 0) | 16
    chosen = _plan(
        N=x.shape[0],
        C=x.shape[1],
        G=num_groups,
        positions=lie.positions,
        channels_last=lie.p != 1,
        itemsize=x.itemsize,
        needs_dx=need_dx,
        needs_parameters=need_dweight or need_dbias,
        alignment=bits & -bits,
    )
    partials = x.new_empty((chosen.partials, 2), dtype=torch.float32)
    coefficients = x.new_empty((chosen.coefficients, 2), dtype=torch.float32)
    pointers = Pointers(
        dy=dy.data_ptr(),
        x=x.data_ptr(),
        statistics=statistics.data_ptr(),
        weight=0 if weight is None else weight.data_ptr(),
        bias=0 if bias is None else bias.data_ptr(),
        dx=dx.data_ptr() if need_dx else 0,
        dweight=dweight.data_ptr() if need_dweight else 0,
        dbias=dbias.data_ptr() if need_dbias else 0,
        # An empty tensor's address is 0: nobody's partials.
        partials=partials.data_ptr(),
        coefficients=coefficients.data_ptr(),
    )
    given = next((parameter for parameter in (weight, bias) if parameter is not None), None)
    is_float = given is None or given.dtype == torch.float32
    with torch.cuda.device(x.device):
        kernels = _kernels(x.get_device(), x.dtype, chosen.vector, lie.p != 1)
        _enqueue(chosen, kernels, pointers, activation, is_float)
    return dx, dweight, dbias


def _enqueue(chosen: Plan, kernels: dict[str, Any], pointers: Pointers, activation: int, is_float: bool) -> None:
    from cuda.core import LaunchConfig  # noqa: PLC0415 (cuda-core is an extra)
    from cuda.core import launch as enqueue  # noqa: PLC0415

    stream = torch.cuda.current_stream()
    for launch in chosen.launches:
        enqueue(
            stream,
            LaunchConfig(grid=launch.grid, block=launch.block, shmem_size=launch.shared_bytes),
            kernels[launch.kernel],
            *arguments(chosen, launch, pointers, activation=activation, parameters_are_float=is_float),
        )
