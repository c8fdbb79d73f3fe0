"""What a place where visits run can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bench.measure.messages import Loaded
from bench.measure.visited import Visit, Visited


class Executor(Protocol):
    """Fresh workers for each pass, and visits on them."""

    def table(self) -> Loaded:
        """Ask a worker for the plugin table, the device and the clock."""

    def begin_pass(self, names: Sequence[str]) -> int:
        """Start a fresh worker for a pass with these rows; give its launch."""

    def visit(self, plan: Visit) -> Visited:
        """Make one visit; a worker that is lost costs its own cell and is replaced."""

    def close(self) -> None:
        """End all workers."""
