"""What a model asks of GroupNorm: the calls of ``torch.nn.functional.group_norm`` in one forward pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ACTIVATIONS = ("silu", "relu", "gelu", "elu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call: its shape as the suite has it (N, C, H, W; D is in H), and what takes its result first."""

    N: int
    C: int
    H: int
    W: int
    G: int
    eps: float
    layout: str
    """``contiguous``, ``channels_last`` or ``strided``."""
    follows: str
    """The name of the function that follows, as ``silu``, ``conv2d``, ``add``."""

    @property
    def elements(self) -> int:
        """Count x's elements."""
        return self.N * self.C * self.H * self.W


class Recorder(TorchFunctionMode):
    """Sees every torch function, and so a functional call in a module as well as a module's."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[dict[str, Any]] = []
        self._results: dict[int, int] = {}
        self._kept: list[Tensor] = []  # an id is unique among the living

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note what takes the result of a norm, and note each norm."""
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if not name.startswith("__get"):  # x.shape, x.dtype
            for one in (*args, *kwargs.values()):
                place = self._results.pop(id(one), None) if isinstance(one, Tensor) else None
                if place is not None:
                    self._made[place]["follows"] = name.strip("_")
        with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 (as torch's own modes do)
            made = function(*args, **kwargs)
        if function is functional.group_norm:
            self._note(made, *args, **kwargs)
        return made

    def _note(self, y: Tensor, x: Tensor, num_groups: int, *affine: Any, eps: float = 1e-5, **_: Any) -> None:
        eps = affine[2] if len(affine) == 3 else eps  # weight, bias and eps may be given by place
        *depth, width = x.shape[2:] or (1,)
        self._made.append(
            {
                "N": x.shape[0],
                "C": x.shape[1],
                "H": math.prod(depth),
                "W": width,
                "G": num_groups,
                "eps": eps,
                "layout": layout(x),
                "follows": "nothing",
            }
        )
        self._results[id(y)] = len(self._made) - 1
        self._kept.append(y)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Give the calls in their order."""
        return tuple(Call(**made) for made in self._made)


def layout(x: Tensor) -> str:
    """Name how x lies. One channel or one position is both, and contiguous here."""
    if x.is_contiguous():
        return "contiguous"
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    is_last = x.dim() in formats and x.is_contiguous(memory_format=formats[x.dim()])
    return "channels_last" if is_last else "strided"


def record(forward: Callable[[], object]) -> tuple[Call, ...]:
    """Run ``forward`` without gradients and give its calls."""
    with torch.no_grad(), Recorder() as recorder:
        forward()
    return recorder.calls
