"""What takes a norm's result first.

The result's class is set to ``Watched`` (as torch itself does with lazy parameters). The first function that takes it
comes by ``__torch_function__``, which sets the class back and then calls the function on plain tensors. So only a
norm's result costs something, and only until it is used.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import torch

from .calls import LOCK, UNKNOWN, Calls

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARK = "_gnbench_watch"
_PRODUCTS = frozenset({"mul", "mul_", "multiply", "multiply_"})


class Watch:
    """One call, until it is known what takes its result; called when its gradient is computed."""

    __slots__ = ("calls", "follows", "gate")

    def __init__(self, calls: tuple[Calls, ...], follows: str) -> None:
        self.calls = calls
        self.follows = follows
        self.gate: weakref.ref[torch.Tensor] | None = None
        """What ``sigmoid`` made of the result: times the result it is SiLU."""

    def __call__(self, _gradients: Any) -> None:
        """Count a gradient."""
        with LOCK:
            for one in self.calls:
                if one.gradients is not None:
                    one.gradients.add(self.follows)

    def taken(self, follows: str) -> None:
        """Note the function that took the result."""
        self.follows = follows
        with LOCK:
            for one in self.calls:
                one.taken(follows)


class Watched(torch.Tensor):
    """A norm's result that no function has taken yet."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let go of the norms' results among the arguments, call the function on them, note what it was."""
        kwargs = kwargs or {}
        released: list[tuple[torch.Tensor, Watch]] = []
        _release_all(args, released)
        if kwargs:
            _release_all(kwargs.values(), released)
        made = func(*args, **kwargs)
        for y, seen in released:
            _judge(y, seen, func, args, made=made, is_in_place=bool(kwargs.get("inplace")))
        return made


def _release_all(values: Iterable[Any], released: list[tuple[torch.Tensor, Watch]]) -> None:
    for value in values:
        kind = type(value)
        if kind is Watched:
            if (seen := _release(value)) is not None:
                released.append((value, seen))
        elif kind is list or kind is tuple:  # torch.cat([y, ...])
            _release_all(value, released)


def watch(y: torch.Tensor, seen: Watch) -> None:
    """Watch a plain tensor until a function takes it."""
    y.__dict__[_MARK] = seen
    y.__class__ = Watched


def _release(y: Watched) -> Watch | None:
    y.__class__ = torch.Tensor  # type: ignore[assignment]
    seen: Watch | None = y.__dict__.pop(_MARK, None)  # None where another thread was first
    return seen


def _judge(y: torch.Tensor, seen: Watch, func: Any, args: Any, *, made: Any, is_in_place: bool) -> None:
    """Say what follows the norm, or watch on where the function computed nothing with its result."""
    name = getattr(func, "__name__", "")
    if seen.gate is not None and name in _PRODUCTS:
        gate = seen.gate()
        seen.taken("silu" if gate is not None and any(one is gate for one in args) else "sigmoid")
    elif seen.gate is None and name == "sigmoid" and made is not y:
        seen.gate = weakref.ref(made)
        watch(y, seen)
    elif name == "dim" or _has_tensor(made, y, is_in_place=is_in_place or name.endswith("_")):
        # After dim() too: nn.MultiheadAttention asks it, and then keeps its fast path from what is no plain tensor.
        seen.taken("sigmoid" if seen.gate is not None else _word(func, name))
    else:  # y.shape, y.to(its own type), dropout when evaluating
        watch(y, seen)


def release_everything() -> None:
    """Watch no tensor any longer; what follows is unknown of those that were."""
    for one in gc.get_objects():
        if type(one) is Watched and (seen := _release(one)) is not None:
            seen.taken(UNKNOWN)


def _has_tensor(made: Any, y: torch.Tensor, *, is_in_place: bool) -> bool:
    """Say whether a function made a tensor of y; y itself is one only where it was changed."""
    if isinstance(made, torch.Tensor):
        return made is not y or is_in_place
    return isinstance(made, (list, tuple)) and any(isinstance(one, torch.Tensor) for one in made)


def _word(func: Any, name: str) -> str:
    """Name a function in one word: ``silu_`` is silu, ``Tensor.T.__get__`` is T."""
    if name in {"__get__", "__set__"}:
        name = getattr(getattr(func, "__self__", None), "__name__", name)
    return name.strip("_") or type(func).__name__
