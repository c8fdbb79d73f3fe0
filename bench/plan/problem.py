"""One GroupNorm to compute, checked where it is made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
LAYOUTS = ("contiguous", "channels_last")
DIRECTIONS = ("forward", "training_forward", "backward")
ACTIVATIONS = ("none", "silu", "relu")
DEVICES = ("cpu", "cuda")

_STATISTIC_BYTES = 4  # mean and rstd are kept in float32 whatever x is (see docs/method.md)


class ProblemError(ValueError):
    """No GroupNorm has these numbers; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One GroupNorm to compute: shape, types and what is asked of it.

    ``G`` is the *number* of groups, as in ``torch.nn.GroupNorm(num_groups, num_channels)``.
    An input of other rank is the problem with the same memory: (N, C, D, H, W) has H = D·H,
    (N, C, L) has H = 1, (N, C) has H = W = 1.

    Raises
    ------
    ProblemError
        A size is negative (N may be 0, for conformance checks), C is not divisible by G, eps is not
        a positive number, or a word is none of the known ones.

    Examples
    --------
    >>> Problem(N=2, C=320, H=64, W=64, G=32).group_elements
    40960
    """

    N: int
    C: int
    H: int
    W: int
    G: int
    dtype: str = "float32"
    weight_dtype: str = ""
    """The type of weight and bias; empty means that of x."""
    affine: bool = True
    eps: float = 1e-5
    layout: str = "contiguous"
    direction: str = "forward"
    activation: str = "none"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not self.weight_dtype:
            object.__setattr__(self, "weight_dtype", self.dtype)
        for name, least in (("N", 0), ("C", 1), ("H", 1), ("W", 1), ("G", 1)):
            if getattr(self, name) < least:
                raise ProblemError(f"{name} = {getattr(self, name)} is below {least}")
        if self.C % self.G:
            raise ProblemError(f"C = {self.C} is not divisible by G = {self.G}")
        if not 0 < self.eps < float("inf"):
            raise ProblemError(f"eps = {self.eps} is not a positive number")
        for name, known in (
            ("dtype", tuple(ITEM_BYTES)),
            ("weight_dtype", tuple(ITEM_BYTES)),
            ("layout", LAYOUTS),
            ("direction", DIRECTIONS),
            ("activation", ACTIVATIONS),
            ("device", DEVICES),
        ):
            if getattr(self, name) not in known:
                raise ProblemError(f"{name} = {getattr(self, name)!r} is none of {', '.join(known)}")

    @property
    def elements(self) -> int:
        """Number of elements of x."""
        return self.N * self.C * self.H * self.W

    @property
    def group_elements(self) -> int:
        """Number of elements that share a mean."""
        return self.C // self.G * self.H * self.W

    @property
    def input_bytes(self) -> int:
        """Bytes of x."""
        return self.elements * ITEM_BYTES[self.dtype]

    @property
    def parameter_bytes(self) -> int:
        """Bytes of weight and bias together."""
        return 2 * self.C * ITEM_BYTES[self.weight_dtype] if self.affine else 0

    @property
    def statistics_bytes(self) -> int:
        """Bytes of the mean and rstd that the backward pass needs, in float32."""
        return 2 * self.N * self.G * _STATISTIC_BYTES

    @property
    def output_bytes(self) -> int:
        """Bytes of what the call returns: y, or the gradients of x, weight and bias."""
        return self.input_bytes + (self.parameter_bytes if self.direction == "backward" else 0)

    @property
    def minimum_bytes(self) -> int:
        """Fewest bytes that any implementation must move between memory and the processor.

        forward: x read, y written, weight and bias read. training_forward: the statistics written
        besides. backward: x and dy read, dx written, statistics and weight read, the gradients of
        weight and bias written. A cache may save some of it: see ``docs/method.md``.
        """
        if self.direction == "forward":
            return 2 * self.input_bytes + self.parameter_bytes
        if self.direction == "training_forward":
            return 2 * self.input_bytes + self.parameter_bytes + self.statistics_bytes
        return 3 * self.input_bytes + self.parameter_bytes * 3 // 2 + self.statistics_bytes

    @property
    def key(self) -> str:
        """A stable name, the same for equal problems in every process."""
        weight = f"weight-{self.weight_dtype}" if self.affine else "no-weight"
        return (
            f"N{self.N}-C{self.C}-H{self.H}-W{self.W}-G{self.G}-{self.dtype}-{weight}-eps{self.eps!r}"
            f"-{self.layout}-{self.direction}-{self.activation}-{self.device}"
        )

    def seed(self, run_seed: int) -> int:
        """Make the seed of this problem's x and dy: the key and the run's seed decide it alone."""
        digest = hashlib.blake2b(f"{run_seed}:{self.key}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big")

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain data, for messages and files."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
