"""Puts functions that look in the place of torch's own while somebody listens.

``nn.GroupNorm``, its subclasses and ``F.group_norm`` all end in ``torch.group_norm``, in whichever thread.
A ``TorchFunctionMode`` would cost every function of a program, see one thread alone, and change results:
``nn.MultiheadAttention`` leaves its fast path under a mode.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import torch

from .calls import NOTHING, UNKNOWN, Given
from .recorder import PLAIN, Recorder
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


def _tell(y: Any, given: Given) -> None:
    """Tell all that listen of a call, and watch its result."""
    if not isinstance(y, torch.Tensor) or _is_traced(given.x):
        return
    calls = []
    for recorder in _listening:
        try:
            calls.append(recorder.note(y, given))
        except Exception as error:  # a fault of ours must not end a user's program
            recorder.fault(error)
        recorder.save_if_due()
    if not calls:
        return
    is_watched = bool(calls[0].facts["watched"])
    seen = Watch(tuple(calls), NOTHING if is_watched else UNKNOWN)
    if y.grad_fn is not None:
        y.grad_fn.register_prehook(seen)
    if is_watched:
        watch(y, seen)


def _is_traced(x: Any) -> bool:
    """Say whether a compiler is at work: it calls on tensors without contents, to learn shapes."""
    return type(x) not in PLAIN and torch._guards.TracingContext.try_get() is not None  # noqa: SLF001


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
    if len(args) < len(Given._fields):  # F.group_norm gives all by place; others may not
        names = ("input", "num_groups", "weight", "bias", "eps")
        all_given = dict(zip(names, args, strict=False)) | named
        args = tuple(all_given.get(name, 1e-5 if name == "eps" else None) for name in names)
    _tell(y, Given(*args[:5]))


def _tell_native_group_norm(made: Any, *given: Any, **named: Any) -> None:
    names = ("input", "weight", "bias", "N", "C", "HxW", "group", "eps")
    all_given = dict(zip(names, given, strict=False)) | named
    x, weight, bias, num_groups, eps = (all_given[name] for name in ("input", "weight", "bias", "group", "eps"))
    _tell(made[0], Given(x, num_groups, weight, bias, eps))


_LOOKING = {
    "group_norm": _looking("group_norm", _tell_group_norm),
    "native_group_norm": _looking("native_group_norm", _tell_native_group_norm),
}
