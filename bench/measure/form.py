"""What a call returned, before it is held against anything: plain tensors, whose numbers are there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_PLAIN = (Tensor, torch.nn.Parameter)


def tensors(output: object) -> Sequence[Tensor]:
    """Give the tensors of an output, whatever it is."""
    if isinstance(output, Tensor):
        return (output,)
    return tuple(one for one in output if isinstance(one, Tensor)) if isinstance(output, (tuple, list)) else ()


def ill_formed(output: object, device: str) -> str | None:
    """Say what keeps an output from being numbers in memory, or None.

    A subclass, a wrapper or a flag may put the work off until somebody looks, which is after the clock has stopped.
    """
    return next((wrong for tensor in tensors(output) if (wrong := _of(tensor, device))), None)


def _of(tensor: Tensor, device: str) -> str | None:
    if type(tensor) not in _PLAIN:
        return f"returned {type(tensor).__name__}, a subclass of torch.Tensor, which may compute when it is looked at"
    if tensor.layout != torch.strided:
        return f"returned a tensor of layout {tensor.layout} where torch.strided was expected"
    if tensor.device.type != device:
        return f"returned a tensor on {tensor.device.type} where {device} was expected"
    if tensor.is_neg() or tensor.is_conj():
        return "returned a tensor that is negated or conjugated when it is looked at"
    if _overlaps(tensor):
        return "returned a tensor whose elements share memory"
    return None


def _overlaps(tensor: Tensor) -> bool:
    return any(size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def copied(output: object) -> tuple[Tensor, ...]:
    """Copy an output as it is now."""
    return tuple(tensor.detach().clone() for tensor in tensors(output))


def poison(output: object) -> None:
    """Fill an output with NaN: a call that leaves its memory as it found it, or gets it next, shows it."""
    with torch.no_grad():
        for tensor in tensors(output):
            tensor.detach().fill_(math.nan)


def layout_of(output: object, asked: str) -> str | None:
    """Name an output's memory format; of those that hold, the one asked for."""
    first = next(iter(tensors(output)), None)
    if first is None or first.layout != torch.strided or first.dim() != 4:
        return None
    has = {
        "contiguous": first.is_contiguous(),
        "channels_last": first.is_contiguous(memory_format=torch.channels_last),
    }
    # With one channel or one pixel both hold; the one asked for is the one kept.
    return asked if has[asked] else next((layout for layout, holds in has.items() if holds), "strided")
