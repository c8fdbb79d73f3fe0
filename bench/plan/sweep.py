"""Axes whose product is the problems, minus the invalid ones, which are counted and named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any, TypeVar

from bench.plan.axes import resolve_groups
from bench.plan.problem import Problem, ProblemError

T = TypeVar("T")

_SHAPE = ("C", "H", "W", "G")
_MOST_BYTES = 2**63 - 1  # what a column of the frames can hold, and more than any address


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """One product of axes: the values that each axis takes.

    Raises
    ------
    ValueError
        An axis has no value, or ``count`` is below 1.
    """

    N: tuple[int, ...]
    C: tuple[int, ...]
    H: tuple[int, ...]
    W: tuple[int, ...]
    G: tuple[str, ...]
    """Numbers of groups as ``axes.groups`` writes them: ``32``, ``C``, ``C/16``."""
    dtype: tuple[str, ...] = ("float32",)
    weight_dtype: tuple[str, ...] = ("",)
    """Types of weight and bias; an empty one means that of x."""
    affine: tuple[bool, ...] = (True,)
    eps: tuple[float, ...] = (1e-5,)
    layout: tuple[str, ...] = ("contiguous",)
    direction: tuple[str, ...] = ("forward",)
    activation: tuple[str, ...] = ("none",)
    count: int = 1
    """How often the source computes each of these problems in one forward pass."""
    source: str = ""
    """The public model and layer that the shape comes from."""

    def __post_init__(self) -> None:
        for name in AXES:
            if not getattr(self, name):
                raise ValueError(f"axis {name} has no value")
        if self.count < 1:
            raise ValueError(f"count = {self.count} is below 1")

    def to_dict(self) -> dict[str, Any]:
        """Give the axes as plain data, for run.json."""
        return {name: list(value) if name in AXES else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Axes:
        """Read what ``to_dict`` gave; TypeError where a key is missing or unknown."""
        values: dict[str, Any] = {name: tuple(value) if name in AXES else value for name, value in data.items()}
        return cls(**values)


AXES = tuple(field.name for field in fields(Axes) if field.name not in {"count", "source"})
"""The axes' names, in the order in which a sweep runs through them (the last one fastest)."""


def entry_of(problem: Problem) -> Axes:
    """Give the axes that have this problem alone."""
    values: dict[str, Any] = {name: (getattr(problem, name),) for name in AXES}
    return Axes(**(values | {"G": (str(problem.G),)}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a run is asked to measure: products of axes, on one device."""

    entries: tuple[Axes, ...]
    device: str = "cpu"
    model: str = ""
    """The model whose forward pass makes all these calls, ``count`` of each, and no other; none if it is empty."""

    def override(self, **axes: Sequence[Any]) -> Sweep:
        """Replace these axes in every entry.

        With other C, H, W or G a problem is its model's layer no longer: its source and count go, and the sweep's
        model; entries that have become equal are one. Where a model's entries differ in direction, as those of a
        recorded training, those of the directions asked for are chosen, and one that it has not is made of its calls.
        """
        values: dict[str, Any] = {name: tuple(values) for name, values in axes.items()}
        model = self.model
        if any(name in values for name in _SHAPE):
            values |= {"count": 1, "source": ""}
            model = ""
        entries = self.entries
        if self.model and "direction" in values and self._is_mixed:
            entries = tuple(one for direction in values.pop("direction") for one in _in_direction(entries, direction))
        entries = tuple(dict.fromkeys(replace(entry, **values) for entry in entries))
        return replace(self, entries=entries, model=model)

    @property
    def _is_mixed(self) -> bool:
        return len({entry.direction for entry in self.entries}) > 1

    @property
    def varied(self) -> tuple[str, ...]:
        """Name the axes on which some entry has several values: each choice of them is a variant of the model."""
        return tuple(name for name in AXES if any(len(getattr(entry, name)) > 1 for entry in self.entries))

    def to_dict(self) -> dict[str, Any]:
        """Give the sweep as plain data, for run.json."""
        return {"entries": [entry.to_dict() for entry in self.entries], "device": self.device, "model": self.model}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Sweep:
        """Read what ``to_dict`` gave; KeyError or TypeError where a key is missing or unknown."""
        entries = tuple(Axes.from_dict(entry) for entry in data["entries"])
        return cls(entries=entries, device=data["device"], model=data.get("model", ""))


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A problem, how often its sources compute it in one forward pass, and what they are."""

    problem: Problem
    count: int
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """Combinations of a sweep that are no problem: why, how many, and the first of them."""

    reason: str
    count: int
    example: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Expansion:
    """The problems of a sweep, each once, and what was left out."""

    problems: tuple[Counted, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refusal:
    reason: str
    example: str


def expand(sweep: Sweep) -> Expansion:
    """Make every problem of a sweep, in the order of its entries and axes.

    Problems of equal key are one: within an entry they are the same problem named twice (G = 32 and C of 32 channels;
    two types of absent weights); between entries counts are added, sources joined by a semicolon.
    """
    problems: dict[str, Counted] = {}
    left_out: dict[str, LeftOut] = {}
    for entry in sweep.entries:
        own: dict[str, Counted] = {}
        for made in _combinations(entry, sweep.device):
            if isinstance(made, _Refusal):
                before = left_out.get(made.reason, LeftOut(reason=made.reason, count=0, example=made.example))
                left_out[made.reason] = replace(before, count=before.count + 1)
            else:
                own[made.key] = Counted(problem=made, count=entry.count, source=entry.source)
        problems |= {key: _together(problems[key], found) if key in problems else found for key, found in own.items()}
    return Expansion(problems=tuple(problems.values()), left_out=tuple(left_out.values()))


def shard(items: Sequence[T], index: int, of: int) -> tuple[T, ...]:
    """Take part ``index`` of ``of`` (from 1): every ``of``-th item, so that neighbours of like size are spread.

    >>> shard("abcde", 2, 2)
    ('b', 'd')
    """
    return tuple(items[index - 1 :: of])


def _in_direction(entries: Sequence[Axes], direction: str) -> Sequence[Axes]:
    """Give a model's calls in one direction: those it has, or else its calls asked for it, none of them twice."""
    own = [entry for entry in entries if entry.direction == (direction,)]
    calls = [entry for entry in entries if entry.direction != ("backward",)]
    return own or [replace(entry, direction=(direction,)) for entry in calls or entries]


def _combinations(entry: Axes, device: str) -> Iterator[Problem | _Refusal]:
    for values in product(*(getattr(entry, name) for name in AXES)):
        numbers: dict[str, Any] = dict(zip(AXES, values, strict=True))
        word = numbers["G"]
        example = f"N{numbers['N']}-C{numbers['C']}-H{numbers['H']}-W{numbers['W']}-G{word}"
        try:
            numbers["G"] = resolve_groups(word, numbers["C"])
        except ProblemError:
            yield _Refusal(reason=f"G = {word} is not a whole number", example=example)
            continue
        if numbers["C"] % numbers["G"]:
            yield _Refusal(reason="C is not divisible by G", example=example)
            continue
        problem = Problem(**numbers, device=device)
        too_big = problem.minimum_bytes > _MOST_BYTES
        yield _Refusal(reason="more bytes than 63 bits can count", example=example) if too_big else problem


def _together(first: Counted, second: Counted) -> Counted:
    sources = dict.fromkeys(part for part in (*first.source.split("; "), second.source) if part)
    return Counted(problem=first.problem, count=first.count + second.count, source="; ".join(sources))
