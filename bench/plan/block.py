"""One problem and the implementations set against each other on it: the unit that is planned and measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.plan.problem import Problem
from bench.plan.sweep import Counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One implementation on one problem."""

    problem: Problem
    implementation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One problem and the names of the implementations set against each other on it."""

    problem: Problem
    names: tuple[str, ...]
    count: int = 1
    """How often the source computes the problem in one forward pass."""
    source: str = ""

    @property
    def key(self) -> str:
        """The problem's key: stable between processes, the same for equal problems."""
        return self.problem.key

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The block's cells, in the order of its names."""
        return tuple(Cell(problem=self.problem, implementation=name) for name in self.names)


def blocks(problems: Iterable[Counted], names: Sequence[str]) -> tuple[Block, ...]:
    """Set the same implementations against each other on every problem."""
    return tuple(Block(problem=one.problem, names=tuple(names), count=one.count, source=one.source) for one in problems)
