"""An output held against its truth, law by law."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.check.case import Case
from bench.check.expected import Truth
from bench.check.given import memory_format
from bench.check.laws import FLOAT32_BAR, HALF_BAR, PARAMETER_BAR
from bench.measure import form
from bench.measure.error import errors_of, mismatch, ulp_at
from bench.measure.inputs import Inputs, bits_equal

_BY_BARS = frozenset({"exact", "exact-hard", "exact-gradients", "range"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One law, held against one output of one call."""

    law: str
    holds: bool
    figure: float | None = None
    """What was measured; None where there is no figure, as for a shape."""
    bar: float | None = None
    """The most it may be."""
    reason: str | None = None
    """What was found, in one phrase."""


def besides(
    case: Case, inputs: Inputs, pristine: Inputs, outputs: Sequence[object], *, left: bool
) -> Iterator[Finding]:
    """Judge what every call owes: memory format, and inputs left alone; ``form`` comes with the numbers."""
    tensors = [one for one in outputs if isinstance(one, Tensor) and one.layout == torch.strided]
    whole = [one for one in tensors if one.shape == case.shape]
    wanted = memory_format(case)
    if case.memory != "strided" and inputs.x.numel():
        wrong = [one for one in whole if not one.is_contiguous(memory_format=wanted)]
        found = f"strides {wrong[0].stride()} where {case.layout} was given" if wrong else None
        yield Finding(law="layout", holds=not wrong, reason=found)
    yield _conduct(inputs, pristine, tensors, left=left)


def _conduct(inputs: Inputs, pristine: Inputs, outputs: Sequence[Tensor], *, left: bool) -> Finding:
    given = [one for one in inputs.tensors() if one is not None and one.numel()]
    memories = {one.untyped_storage().data_ptr() for one in given}
    reason = None
    if not inputs.equal(pristine):
        reason = "changed its inputs"
    elif any(one.numel() and one.untyped_storage().data_ptr() in memories for one in outputs):
        reason = "returned the memory of its input"
    elif left:
        reason = "changed the grad mode, which is everybody's"
    return Finding(law="conduct", holds=reason is None, reason=reason)


def ill_formed(outputs: Sequence[object], truths: Sequence[Truth], device: str, *, any_float: bool) -> str | None:
    """Say what keeps outputs from being compared at all; ``any_float``: of whatever type they are."""
    if len(outputs) != len(truths):
        return f"gave {len(outputs)} results where {len(truths)} were expected"
    for output, truth in zip(outputs, truths, strict=True):
        if not isinstance(output, Tensor):
            return f"{truth.what}: returned {type(output).__name__}, not a tensor"
        if (wrong := form.ill_formed(output, device)) is not None:
            return f"{truth.what}: {wrong}"
        if output.shape != truth.values.shape:
            return f"{truth.what}: returned shape {tuple(output.shape)} where {tuple(truth.values.shape)} was expected"
        if output.dtype != truth.dtype and not (any_float and output.dtype in {torch.float32, truth.dtype}):
            return f"{truth.what}: returned {output.dtype} where {truth.dtype} was expected"
    return None


def numbers(law: str, output: Tensor, truth: Truth) -> Finding:
    """Judge a well-formed output by one law."""
    if (wrong := mismatch(output, truth.values, output.dtype)) is not None:
        return Finding(law=law, holds=False, reason=f"{truth.what}: {wrong.removeprefix('returned ')}")
    if law in _BY_BARS:
        return by_bars(law, output, truth)
    errors = errors_of(output, truth.values)
    # A type other than asked for, as autocast may give, has its own last place.
    allowed = truth.allowed
    if output.dtype != truth.dtype:
        allowed += ulp_at(_magnitude(truth.values), output.dtype)
    return Finding(
        law=law,
        holds=errors.max_abs <= allowed,
        figure=errors.max_abs,
        bar=allowed,
        reason=f"{truth.what}: error {errors.max_abs:.3g} ({errors.ulp:.3g} ULP), {allowed:.3g} allowed",
    )


