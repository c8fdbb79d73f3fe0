"""The functions that measuring and judging stand on, by identity: a row may replace none of them."""

from __future__ import annotations

import math
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch user knows it by

_OUTSIDE: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("time", time, ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time", "time_ns", "process_time")),
    ("threading", threading, ("enumerate", "Thread")),
    ("statistics", statistics, ("median", "fmean")),
    ("resource", resource, ("getrusage",)),
    ("torch.linalg", torch.linalg, ("vector_norm",)),
    ("torch.cuda", torch.cuda, ("Event", "synchronize", "current_stream")),
    ("math", math, ("isfinite", "log2", "frexp")),
    ("torch.nn.functional", F, ("group_norm", "silu", "relu")),
    ("torch.autograd", torch.autograd, ("grad", "backward")),
    (
        "torch",
        torch,
        (
            "Tensor",
            "Generator",
            "add",
            "aminmax",
            "as_strided",
            "empty",
            "empty_like",
            "enable_grad",
            "equal",
            "finfo",
            "get_num_threads",
            "group_norm",
            "isfinite",
            "no_grad",
            "randn",
            "set_grad_enabled",
            "set_num_threads",
            "sub",
            "zeros",
        ),
    ),
    (
        "torch.Tensor",
        torch.Tensor,
        (
            "abs",
            "clone",
            "contiguous",
            "copy_",
            "data_ptr",
            "detach",
            "double",
            "fill_",
            "is_contiguous",
            "item",
            "max",
            "mean",
            "nan_to_num",
            "nan_to_num_",
            "numel",
            "requires_grad_",
            "roll",
            "sqrt",
            "square",
            "sum",
            "to",
            "untyped_storage",
            "view",
        ),
    ),
)
_OURS = ("bench.devices", "bench.measure", "bench.plan.problem")
"""Packages of ours that take a time or judge, looked at as they stand in the worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """An owner of functions, and what stood under some of its names."""

    where: str
    owner: Any
    names: tuple[str, ...]
    read: Callable[[Any], Any]
    originals: tuple[Any, ...]

    def replaced(self) -> list[str]:
        """List the names under which something else stands now."""
        pairs = zip(self.names, self.originals, strict=True)
        return [name for name, original in pairs if getattr(self.owner, name, None) is not original]


def _place(where: str, owner: Any, names: tuple[str, ...]) -> _Place:
    read = attrgetter(*names, names[0])  # one more, so that a single name is a tuple too
    return _Place(where=where, owner=owner, names=names, read=read, originals=read(owner)[:-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Functions:
    """Who owns which functions, and what stood there."""

    places: tuple[_Place, ...]

    def replaced(self) -> list[str]:
        """Name what is no longer what it was; about 10 microseconds when all is well."""
        try:
            if all(place.read(place.owner)[:-1] == place.originals for place in self.places):
                return []
        except AttributeError:  # deleted
            pass
        return [f"{place.where}.{name}" for place in self.places for name in place.replaced()]

    def restore(self) -> None:
        """Put every original back."""
        for place in self.places:
            for name in place.replaced():
                setattr(place.owner, name, place.originals[place.names.index(name)])


def take() -> Functions:
    """Note what stands where; before any plugin is imported."""
    places = [_place(*one) for one in _OUTSIDE]
    for where, module in list(sys.modules.items()):
        if where.startswith(_OURS):
            places += _functions_of(where, module)
    return Functions(places=tuple(places))


def _functions_of(where: str, module: Any) -> list[_Place]:
    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("__")]
    places = [_place(where, module, tuple(names))] if names else []
    for name in names:
        kind = getattr(module, name)
        if isinstance(kind, type) and kind.__module__ == where:
            methods = [method for method, body in vars(kind).items() if isinstance(body, FunctionType)]
            if methods:
                places.append(_place(f"{where}.{name}", kind, tuple(methods)))
    return places


def told(names: list[str]) -> str:
    """Say it in one phrase."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"replaced {names[0]}{more}, which is everybody's"
