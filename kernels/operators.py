"""What our rows share as operators of torch: three a row, their fakes, their autograd, and which one a call takes.

``<row>_group_norm`` gives y alone and knows no autograd: the way of a call that needs no gradient, with the least to
do on the host. ``<row>_group_norm_training`` gives the statistics too, float32 (N, G, 3), each mean as a high and a
low part and the reciprocal standard deviation; ``<row>_group_norm_backward`` needs no more than x and these. So
activations cost no memory: what they pass on is recomputed from x.

Autocast changes nothing: sums are float32 in any case, and y has x's type. (Native on CUDA computes in and returns
float32 there, because it has no other way to be exact.)
"""

# ruff: noqa: PLR0917 (operators have the arguments of their schema)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .layout import memory_format
from .table import ACTIVATIONS, NAMESPACE

_FORWARD = "(Tensor x, int num_groups, Tensor? weight, Tensor? bias, float eps, int activation)"
_BACKWARD = (
    "(Tensor dy, Tensor x, Tensor statistics, int num_groups, Tensor? weight, Tensor? bias, int activation,"
    " bool need_dx, bool need_dweight, bool need_dbias)"
)
SCHEMAS = {
    "group_norm": f"{_FORWARD} -> Tensor",
    "group_norm_training": f"{_FORWARD} -> (Tensor, Tensor)",
    "group_norm_backward": f"{_BACKWARD} -> (Tensor, Tensor, Tensor)",
}
"""An unwanted gradient comes back as a tensor of shape (0,)."""

