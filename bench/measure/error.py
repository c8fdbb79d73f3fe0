"""Output against truth: how far off, and how far is too far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_MULTIPLE_OF_NATIVE = 2.0
_ULP_BESIDE_NATIVE = 1.0
_ULP_WITHOUT_NATIVE = 4.0
_FLOAT32_ROUNDING = 2.0**-24
_APPLYING_ROUNDINGS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Errors:
    """How far an output is from the truth; where there are several, the one that is relatively worst.

    ``max_rel`` and ``rms`` are over the largest magnitude of the truth, ``ulp`` is ``max_abs`` in units in the last
    place of the output's dtype at that magnitude.
    """

    max_abs: float
    max_rel: float
    rms: float
    ulp: float


def ulp_at(magnitude: float, dtype: torch.dtype) -> float:
    """Give the distance between neighbouring numbers of a dtype at a magnitude.

    >>> ulp_at(1.5, torch.float32) == 2.0**-23
    True
    """
    info = torch.finfo(dtype)
    exponent = math.frexp(max(abs(magnitude), info.tiny))[1] - 1
    return float(info.eps) * 2.0**exponent


def mismatch(output: object, expected: Tensor, dtype: torch.dtype) -> str | None:
    """Say what makes an output not even comparable to the truth, or None."""
    if not isinstance(output, Tensor):
        return f"returned {type(output).__name__}, not a tensor"
    if output.shape != expected.shape:
        return f"returned shape {tuple(output.shape)} where {tuple(expected.shape)} was expected"
    if output.dtype != dtype:
        return f"returned {output.dtype} where {dtype} was expected"
    # A finite sum has finite terms, and reading once is three times as quick as asking each value.
    if not math.isfinite(output.sum(dtype=torch.float64).item() + expected.sum().item()):
        wrong = (torch.isfinite(output) != torch.isfinite(expected)).sum().item()
        if not wrong:
            return None
        return f"{wrong:,} of {output.numel():,} values are not finite where the oracle's are, or the reverse"
    return None


def errors_of(output: Tensor, expected: Tensor) -> Errors:
    """Compare a comparable output (see ``mismatch``) with the truth, both of any layout."""
    if not expected.numel():
        return Errors(max_abs=0.0, max_rel=0.0, rms=0.0, ulp=0.0)
    difference = torch.sub(output, expected)  # float64, since expected is
    largest = _largest(difference)
    if not math.isfinite(largest):
        difference.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
        largest = _largest(difference)
    magnitude = _largest(expected)
    if not math.isfinite(magnitude):
        magnitude = _largest(expected.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0))
    # A truth of zeros has no relative error: its own magnitude is the smallest normal number then.
    scale = max(magnitude, torch.finfo(output.dtype).tiny)
    return Errors(
        max_abs=largest,
        max_rel=largest / scale,
        rms=torch.linalg.vector_norm(difference).item() / math.sqrt(difference.numel()) / scale,
        ulp=largest / ulp_at(magnitude, output.dtype),
    )


def _largest(values: Tensor) -> float:
    """Give the largest magnitude; NaN or infinity where there is one."""
    low, high = (end.item() for end in torch.aminmax(values))
    return math.nan if math.isnan(low) else max(-low, high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """The largest absolute error allowed, one for each output.

    2 × native's own error on contiguous data + 1 ULP of the output's dtype at the oracle's largest magnitude; 4 such
    ULP where native gives no finite answer. But never less than what summing in float32 costs an honest kernel:
    pairwise summation of n numbers is off by log2(n) · 2⁻²⁴ (Higham 2002, section 4.2), and four more roundings apply
    the statistics. Without that floor, the textbook form failed or passed by the seed on channels_last: 6.7 ULP where
    native happened to have 1.4.
    """

    max_abs: tuple[float, ...]

    @classmethod
    def beside(
        cls,
        native: Sequence[Tensor] | None,
        expected: Sequence[Tensor],
        dtypes: Sequence[torch.dtype],
        summed: Sequence[int],
    ) -> Tolerance:
        """Make the tolerance.

        Parameters
        ----------
        native
            What native returned on contiguous data; None where it failed.
        expected, dtypes
            The oracle's outputs, and the dtype each should be returned in.
        summed
            How many numbers are summed for one of each output.
        """
        limits = []
        for index, (wanted, dtype, count) in enumerate(zip(expected, dtypes, summed, strict=True)):
            magnitude = wanted.abs().max().item() if wanted.numel() else 0.0
            ulp = ulp_at(magnitude, dtype)
            own = native[index] if native is not None else None
            if own is None or mismatch(own, wanted, dtype) is not None:
                limit = _ULP_WITHOUT_NATIVE * ulp
            else:
                limit = _MULTIPLE_OF_NATIVE * errors_of(own, wanted).max_abs + _ULP_BESIDE_NATIVE * ulp
            summing = (math.log2(max(count, 1)) + _APPLYING_ROUNDINGS) * _FLOAT32_ROUNDING * magnitude
            limits.append(max(limit, summing))
        return cls(max_abs=tuple(limits))


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """An output held against the truth: what is wrong with it (None: nothing), and by how much it is off."""

    wrong: str | None
    errors: Errors | None


def judge(
    outputs: object, expected: Sequence[Tensor], dtypes: Sequence[torch.dtype], tolerance: Tolerance
) -> Judgement:
    """Hold what a call returned against the truth.

    Parameters
    ----------
    outputs
        A tensor, or a sequence of as many as ``expected``.
    expected
        The oracle's, float64.
    dtypes
        The dtype each output must have.
    """
    given = tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)
    if len(given) != len(expected):
        return Judgement(wrong=f"returned {len(given)} tensors where {len(expected)} were expected", errors=None)
    worst: Errors | None = None
    wrong: str | None = None
    for output, wanted, dtype, limit in zip(given, expected, dtypes, tolerance.max_abs, strict=True):
        if (reason := mismatch(output, wanted, dtype)) is not None:
            return Judgement(wrong=reason, errors=None)
        assert isinstance(output, Tensor)
        errors = errors_of(output, wanted)
        if errors.max_abs > limit and wrong is None:
            wrong = f"error {errors.max_abs:.3g} ({errors.ulp:.3g} ULP) where {limit:.3g} is allowed"
        if worst is None or errors.max_rel > worst.max_rel:
            worst = errors
    return Judgement(wrong=wrong, errors=worst)
