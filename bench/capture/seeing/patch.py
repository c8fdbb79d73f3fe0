"""Puts functions that look in the place of torch's own while somebody listens.

``nn.GroupNorm``, its subclasses and ``F.group_norm`` all end in ``torch.group_norm``, in whichever thread.
A ``TorchFunctionMode`` would cost every function of a program, see one thread alone, and change results:
``nn.MultiheadAttention`` leaves its fast path under a mode.
"""

from __future__ import annotations

from functools import update_wrapper
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .calls import NOTHING, UNKNOWN, Calls, Runs
from .recorder import Recorder
from .watched import Watch, watch

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE = {name: getattr(torch, name) for name in ("group_norm", "native_group_norm")}
_true_group_norm = torch.group_norm
# ``backward`` and ``grad`` both end there. A torch that has it no longer has every gradient hooked.
_RUN = "_engine_run_backward"
_true_run: Any = getattr(torch.autograd, _RUN, None)
Runs.are_counted = _true_run is not None
_listening: tuple[Recorder, ...] = ()
_alone: Recorder | None = None
_quick: dict[Any, Calls] = {}


def listen(recorder: Recorder) -> None:
    """Tell a recorder of each call from now on."""
    _listen((*_listening, recorder))


def leave(recorder: Recorder) -> None:
    """Tell a recorder no longer; torch is as it was when nobody listens."""
    _listen(tuple(one for one in _listening if one is not recorder))


def _listen(recorders: tuple[Recorder, ...]) -> None:
    global _listening, _alone, _quick  # noqa: PLW0603 - torch's functions are the process's, so are those that listen
    _listening = recorders
    _alone = recorders[0] if len(recorders) == 1 else None
    _quick = _alone.quick if _alone else {}
    for name, true in _TRUE.items():
        setattr(torch, name, _LOOKING[name] if recorders else true)
    if Runs.are_counted:
        setattr(torch.autograd, _RUN, _counting if recorders else _true_run)


def _tell(  # noqa: PLR0917 - the hot way
    y: Any, x: Any, num_groups: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5
) -> None:
    """Tell all that listen of a call, and watch its result where it is not sure what takes it."""
    if not isinstance(y, Tensor) or (type(x) is not Tensor and _is_traced()):
        return
    looking_at = []
    for recorder in _listening:
        if recorder.due_s < monotonic():  # before this call, of which it is not known yet what follows
            recorder.save()
        try:
            noted = recorder.note(y, x, num_groups, weight, bias, eps)
        except Exception as error:  # a fault of ours must not end a user's program
            recorder.fault(error)
            continue
        if noted is None:
            continue
        calls, is_looked_at = noted
        if is_looked_at:
            looking_at.append(calls)
        else:
            y.grad_fn.register_prehook(Watch((calls,), calls.known))  # type: ignore[union-attr]
    if looking_at:
        is_watched = looking_at[0].facts["watched"]
        seen = Watch(tuple(looking_at), NOTHING if is_watched else UNKNOWN)
        if (node := y.grad_fn) is not None:
            node.register_prehook(seen)
        if is_watched:
            watch(y, seen)


def _is_traced() -> bool:
    """Say whether a compiler is at work: it calls on tensors without contents, to learn shapes."""
    return torch._guards.TracingContext.try_get() is not None  # noqa: SLF001


def _group_norm(  # noqa: PLR0917 - torch's own, argument by argument: packing them costs more than a call
    input: Any,  # noqa: A002
    num_groups: Any,
    weight: Any = None,
    bias: Any = None,
    eps: Any = 1e-5,
    cudnn_enabled: Any = True,
) -> Any:
    y = _true_group_norm(input, num_groups, weight, bias, eps, cudnn_enabled)
    calls = None
    if type(y) is Tensor:
        try:
            strides = None if input.is_contiguous() else input.stride()
            # The key of ``recorder.quick_key``: a call of it would cost more than making it.
            key = (id(weight), input.shape, strides, num_groups, eps, y.dtype, input.dtype, y.requires_grad)
            calls = _quick.get(key)
        except Exception:  # a fault of ours, which the recorder meets again and counts
            calls = None
    if calls is None or not calls.is_counted():
        _tell(y, input, num_groups, weight, bias, eps)
    elif _alone is not None and _alone.due_s < monotonic():
        _alone.save()
    return y


def _native_group_norm(*args: Any, **named: Any) -> Any:
    made = _TRUE["native_group_norm"](*args, **named)
    names = ("input", "weight", "bias", "N", "C", "HxW", "group", "eps")
    given = dict(zip(names, args, strict=False)) | named
    _tell(made[0], *(given[name] for name in ("input", "group", "weight", "bias", "eps")))
    return made


def _looking(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    update_wrapper(function, _TRUE[name])
    function.__module__, function.__qualname__ = "torch", name  # a compiler's cache names it so
    torch.jit._builtins._register_builtin(function, f"aten::{name}")  # noqa: SLF001 - a script knows it by identity
    return function


_LOOKING = {
    "group_norm": _looking("group_norm", _group_norm),
    "native_group_norm": _looking("native_group_norm", _native_group_norm),
}


def _counting(*args: Any, **named: Any) -> Any:
    made = _true_run(*args, **named)
    Runs.made += 1
    return made
