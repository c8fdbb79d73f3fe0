"""What a run will take, told before it starts: cells, memory, seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.problem import Problem

_INPUT_VARIANTS = 2  # x changes between rounds, so two of it (and of dy) are held, each with its truth
_OUTPUTS = 2  # the reference's and one other's
_FLOAT64_TEMPORARIES = 4  # the oracle's x, differences, their squares, product
_FLOAT32_TEMPORARIES = 3  # the textbook form's
_BACKWARD = 2  # both keep or make about as much again for the gradients

_PASSES = 6
_ROUNDS = 6  # five and a warm-up
_VISIT_S = 0.2  # a forked worker, inputs, oracle
_CELL_S = 0.02  # a row's check and calibration
_MEAN_SLOWNESS = 10  # over a plain copy, mean over the rows: the textbook form is 20 to 70 times slower than native


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """The memory that one problem needs, and whether it is there."""

    key: str
    needed_bytes: int
    fits: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a run will take."""

    problems: int
    cells: int
    needs: tuple[Need, ...]
    """One for each block, in their order."""
    seconds: float
    """Expected; a guess good to a factor of two or three."""
    most_bytes: int
    """The largest need among those that fit; 0 when none does."""

    @property
    def fits_any(self) -> bool:
        """Whether a problem is left that fits in memory."""
        return any(need.fits for need in self.needs)


def memory_bytes(problem: Problem) -> int:
    """Give the bytes that a worker needs to check and time a problem, beyond what it needs for itself.

    The sum of: two variants of x (of dy too, for backward); two outputs; for each variant the oracle's answer at 8 B
    an element; the oracle's four float64 temporaries; the textbook form's three float32 ones; for backward twice the
    temporaries. They are added although they do not live at once, because a worker's allocator keeps freed memory.
    For float32 forward this is 19 times the input.
    """
    backward = problem.direction == "backward"
    inputs = problem.input_bytes * (2 if backward else 1)
    truths = 8 * problem.elements
    temporaries = (8 * _FLOAT64_TEMPORARIES + 4 * _FLOAT32_TEMPORARIES) * problem.elements
    return (
        _INPUT_VARIANTS * (inputs + truths)
        + _OUTPUTS * problem.output_bytes
        + temporaries * (_BACKWARD if backward else 1)
        + problem.parameter_bytes
    )


def estimate(
    blocks: Sequence[Block], settings: Settings, available_bytes: int, copied_bytes_per_s: float = 5e9
) -> Cost:
    """Tell the cost of a run.

    Parameters
    ----------
    blocks
        What is to be measured.
    settings
        Its budget and most passes.
    available_bytes
        Memory that a worker may take.
    copied_bytes_per_s
        Bytes that a plain copy moves; 5 GB/s is a slow CPU's.
    """
    needs = tuple(
        Need(key=block.key, needed_bytes=needed, fits=needed <= available_bytes)
        for block in blocks
        for needed in (memory_bytes(block.problem),)
    )
    fitting = [block for block, need in zip(blocks, needs, strict=True) if need.fits]
    floor_s = min(settings.passes, _PASSES) * sum(visit_s(block, copied_bytes_per_s) for block in fitting)
    return Cost(
        problems=len(blocks),
        cells=sum(len(block.names) for block in blocks),
        needs=needs,
        seconds=max(settings.budget_s, floor_s) if fitting else 0.0,
        most_bytes=max((need.needed_bytes for need in needs if need.fits), default=0),
    )


def visit_s(block: Block, copied_bytes_per_s: float = 5e9) -> float:
    """Guess the seconds that one visit of a block takes at the least."""
    call_s = _MEAN_SLOWNESS * block.problem.minimum_bytes / copied_bytes_per_s
    return _VISIT_S + len(block.names) * (_CELL_S + _ROUNDS * call_s)