_ACTIVATION = {word: number for number, word in enumerate(ACTIVATIONS)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Operators:
    """A row's three operators; ``library`` keeps what Python registered for them alive."""

    forward: Callable[..., Tensor]
    training: Callable[..., tuple[Tensor, Tensor]]
    backward: Callable[..., tuple[Tensor, Tensor, Tensor]]
    library: torch.library.Library
    has_autograd: bool
    """``forward`` is differentiable by itself."""

    def __call__(
        self, x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: str
    ) -> Tensor:
        """Normalize x (N, C, ...) of any strides; y has its memory format, or is contiguous where x has none.

        Raises
        ------
        ValueError
            ``num_groups`` does not divide C, or weight or bias has no C values, or they are of two types.
        """
        number = _ACTIVATION[activation]
        is_transformed = torch._C._are_functorch_transforms_active()  # noqa: SLF001 - torch.func follows operators
        if (self.has_autograd and not is_transformed) or not _is_differentiated(x, weight, bias):
            return self.forward(dense(x), num_groups, weight, bias, eps, number)
        if is_transformed:
            return self.training(dense(x), num_groups, weight, bias, eps, number)[0]
        y: Tensor = _Eager.apply(self, dense(x), num_groups, weight, bias, eps, number)  # type: ignore[no-untyped-call]
        return y


def compiled(
    row: str, x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: str
) -> Tensor:
    """Do what ``Operators`` do by the operators' names alone, which is all that torch.compile can follow."""
    forward, training = (
        getattr(getattr(torch.ops, NAMESPACE), f"{row}_{name}").default
        for name in ("group_norm", "group_norm_training")
    )
    number = _ACTIVATION[activation]
    y: Tensor
    if _is_differentiated(x, weight, bias):
        y, _ = training(dense(x), num_groups, weight, bias, eps, number)
    else:
        y = forward(dense(x), num_groups, weight, bias, eps, number)
    return y


class _Eager(torch.autograd.Function):
    """What ``register_autograd`` does, with less of Python: 2 x 32 x 4 x 4 forward and backward take 74 us, not 104.

    For rows whose operators come from Python; ``cpp`` has its own in C++, which takes two thirds of that.
    """

    @staticmethod
    def forward(
        ctx: Any,
        operators: Operators,
        x: Tensor,
        num_groups: int,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        activation: int,
    ) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():  # noqa: SLF001 - autograd is what this is
            y, statistics = operators.training(x, num_groups, weight, bias, eps, activation)
        ctx.backward, ctx.num_groups, ctx.activation = operators.backward, num_groups, activation
        ctx.save_for_backward(x, statistics, weight, bias)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        _, needs_x, _, needs_weight, needs_bias, _, _ = ctx.needs_input_grad
        with torch._C._AutoDispatchBelowAutograd():  # noqa: SLF001
            dx, dweight, dbias = _gradients_of(ctx, dy, ctx.backward, (needs_x, needs_weight, needs_bias))
        return None, dx, None, dweight, dbias, None, None


def _gradients_of(
    ctx: Any, dy: Tensor, backward: Callable[..., tuple[Tensor, ...]], wants: tuple[bool, bool, bool]
) -> tuple[Tensor | None, ...]:
    """Give dx, dweight and dbias, None where one is not wanted, of a call that ``ctx`` saved."""
    x, statistics, weight, bias = ctx.saved_tensors
    if not (x.is_contiguous() and dy.is_contiguous()):
        dy = dy.contiguous(memory_format=memory_format(x))
    dx, dweight, dbias = backward(dy, x, statistics, ctx.num_groups, weight, bias, ctx.activation, *wants)
    wants_dx, wants_dweight, wants_dbias = wants
    return dx if wants_dx else None, dweight if wants_dweight else None, dbias if wants_dbias else None


def _is_differentiated(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def dense(x: Tensor) -> Tensor:
    """Give x itself where it is contiguous or channels_last, else a contiguous copy."""
    if x.is_contiguous() or (x.ndim in (4, 5) and x.is_contiguous(memory_format=memory_format(x))):
        return x
    return x.contiguous()


def is_dense(x: Tensor) -> bool:
    """Say whether x (N, C, ...) is read where it lies, not copied first."""
    return dense(x) is x


def check(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None) -> None:
    """Raise ValueError where these make no GroupNorm of ours; the message names the argument."""
    if x.ndim < 2:
        raise ValueError(f"x: (N, C, ...) is wanted, not {tuple(x.shape)}")
    C = x.shape[1]
    if num_groups < 1 or C % num_groups:
        raise ValueError(f"num_groups: {C} channels cannot be divided into {num_groups} groups")
    if x.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError(f"x: float32, float16 or bfloat16 is wanted, not {x.dtype}")
    for name, given in (("weight", weight), ("bias", bias)):
        if given is None:
            continue
        if given.shape != (C,):
            raise ValueError(f"{name}: {C} values are wanted, not {tuple(given.shape)}")
        if given.dtype not in (x.dtype, torch.float32):
            raise ValueError(f"{name}: {x.dtype} or float32 is wanted, not {given.dtype}")
    if weight is not None and bias is not None and weight.dtype != bias.dtype:
        raise ValueError(f"weight and bias: one type is wanted, not {weight.dtype} and {bias.dtype}")


def define(row: str, implementations: dict[str, dict[str, Callable[..., Any]]]) -> Operators:
    """Define a row's operators from Python.

    Parameters
    ----------
    row
        Its name in the plugin table.
    implementations
        A dispatch key ("CPU", "CUDA") to the three functions under the names of ``SCHEMAS``.
    """
    library = _library()
    for name, schema in SCHEMAS.items():
        library.define(f"{row}_{name}{schema}")  # type: ignore[no-untyped-call]
        for key, functions in implementations.items():
            library.impl(f"{row}_{name}", functions[name], key)  # type: ignore[no-untyped-call] # torch leaves it so
    return complete(row, library)


def _library() -> torch.library.Library:
    return torch.library.Library(NAMESPACE, "FRAGMENT")  # type: ignore[no-untyped-call] # torch leaves it so


def complete(row: str, library: torch.library.Library | None = None, *, has_autograd: bool = False) -> Operators:
    """Give the operators their fakes and autograd, wherever they were defined.

    ``has_autograd`` where ``<row>_group_norm`` has one of its own, in C++.
    """
    library = library or _library()
    for name, fake in (
        ("group_norm", _fake_forward),
        ("group_norm_training", _fake_training),
        ("group_norm_backward", _fake_backward),
    ):
        torch.library.register_fake(f"{NAMESPACE}::{row}_{name}", fake, lib=library)
    forward, training, backward = (getattr(getattr(torch.ops, NAMESPACE), f"{row}_{name}").default for name in SCHEMAS)

    def differentiate(ctx: Any, dy: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
        needs_x, _, needs_weight, needs_bias, _, _ = ctx.needs_input_grad
        dx, dweight, dbias = _gradients_of(ctx, dy, backward, (needs_x, needs_weight, needs_bias))
        return dx, None, dweight, dbias, None, None

    torch.library.register_autograd(
        f"{NAMESPACE}::{row}_group_norm_training", differentiate, setup_context=_save, lib=library
    )
    return Operators(forward=forward, training=training, backward=backward, library=library, has_autograd=has_autograd)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, ctx.num_groups, weight, bias, _, ctx.activation = inputs
    ctx.save_for_backward(x, output[1], weight, bias)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _fake_forward(
    x: Tensor,
    num_groups: int,  # noqa: ARG001 (the schema's)
    weight: Tensor | None,  # noqa: ARG001
    bias: Tensor | None,  # noqa: ARG001
    eps: float,  # noqa: ARG001
    activation: int,  # noqa: ARG001
) -> Tensor:
    return torch.empty_like(x)


def _fake_training(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,  # noqa: ARG001
    bias: Tensor | None,  # noqa: ARG001
    eps: float,  # noqa: ARG001
    activation: int,  # noqa: ARG001
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), x.new_empty((x.shape[0], num_groups, 3), dtype=torch.float32)


def _fake_backward(
    dy: Tensor,  # noqa: ARG001
    x: Tensor,
    statistics: Tensor,  # noqa: ARG001
    num_groups: int,  # noqa: ARG001
    weight: Tensor | None,
    bias: Tensor | None,
    activation: int,  # noqa: ARG001
    need_dx: bool,
    need_dweight: bool,
    need_dbias: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    return gradients(x, weight, bias, need_dx, need_dweight, need_dbias)


def gradients(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, need_dx: bool, need_dweight: bool, need_dbias: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Make the memory of (dx, dweight, dbias), empty where one is not wanted."""
    C = x.shape[1]
    dtypes = [torch.float32 if given is None else given.dtype for given in (weight, bias)]
    dx = torch.empty_like(x) if need_dx else x.new_empty((0,))
    dweight = x.new_empty((C if need_dweight else 0,), dtype=dtypes[0])
    dbias = x.new_empty((C if need_dbias else 0,), dtype=dtypes[1])
    return dx, dweight, dbias
