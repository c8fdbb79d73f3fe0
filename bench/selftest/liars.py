"""Plugin file: kernels that are not what they seem (see ``truths.LIARS``); each must be caught."""

# ruff: noqa: ARG001 (a liar takes what a kernel is given, and leaves it)
from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from kernels import register

# A worker is one visit's: what a liar remembers ends with it.
_calls: Counter[str] = Counter()
_answers: dict[int | bytes, Tensor] = {}
_first: dict[int, Tensor] = {}

_CHECKED_CALLS = 2
"""A check calls once on each of two sets of inputs; a liar behaves until then."""


def _is_timed(name: str) -> bool:
    _calls[name] += 1
    return _calls[name] > _CHECKED_CALLS


@register("does-nothing", devices=("cpu",))
def does_nothing(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return zeros."""
    return torch.zeros_like(x)


@register("hands-back", devices=("cpu",))
def hands_back(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return the input."""
    return x


@register("errs-when-timed", devices=("cpu",))
def errs_when_timed(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Be right when checked only."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    return y + 1e-3 if _is_timed("errs-when-timed") else y


@register("scribbles", devices=("cpu",))
def scribbles(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Change one value of the input once it is timed."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    if _is_timed("scribbles"):
        x[0, 0, 0, 0] += 1
    return y


@register("replays-by-pointer", devices=("cpu",))
def replays_by_pointer(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Work once for each address, then hand the same answer out again."""
    if x.data_ptr() not in _answers:
        _answers[x.data_ptr()] = functional.group_norm(x, num_groups, weight, bias, eps)
    return _answers[x.data_ptr()]


@register("retypes-everything", devices=("cpu",))
def retypes_everything(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Change what every row shares."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    if _is_timed("retypes-everything"):
        torch.set_default_dtype(torch.float64)
    return y


@register("zeroes-its-input", devices=("cpu",))
def zeroes_its_input(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Make the next call's work easier."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    if _is_timed("zeroes-its-input"):
        x.zero_()
    return y


@register("replays-by-content", devices=("cpu",))
def replays_by_content(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Look the answer up; what was not seen before takes 3 ms."""
    key = x.numpy().tobytes()
    if key not in _answers:
        time.sleep(0.003)
        _answers[key] = functional.group_norm(x, num_groups, weight, bias, eps)
    return _answers[key].clone()


@register("serves-a-stale-graph", devices=("cpu",))
def serves_a_stale_graph(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Compute on what was captured, as a graph does that does not read its inputs anew."""
    return functional.group_norm(_first.setdefault(x.data_ptr(), x.clone()), num_groups, weight, bias, eps)


@register("answers-late", devices=("cpu",))
def answers_late(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return at once; another thread fills the output 5 ms later."""
    y = torch.empty_like(x)

    def fill() -> None:
        time.sleep(0.005)
        y.copy_(functional.group_norm(x, num_groups, weight, bias, eps))

    threading.Thread(target=fill, daemon=True).start()
    return y


class _Promise(Tensor):
    compute: Callable[[], Tensor]

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kept = [one.compute() if isinstance(one, _Promise) and hasattr(one, "compute") else one for one in args]
        plain = [one.as_subclass(Tensor) if isinstance(one, _Promise) else one for one in kept]
        return function(*plain, **kwargs or {})


@register("returns-a-promise", devices=("cpu",))
def returns_a_promise(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Compute when somebody looks."""
    y = torch.empty_like(x).as_subclass(_Promise)
    y.compute = lambda: functional.group_norm(x, num_groups, weight, bias, eps)
    return y


@register("slows-the-clock", devices=("cpu",))
def slows_the_clock(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Replace the function that the time is read with."""
    clock = time.perf_counter_ns
    time.perf_counter_ns = lambda: clock() // 2
    return functional.group_norm(x, num_groups, weight, bias, eps)


@register("recycles-memory", devices=("cpu",))
def recycles_memory(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return memory as it was given: the last answer may lie in it."""
    return torch.empty_like(x)


@register("compiles-when-timed", devices=("cpu",))
def compiles_when_timed(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Run another program now and then, as a compiler is run."""
    _calls["compiles-when-timed"] += 1
    if _calls["compiles-when-timed"] > 20 and _calls["compiles-when-timed"] % 5 == 0:
        subprocess.run(["true"], check=True)
    return functional.group_norm(x, num_groups, weight, bias, eps)
