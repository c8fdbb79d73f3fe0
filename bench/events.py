"""What a run tells its listener, as it happens. Measuring never prints; a terminal, JSON and tests listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """A run directory exists; nothing was measured yet."""

    path: Path
    problems: int
    implementations: tuple[str, ...]
    visits: int
    """Visits if every block needs its most passes."""
    budget_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    """Visits on disk, those before a resume among them."""
    left: int
    """Visits expected still."""
    failing: Mapping[str, int]
    """Cells that went wrong, by status."""
    left_s: float | None
    """Seconds that those left will take, from those made; None before the first."""


class Listener:
    """Hears everything and does nothing; subclasses pick what they want.

    Nothing is told while a batch is being timed.
    """

    def run_started(self, started: RunStarted) -> None:
        """Hear that the run begins."""

    def pass_started(self, pass_: int, open_blocks: int) -> None:
        """Hear that a pass begins, from 0, and how many blocks it will visit."""

    def phase_started(self, pass_: int, problem: str, phase: str) -> None:
        """Hear what a visit does now: ``check cpp``, ``warm cpp``, ``measure``, ``memory cpp``."""

    def visit_ended(self, pass_: int, problem: str) -> None:
        """Hear that a visit's figures are on disk."""

    def progressed(self, progress: Progress) -> None:
        """Hear, between two visits, how far the run is."""

    def block_closed(self, problem: str, passes: int) -> None:
        """Hear that a block needs no further pass."""

    def cell_left(self, problem: str, implementation: str, status: str, reason: str) -> None:
        """Hear that an implementation takes no further part in a problem."""

    def warned(self, text: str) -> None:
        """Hear what makes figures doubtful, in one line."""

    def run_ended(self, path: Path) -> None:
        """Hear that the frames are on disk."""
