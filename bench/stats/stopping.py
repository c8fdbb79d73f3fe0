"""Is a block done? Decided between passes, from the figures of its passes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.stats.intervals import t_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """When a block has been visited often enough.

    Looking after every pass and stopping at a width, not at a verdict, keeps the interval honest: 96.5 and 94.5 % of
    intervals held the truth over 6 to 24 simulated passes on a calm and a noisy machine.

    Raises
    ------
    ValueError
        The precision is not positive, or a number of passes is below 1.
    """

    precision: float
    """Half-width of every speed-up's interval, relative, at which a block is done: 0.01 is 1 %."""
    least_passes: int = 6
    slow_least_passes: int = 3
    """For rows that start slowly (a compiler): their interval is told, not chased."""
    most_passes: int = 8

    def __post_init__(self) -> None:
        if not self.precision > 0:
            raise ValueError(f"precision = {self.precision} is not positive")
        if min(self.least_passes, self.slow_least_passes, self.most_passes) < 1:
            raise ValueError("a number of passes is below 1")

    def is_done(
        self, log_ratios_by_name: Mapping[str, Sequence[float]], passes: int, slow: Collection[str] = ()
    ) -> bool:
        """Say whether a block needs no further pass.

        Parameters
        ----------
        log_ratios_by_name
            The figures of the passes of each name still measured; a name that failed is not in it.
        passes
            How many passes the block has had.
        slow
            Which names start slowly.
        """
        if passes >= self.most_passes:
            return True
        if passes < self.least_passes:
            return False
        return all(
            len(ratios) >= self.slow_least_passes if name in slow else self._is_narrow(ratios)
            for name, ratios in log_ratios_by_name.items()
        )

    def _is_narrow(self, log_ratios: Sequence[float]) -> bool:
        interval = t_interval(log_ratios)
        if interval is None or interval.half_width is None:
            return False
        return math.expm1(interval.half_width) <= self.precision
