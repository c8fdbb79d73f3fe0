"""One case of the conformance suite: a call that is made, and the laws that it is judged by."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import Any

from bench.check.laws import LAWS
from bench.plan.problem import ITEM_BYTES, Problem

CONTENTS = (
    "normal",
    "mean 1e4",
    "mean 1e3 spread 1e-2",
    "mean 200",
    "near-constant",
    "halves",
    "outlier",
    "near the limit",
    "mean near the limit",
    "scale 1e30",
    "subnormal",
    "subnormal y",
    "constant",
    "NaN",
    "infinity",
    "-infinity",
)
ACTS = ("call", "again", "threads", "batch", "compile", "autocast")
AFFINE = ("both", "weight", "bias", "none")
GRADIENTS = ("x", "weight", "bias")
SIZES = ("ordinary", "big")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One call of an implementation.

    Raises
    ------
    ValueError
        A word is unknown, or the shape has no such groups.
    """

    laws: tuple[str, ...]
    shape: tuple[int, ...]
    """Of x: (N, C), (N, C, L), (N, C, H, W) or (N, C, D, H, W)."""
    G: int
    dtype: str = "float32"
    weight_dtype: str = ""
    affine: str = "both"
    """Which of weight and bias are given."""
    eps: float = 1e-5
    layout: str = "contiguous"
    activation: str = "none"
    content: str = "normal"
    direction: str = "forward"
    wants: tuple[str, ...] = GRADIENTS
    act: str = "call"
    memory: str = "dense"
    """``strided``: every other element of a larger tensor; ``offset``: dense, one element into its memory."""
    size: str = "ordinary"
    """``big`` ones are run only when asked for."""
    groups_judged: int | None = None
    """Of N·G so many are held against the truth, first and last among them; None for all."""
    brief: bool = False
    """Run also for rows that compile for seconds."""

    def __post_init__(self) -> None:
        if not self.weight_dtype:
            object.__setattr__(self, "weight_dtype", self.dtype)
        for name, known in (
            ("content", CONTENTS),
            ("act", ACTS),
            ("affine", AFFINE),
            ("size", SIZES),
            ("memory", ("dense", "strided", "offset")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} = {getattr(self, name)!r} is none of {', '.join(known)}")
        if unknown := [law for law in self.laws if law not in LAWS]:
            raise ValueError(f"laws = {', '.join(unknown)}: known are {', '.join(LAWS)}")
        _ = self.problem

    @property
    def positions(self) -> int:
        """Elements of a channel of one sample."""
        return math.prod(self.shape[2:])

    @property
    def problem(self) -> Problem:
        """What the row is asked whether it supports it (CPU; see ``on``): where x has no position, as if it had one."""
        if len(self.shape) > 2 and self.positions:
            H, W = math.prod(self.shape[2:-1]), self.shape[-1]
        else:
            H = W = 1
        return Problem(
            N=self.shape[0],
            C=self.shape[1],
            H=H,
            W=W,
            G=self.G,
            dtype=self.dtype,
            weight_dtype=self.weight_dtype,
            affine=self.affine != "none",
            eps=self.eps,
            layout=self.layout,
            direction=self.direction,
            activation=self.activation,
        )

    @property
    def name(self) -> str:
        """Say what is special about it, the shape first."""
        said = ["×".join(map(str, self.shape)), f"G={self.G}", self.dtype]
        if self.affine == "none":
            said.append("no weight, no bias")
        elif self.affine != "both":
            said.append(f"{self.affine} only")
        if self.weight_dtype != self.dtype:
            said.append(f"weight {self.weight_dtype}")
        if self.eps != 1e-5:
            said.append(f"eps={self.eps:g}")
        for word, usual in (
            (self.layout, "contiguous"),
            (self.activation, "none"),
            (self.content, "normal"),
            (self.memory, "dense"),
            (self.direction, "forward"),
            (self.act, "call"),
        ):
            if word != usual:
                said.append(word)
        if self.direction == "backward" and self.wants != GRADIENTS:
            said.append(f"d{' and d'.join(self.wants)} alone")
        return ", ".join(said)

    @property
    def needed_bytes(self) -> int:
        """Estimate the memory of its tensors and their truth, bytes."""
        elements = math.prod(self.shape)
        judged = elements
        if self.groups_judged is not None:
            judged = self.groups_judged * self.problem.group_elements
        tensors, doubles = (8, 12) if self.direction == "backward" else (5, 6)
        return elements * tensors * ITEM_BYTES[self.dtype] + judged * doubles * ITEM_BYTES["float64"]

    def seed(self, run_seed: int) -> int:
        """Make the seed of its tensors: the name and the run's seed decide it."""
        return int.from_bytes(hashlib.blake2b(f"{run_seed}:{self.name}".encode(), digest_size=6).digest(), "big")

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Case:
        """Read what ``to_dict`` gave, after JSON."""
        values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in data.items()}
        return cls(**values)
