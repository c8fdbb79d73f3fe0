"""Puts functions that look in the place of torch's own while somebody listens.

``nn.GroupNorm``, its subclasses and ``F.group_norm`` all end in ``torch.group_norm``, in whichever thread.
A ``TorchFunctionMode`` would cost every function of a program, see one thread alone, and change results:
``nn.MultiheadAttention`` leaves its fast path under a mode.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .calls import NOTHING, UNKNOWN
from .recorder import Recorder
from .watched import Watch, watch

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE = {name: getattr(torch, name) for name in ("group_norm", "native_group_norm")}
_listening: tuple[Recorder, ...] = ()


def listen(recorder: Recorder) -> None:
    """Tell a recorder of each call from now on."""
    _listen((*_listening, recorder))


def leave(recorder: Recorder) -> None:
    """Tell a recorder no longer; torch is as it was when nobody listens."""
    _listen(tuple(one for one in _listening if one is not recorder))


def _listen(recorders: tuple[Recorder, ...]) -> None:
    global _listening  # noqa: PLW0603 - torch's functions are the process's, so are those that listen
    _listening = recorders
    for name, true in _TRUE.items():
        setattr(torch, name, _LOOKING[name] if recorders else true)


def _tell(  # noqa: PLR0917 - the hot way
    y: Any, x: Any, num_groups: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5, _: Any = None
) -> None:
    """Tell all that listen of a call, and watch its result where it is not sure what takes it."""
    if not isinstance(y, Tensor) or (type(x) is not Tensor and _is_traced()):
        return
    unsettled = []
    for recorder in _listening:
        recorder.save_if_due()  # before this call, of which it is not known yet what follows
        try:
            calls, known = recorder.note(y, x, num_groups, weight, bias, eps)
        except Exception as error:  # a fault of ours must not end a user's program
            recorder.fault(error)
            continue
        if known is None:
            unsettled.append(calls)
        elif (node := y.grad_fn) is not None:
            node.register_prehook(Watch((calls,), known))
    if unsettled:
        is_watched = unsettled[0].facts["watched"]
        seen = Watch(tuple(unsettled), NOTHING if is_watched else UNKNOWN)
        if (node := y.grad_fn) is not None:
            node.register_prehook(seen)
        if is_watched:
            watch(y, seen)


def _is_traced() -> bool:
    """Say whether a compiler is at work: it calls on tensors without contents, to learn shapes."""
    return torch._guards.TracingContext.try_get() is not None  # noqa: SLF001


def _looking(name: str, tell: Callable[..., None]) -> Callable[..., Any]:
    true = _TRUE[name]

    @wraps(true)
    def looking(*args: Any, **kwargs: Any) -> Any:
        made = true(*args, **kwargs)
        tell(made, *args, **kwargs)
        return made

    looking.__module__, looking.__qualname__ = "torch", name  # a compiler's cache names it so
    torch.jit._builtins._register_builtin(looking, f"aten::{name}")  # noqa: SLF001 - a script knows it by identity
    return looking


def _tell_group_norm(y: Any, *args: Any, **named: Any) -> None:
    if named:  # F.group_norm gives all by place; others may not
        named = {"x" if name == "input" else name: one for name, one in named.items() if name != "cudnn_enabled"}
    _tell(y, *args, **named)


def _tell_native_group_norm(made: Any, *given: Any, **named: Any) -> None:
    names = ("input", "weight", "bias", "N", "C", "HxW", "group", "eps")
    all_given = dict(zip(names, given, strict=False)) | named
    x, weight, bias, num_groups, eps = (all_given[name] for name in ("input", "weight", "bias", "group", "eps"))
    _tell(made[0], x, num_groups, weight, bias, eps)


_LOOKING = {
    "group_norm": _looking("group_norm", _tell_group_norm),
    "native_group_norm": _looking("native_group_norm", _tell_native_group_norm),
}