def by_bars(law: str, output: Tensor, truth: Truth) -> Finding:
    """Judge by the absolute bars, which do not look at native."""
    if output.dtype in {torch.float32, torch.float64}:
        bar = PARAMETER_BAR if truth.what in {"dweight", "dbias"} else FLOAT32_BAR
        found = errors_of(output, truth.values).max_rel
        said = f"{truth.what}: error {found:.3g} of the largest magnitude, {bar:g} allowed"
        return Finding(law=law, holds=found <= bar, figure=found, bar=bar, reason=said)
    # A value that stands in many places is one chance to be off: x of 16 bits far from zero has but a few dozen.
    values = _distinct(truth.values)
    off = _distinct(truth.values[output != truth.values.to(output.dtype)])
    # Of few values one may lie so near the middle between two that float32 cannot tell its side.
    bar = max(HALF_BAR, 1.0 / max(1, values))
    far = _beyond_a_neighbour(output, truth.values)
    share = off / max(1, values)
    said = f"{truth.what}: {off:,} of {values:,} values are not the nearest, {bar:.2%} may be"
    if far:
        said += f"; {far:,} are further off than the next"
    return Finding(law=law, holds=share <= bar and not far, figure=share, bar=bar, reason=said)


def _distinct(values: Tensor) -> int:
    return int(values.unique().numel())  # type: ignore[no-untyped-call] # torch leaves it so


def _beyond_a_neighbour(output: Tensor, values: Tensor) -> int:
    """Count values that are off by more than one of their own last places and what float32 sums cost."""
    info = torch.finfo(output.dtype)
    own = torch.frexp(values.abs().clamp(min=info.tiny)).exponent - 1
    ulp = torch.ldexp(torch.full_like(values, info.eps), own)
    return int(((output.double() - values).abs() > ulp + PARAMETER_BAR * _magnitude(values)).sum().item())


def constant(output: Tensor, case: Case, inputs: Inputs) -> Finding:
    """Judge that y is the bias itself where no value differs from its group's mean."""
    shape = (1, -1, *[1] * (len(case.shape) - 2))
    exact = torch.zeros(case.shape[1], dtype=output.dtype, device=output.device)
    if inputs.bias is not None:
        exact = inputs.bias.double()
        exact = {"silu": lambda b: b * torch.sigmoid(b), "relu": lambda b: b.clamp(min=0)}.get(
            case.activation, lambda b: b
        )(exact)
    wanted = exact.view(shape).expand(case.shape)
    difference = (output.double() - wanted).abs()
    allowed = 0.0
    if case.activation == "silu":  # which is itself rounded
        allowed = ulp_at(_magnitude(wanted), output.dtype)
    found = float(difference.max()) if difference.numel() else 0.0
    said = f"y: off the bias by {found:.3g}, {allowed:.3g} allowed"
    # NaN compares as not at most.
    return Finding(law="constant", holds=found <= allowed, figure=found, bar=allowed, reason=said)


def same_bits(one: Sequence[Tensor], other: Sequence[Tensor], names: Sequence[str], how: str) -> Finding:
    """Judge that two calls gave the same, and say how much differs."""
    for name, mine, theirs in zip(names, one, other, strict=True):
        if not bits_equal(mine.contiguous(), theirs.contiguous()):
            differing = int((mine != theirs).sum().item()) or 1
            said = f"{name}: {differing:,} of {mine.numel():,} values differ {how}"
            return Finding(
                law="deterministic", holds=False, figure=differing / max(1, mine.numel()), bar=0.0, reason=said
            )
    return Finding(law="deterministic", holds=True, figure=0.0, bar=0.0, reason=f"no bit differs {how}")


def _magnitude(values: Tensor) -> float:
    if not values.numel():
        return 0.0
    found = float(values.abs().max())
    return found if math.isfinite(found) else float(values.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs().max())
