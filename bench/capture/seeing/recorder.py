"""Counts the calls of a process, and keeps what was counted where the process's end cannot lose it."""

from __future__ import annotations

import atexit
import json
import math
import os
import time
import weakref
from collections import Counter
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.nn import Parameter

from .calls import LOCK, Calls
from .compiling import is_at_work

_PLAIN = frozenset({Tensor, Parameter})
_SAVE_S = 2.0  # what a program that is killed may lose
_SAVE_SHARE = 0.01  # of a program's time, at most, goes into saving


class Recorder:
    """Counts the GroupNorm calls of this process while it listens (``patch.listen``).

    Parameters
    ----------
    folder
        Where to keep what was seen, as the program runs; None keeps it in memory alone.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._calls: dict[Any, Calls] = {}
        self.quick: dict[Any, Calls] = {}
        """Those of them that are sure, by ``quick_key``: all that can differ from call to call of one norm.

        What the key leaves out (a norm that is moved to another device) is seen when it is looked at again.
        """
        self._gone: list[Calls] = []
        self._faults: Counter[str] = Counter()
        self.due_s = math.inf if folder is None else 0.0
        """When to save again, by the monotonic clock."""

    def keep(self) -> None:
        """Keep what was seen however this process or one forked from it ends; a killed one loses two seconds."""
        leave = os._exit  # by which the children of multiprocessing go, and others that want no handlers run

        def save_and_leave(status: int) -> NoReturn:
            self.save()
            leave(status)

        os._exit = save_and_leave
        atexit.register(self.save)
        os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=self._begin_again)

    def _begin_again(self) -> None:
        """Be a process of its own after a fork: what was counted until then is the parent's."""
        LOCK.release()
        self.quick.clear()
        self._calls, self._gone, self._faults, self.due_s = {}, [], Counter(), 0.0

    def snapshot(self) -> dict[str, Any]:
        """Give what was seen so far as plain data."""
        with LOCK:
            calls = [row for alike in self._all() for row in alike.rows()]
        return {
            "torch": torch.__version__,
            "compiles": is_at_work(),
            "calls": calls,
            "faults": dict(self._faults),
        }

    def _all(self) -> list[Calls]:
        return [*self._gone, *list(self._calls.values())]

    def save(self) -> None:
        """Write what was seen into the folder, whole; nothing where nothing was."""
        if self._folder is None or not (self._calls or self._gone or self._faults or is_at_work()):
            return
        began_s = time.monotonic()
        path = os.path.join(self._folder, f"{os.getpid()}.json")
        try:
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(self.snapshot(), file)
            os.replace(f"{path}.new", path)
        except OSError:
            pass  # a full disk is no reason to end a user's program
        now_s = time.monotonic()
        self.due_s = now_s + max(_SAVE_S, (now_s - began_s) / _SAVE_SHARE)

    def note(  # noqa: PLR0917 - the hot way
        self, y: Any, x: Any, num_groups: Any, weight: Any, bias: Any, eps: Any
    ) -> tuple[Calls, bool] | None:
        """Count one call, of which y came; give those like it and whether to look at it; None where that is all."""
        quick = quick_key(y, x, num_groups, weight, eps)
        # A weight that is no parameter may be another one at each call, and at the place of the last one.
        norm = quick[0] if type(weight) is Parameter else 0
        # A subclass's own result is made of this one, out of our sight.
        is_watched = type(y) is Tensor and type(x) in _PLAIN and not is_at_work()
        weight_dtype = None if weight is None else weight.dtype
        key = (norm, *quick[1:], weight_dtype, bias is None, x.device, is_watched)
        with LOCK:
            calls = self._calls.get(key)
            if calls is None:
                calls = self._calls[key] = Calls(_facts(key))
                if norm:
                    calls.weight = weakref.ref(weight, lambda _: self._set_aside(key))
        if self.quick.get(quick) is calls and calls.is_counted():
            return None
        with LOCK:
            is_looked_at = calls.begin()
            if calls.are_sure:
                self.quick[quick] = calls
            else:
                self.quick.pop(quick, None)
        return (calls, is_looked_at) if is_looked_at or calls.gradients is not None else None

    def _set_aside(self, key: Any) -> None:
        """Begin anew with calls whose weight is gone: another norm's may take its place.

        Called by the garbage collector, perhaps while this thread holds the lock.
        """
        self.quick.pop(key[:_QUICK], None)
        if (calls := self._calls.pop(key, None)) is not None:
            self._gone.append(calls)

    def fault(self, error: Exception) -> None:
        """Count a call that could not be looked at."""
        self._faults[f"{type(error).__name__}: {error}"] += 1


_QUICK = 8


def quick_key(y: Any, x: Any, num_groups: Any, weight: Any, eps: Any) -> tuple[Any, ...]:
    """Give the key of a call by which it is found quickly; ``patch`` has it once more, for speed."""
    strides = None if x.is_contiguous() else x.stride()
    return (id(weight), x.shape, strides, num_groups, eps, y.dtype, x.dtype, y.requires_grad)


def _facts(key: Any) -> dict[str, Any]:
    weight, shape, strides, num_groups, eps, dtype, x_dtype, training, weight_dtype, no_bias, device, watched = key
    if dtype != x_dtype:  # autocast computed in another type than it was given, weights as well
        weight_dtype = None if weight_dtype is None else dtype
    layout = "contiguous" if strides is None else "strided"
    if strides is not None and _is_last(shape, strides):
        layout, strides = "channels_last", None
    return {
        "shape": list(shape),
        "layout": layout,
        "strides": None if strides is None else list(strides),
        "groups": num_groups,
        "eps": eps,
        "dtype": str(dtype).removeprefix("torch."),
        "weight_dtype": None if weight_dtype is None else str(weight_dtype).removeprefix("torch."),
        "bias": not no_bias,
        "device": device.type,
        "training": training,
        "watched": watched,
        "settles": bool(weight) and watched,
    }


def _is_last(shape: Any, strides: Any) -> bool:
    """Say whether a tensor is channels_last, as torch decides it: the stride of a single element is any."""
    if len(shape) not in {4, 5}:
        return False
    expected = 1
    for place in (1, *reversed(range(2, len(shape))), 0):
        if shape[place] != 1 and strides[place] != expected:
            return False
        expected *= shape[place]
    return True
