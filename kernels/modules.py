"""``GroupNorm``, a drop-in for ``torch.nn.GroupNorm`` by any row of the table, and its swap through a whole model."""

from __future__ import annotations

import functools
import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from . import discovery, table

AUTO = "auto"
"""The row cpp on the CPU and cuda on a GPU, native where these cannot."""

_OURS = {"cpu": "cpp", "cuda": "cuda"}
_Calls = dict[tuple[str, torch.dtype, bool], Callable[..., Tensor] | str]
_FUSED: Mapping[type[nn.Module], str] = types.MappingProxyType({nn.SiLU: "silu", nn.ReLU: "relu"})


class GroupNorm(nn.GroupNorm):
    """Group normalization over x (N, C, ...) by a row of the plugin table, with an activation fused after it.

    Parameters, state dict and arguments are those of ``torch.nn.GroupNorm``.

    Parameters
    ----------
    implementation
        A row's name, or ``"auto"``: ours for x's device where there is one that can, else native.
    activation
        ``"none"``, ``"silu"`` or ``"relu"``.

    Raises
    ------
    ValueError
        There is no such row or activation. From ``forward``: the row cannot do this x, and why.

    Examples
    --------
    >>> norm = GroupNorm(2, 4, activation="relu", implementation="native")
    >>> norm(torch.tensor([[[1.0], [3.0], [5.0], [5.0]]])).detach().flatten().round(decimals=3)
    tensor([0., 1., 0., 0.])
    """

    _implementation: str
    _activation: str
    _calls: _Calls

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *arguments: Any,
        implementation: str = AUTO,
        activation: str = "none",
        **options: Any,
    ) -> None:
        super().__init__(num_groups, num_channels, eps, affine, *arguments, **options)
        self.choose(implementation, activation)

    @classmethod
    def of(cls, module: nn.GroupNorm, implementation: str = AUTO, activation: str = "none") -> GroupNorm:
        """Make a ``torch.nn.GroupNorm`` one of ours and give it back: the same object, of another class."""
        module.__class__ = cls
        assert isinstance(module, GroupNorm)
        module.choose(implementation, activation)
        return module

    def choose(self, implementation: str, activation: str) -> None:
        """Let another row do it, or with another activation; raise ValueError if there is none of that name."""
        _check(implementation, activation)
        self._implementation, self._activation = implementation, activation
        # Here and not in forward: torch.compile follows a lookup, not the search for a compiler on PATH.
        self._calls = _calls(implementation, activation, self.affine)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's own name)
        """Normalize input (N, C, ...); the output has its shape and type."""
        needs_gradient = torch.is_grad_enabled() and (
            input.requires_grad or any(parameter.requires_grad for parameter in self.parameters(recurse=False))
        )
        call = self._calls.get((input.device.type, input.dtype, needs_gradient), "no row takes this device or type")
        if isinstance(call, str):
            raise ValueError(f"implementation {self.implementation!r}, {input.dtype} on {input.device}: {call}")
        return call(input, self.num_groups, self.weight, self.bias, self.eps)

    @property
    def implementation(self) -> str:
        """The row's name, or ``"auto"``."""
        return self._implementation

    @property
    def activation(self) -> str:
        """What is done to the output."""
        return self._activation

    def __getstate__(self) -> dict[str, Any]:
        """Leave out which row does what here: another machine may lack a GPU or a compiler."""
        return {name: value for name, value in self.__dict__.items() if name != "_calls"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Choose rows anew."""
        super().__setstate__(state)  # type: ignore[no-untyped-call] # torch leaves it so
        self.choose(self._implementation, self._activation)

    def extra_repr(self) -> str:
        """Say torch's arguments and ours."""
        return f"{super().extra_repr()}, implementation={self.implementation!r}, activation={self.activation!r}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """What ``replace_group_norm`` did, by the modules' names in the model."""

    model: nn.Module
    swapped: tuple[str, ...]
    fused: tuple[str, ...]
    """The activations that are now part of the norm before them, and do nothing themselves."""
    left: Mapping[str, str]
    """Norms that stayed as they were, and why."""


def replace_group_norm(model: nn.Module, implementation: str = AUTO, *, fuse: bool = True) -> Replacement:
    """Make every ``torch.nn.GroupNorm`` of a model a ``GroupNorm``, in place.

    The modules stay the same objects: parameters, hooks, optimizers and state dicts know no difference. With
    ``fuse`` a SiLU or ReLU that follows directly in a ``Sequential`` is done by the norm.

    Parameters
    ----------
    model
        Any module, a GroupNorm itself too.
    implementation
        A row's name, or ``"auto"``.

    Raises
    ------
    ValueError
        There is no such row; the model is untouched.
    """
    _check(implementation, "none")
    swapped, left = [], {}
    for name, module in model.named_modules():
        if not isinstance(module, nn.GroupNorm):
            continue
        if type(module) in (nn.GroupNorm, GroupNorm):
            GroupNorm.of(module, implementation, getattr(module, "activation", "none"))
            swapped.append(name)
        else:
            left[name] = f"{type(module).__name__} is a class of its own"
    fused = tuple(_fuse(model)) if fuse else ()
    return Replacement(model=model, swapped=tuple(swapped), fused=fused, left=types.MappingProxyType(left))


def _fuse(model: nn.Module) -> Iterator[str]:
    """Move activations into the norms before them; a norm used in two places keeps its own output."""
    uses: dict[int, int] = {}
    for parent in model.modules():
        for child in parent._modules.values():  # noqa: SLF001 (named_children() tells a shared module once)
            uses[id(child)] = uses.get(id(child), 0) + 1
    for name, parent in model.named_modules():
        if type(parent) is not nn.Sequential:
            continue
        places = list(parent._modules)  # noqa: SLF001
        for place, following in itertools.pairwise(places):
            norm, after = parent._modules[place], parent._modules[following]  # noqa: SLF001
            word = _FUSED.get(type(after))
            if not isinstance(norm, GroupNorm) or word is None or norm.activation != "none":
                continue
            if uses[id(norm)] == 1 and not _has_hooks(norm) and not _has_hooks(after):
                norm.choose(norm.implementation, word)
                parent._modules[following] = nn.Identity()  # noqa: SLF001
                yield f"{name}.{following}" if name else following


def _has_hooks(module: nn.Module | None) -> bool:
    """Hooks see what passes between the two; fused, nothing does."""
    return module is not None and bool(
        module._forward_hooks  # noqa: SLF001 (torch has no public way to ask)
        or module._forward_pre_hooks  # noqa: SLF001
        or module._backward_hooks  # noqa: SLF001
        or module._backward_pre_hooks  # noqa: SLF001
    )


def _check(implementation: str, activation: str) -> None:
    known = (AUTO, *sorted(_rows(implementation)))
    if implementation not in known:
        raise ValueError(f"implementation: {implementation!r} is none of {', '.join(known)}")
    if activation not in table.ACTIVATIONS:
        raise ValueError(f"activation: {activation!r} is none of {', '.join(table.ACTIVATIONS)}")


def _rows(name: str) -> dict[str, table.Implementation]:
    """Give the table with what ``name`` needs in it; other built-in rows are not imported for it."""
    names = ("native", *_OURS.values()) if name == AUTO else (name,)
    if any(one in discovery.BUILTIN and one not in table.implementations() for one in names):
        discovery.load(names)
    elif name not in table.implementations() and name != AUTO:
        discovery.load()
    return table.implementations()


# Asked once: cpp looks for a compiler on PATH, 100 us where a call takes 3.
@functools.cache
def _calls(implementation: str, activation: str, affine: bool) -> _Calls:
    """Give the call, or why there is none, by x's device and type and whether a gradient is wanted."""
    rows = _rows(implementation)
    calls: _Calls = {}
    for device, dtype, needs_gradient in itertools.product(table.DEVICES, table.DTYPES, (False, True)):
        asked = _Asked(activation=activation, device=device, dtype=dtype, affine=affine, needs_gradient=needs_gradient)
        names = (_OURS[device], "native") if implementation == AUTO else (implementation,)
        found = [_bound(rows[name], asked) for name in names if name in rows]
        can = (call for call in found if not isinstance(call, str))
        calls[device, getattr(torch, dtype), needs_gradient] = next(can, found[-1])
    return calls


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """As much of a problem as a module knows before it sees x; the smallest sizes stand for all."""

    activation: str
    device: str
    dtype: str
    affine: bool
    needs_gradient: bool
    layout: str = "contiguous"
    eps: float = 1e-5
    N: int = 1
    C: int = 2
    H: int = 1
    W: int = 1
    G: int = 1

    @property
    def weight_dtype(self) -> str:
        return self.dtype

    @property
    def direction(self) -> str:
        return "training_forward" if self.needs_gradient else "forward"


def _bound(row: table.Implementation, asked: _Asked) -> Callable[..., Tensor] | str:
    if (refusal := row.refusal(asked)) is not None:
        return refusal.reason
    if asked.needs_gradient and not row.differentiable:
        return "no gradient comes through it; call it under torch.no_grad()"
    assert row.call is not None  # a broken row has refused
    return row.call if row.activations == ("none",) else functools.partial(row.call, activation=asked.activation)
