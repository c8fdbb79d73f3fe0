"""What is left of a run, guessed from the visits made so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How a run has gone so far."""

    visits: int
    """Visits made by this process."""
    wall_s: float
    """Wall time that they took, worker starts included."""
    measured_s: float
    """What of it counts against the budget."""


def expected_passes(pace: Pace, *, blocks: int, budget_s: float, least: int, most: int) -> int:
    """Guess how many passes each of ``blocks`` gets: what the budget pays for, within the limits."""
    if not pace.visits or not pace.measured_s:
        return most
    pass_s = blocks * pace.measured_s / pace.visits
    return max(least, min(most, int(budget_s / pass_s)))


def visits_left(*, passes: int, passes_made: int, open_blocks: int, in_this_pass: int, later_blocks: int) -> int:
    """Guess the visits still to be made.

    Parameters
    ----------
    passes
        Expected of each block.
    passes_made
        Begun in this stretch, the current one counted.
    open_blocks, in_this_pass
        Blocks that the current pass visits, and those of them still to come.
    later_blocks
        Blocks of later stretches.
    """
    return in_this_pass + max(0, passes - passes_made) * open_blocks + passes * later_blocks


def seconds_left(pace: Pace, visits: int) -> float | None:
    """Guess the seconds that so many visits take; None before the first one."""
    return visits * pace.wall_s / pace.visits if pace.visits else None
