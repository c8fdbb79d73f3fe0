"""Figures of passes to verdicts: which cells regressed, which are shown to be unchanged, what to measure next.

A figure is log(head) - log(base) of one cell in one pass: the interquartile mean of its pairs. Three lines: Δ, the
threshold, is what must be found; τ, the tolerance, is what nobody is woken for; between them either verdict is allowed.

If no cell is slower than τ, the probability that a gate ever says ``regressed``, however long it runs and whatever it
chooses to measure next, is at most alpha: 0.8 alpha is shared among the cells by the union bound, 0.15 alpha is the
suite's, and 0.05 alpha that of first calls (`first_call`). Each interval is valid at any time (``stats.anytime``), so
a gate may be continued and keep its alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.stats.anytime import anytime_interval, passes_until
from bench.stats.intervals import Interval
from reports.gate_schema import Outcome, Word

CONTROL = "@control"
"""The cell that is equal code on both sides; it has no verdict, it can take everybody's away."""

_CELLS_SHARE, _SUITE_SHARE, FIRST_CALL_SHARE = 0.8, 0.15, 0.05
_CLEARING_LEVEL = 0.02
"""A cell that is really Δ slower is called unchanged with at most this probability."""
_CONTROL_LEVEL = 0.01
_FOCUS_FROM = 6
_FOCUS_CELLS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """Δ, τ and alpha.

    Raises
    ------
    ValueError
        They are not 0 ≤ τ < Δ and 0 < alpha < 1; the message names the one that is wrong.
    """

    threshold: float = 0.05
    tolerance: float = 0.015
    alpha: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < self.threshold < math.inf:
            raise ValueError(f"tolerance = {self.tolerance} is not from 0 to below the threshold {self.threshold}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha = {self.alpha} is not between 0 and 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is said of one cell (or of all together), and on what grounds."""

    word: Word
    change: Interval
    """Head's time over base's; the ends are those that ``word`` was decided by."""
    passes: int
    wanting: int | None = None
    """Passes more that an undecided cell would need at its present spread; None where more would not help."""


class Judge:
    """Verdicts over time: fed pass by pass, asked what to measure next.

    Parameters
    ----------
    cells
        Their keys, the control's not among them. Their number is fixed here, for alpha is shared among them.
    lines
        Δ, τ and alpha.
    own
        Cells with a Δ and τ of their own; alpha is the gate's.
    beside
        Cells more that may come when the gate is continued, and take part in sharing alpha.
    """

    def __init__(
        self, cells: Sequence[str], lines: Lines, own: Mapping[str, Lines] | None = None, beside: int = 0
    ) -> None:
        if not cells or len(set(cells)) < len(cells):
            raise ValueError("cells: at least one is wanted, and each once")
        self._lines = lines
        self._own = dict(own or {})
        self._alarm_level = lines.alpha * _CELLS_SHARE / (len(cells) + beside)
        self._figures: dict[str, list[float]] = {cell: [] for cell in cells}
        self._decided: dict[str, Verdict] = {}
        self._control: list[float] = []
        self._suite: list[float] = []
        self._passes = 0

    @property
    def passes(self) -> int:
        """How many passes were fed."""
        return self._passes

    def feed(self, figures: Mapping[str, float]) -> None:
        """Take one pass: log(head) - log(base) by cell; a cell that had no figure in it is left out.

        Raises
        ------
        ValueError
            A cell is unknown or decided already, or a figure is not finite.
        """
        for cell, figure in figures.items():
            if cell != CONTROL and cell not in self._figures:
                raise ValueError(f"{cell!r} is no cell of this gate")
            if cell in self._decided:
                raise ValueError(f"{cell!r} is decided: a figure more would be a second chance")
            if not math.isfinite(figure):
                raise ValueError(f"{cell!r}: {figure} is no figure")
        self._passes += 1
        if self._figures and set(self._figures) <= set(figures):
            self._suite.append(float(np.mean([figures[cell] for cell in self._figures])))
        for cell, figure in figures.items():
            (self._control if cell == CONTROL else self._figures[cell]).append(figure)
        for cell in figures:
            if cell != CONTROL and (verdict := self._verdict(cell)).word is not Word.UNDECIDED:
                self._decided[cell] = verdict

    def withdraw(self, cell: str) -> None:
        """Take a cell out that can be measured no more: it has no verdict, and the others keep their share of alpha."""
        self._figures.pop(cell, None)
        self._decided.pop(cell, None)

    @property
    def open(self) -> tuple[str, ...]:
        """The cells that no verdict has closed."""
        return tuple(cell for cell in self._figures if cell not in self._decided)

    @property
    def next(self) -> tuple[str, ...]:
        """What the next pass measures: the suspects alone where they are few, else all open cells; nothing at the end.

        Any choice is allowed: the guarantee is over all looks.
        """
        if self._control_alarms or self._suite_alarms:
            return ()
        suspects = tuple(cell for cell in self.open if self._is_suspect(cell))
        focused = self._passes >= _FOCUS_FROM and 1 <= len(suspects) <= _FOCUS_CELLS
        return suspects if focused else self.open

    @property
    def outcome(self) -> Outcome:
        """What the gate says now; a regression found outweighs what is still open."""
        if self._control_alarms:
            return Outcome.NO_VERDICT
        if self._suite_alarms or any(one.word is Word.REGRESSED for one in self._decided.values()):
            return Outcome.REGRESSION
        return Outcome.UNDECIDED if self.open else Outcome.CLEAR

    def verdicts(self) -> dict[str, Verdict]:
        """Give every cell's verdict, in the order of the cells."""
        return {cell: self._decided.get(cell) or self._verdict(cell) for cell in self._figures}

    @property
    def suite(self) -> Verdict | None:
        """All cells together, over the passes that measured them all; None where there was no such pass."""
        change = anytime_interval(self._suite, self._lines.alpha * _SUITE_SHARE)
        if change is None:
            return None
        word = Word.REGRESSED if self._suite_alarms else Word.UNDECIDED
        return Verdict(word=word, change=change.exp(), passes=len(self._suite))

    @property
    def control(self) -> Interval | None:
        """How unequally the machine treats equal code: a ratio that should be 1."""
        change = anytime_interval(self._control, _CONTROL_LEVEL)
        return change and change.exp()

    @property
    def _suite_alarms(self) -> bool:
        change = anytime_interval(self._suite, self._lines.alpha * _SUITE_SHARE)
        return change is not None and change.low is not None and change.low > math.log1p(self._lines.tolerance)

    @property
    def _control_alarms(self) -> bool:
        change = anytime_interval(self._control, _CONTROL_LEVEL)
        if change is None or change.low is None or change.high is None:
            return False
        reach = math.log1p(self._lines.tolerance)
        return change.low > reach or change.high < -reach

    def _is_suspect(self, cell: str) -> bool:
        figures = self._figures[cell]
        return bool(figures) and float(np.mean(figures)) > math.log1p(self._of(cell).threshold) / 2

    def _of(self, cell: str) -> Lines:
        return self._own.get(cell, self._lines)

    def _verdict(self, cell: str) -> Verdict:
        figures = self._figures[cell]
        alarming = anytime_interval(figures, self._alarm_level)
        clearing = anytime_interval(figures, _CLEARING_LEVEL)
        if alarming is None or clearing is None:
            return Verdict(word=Word.UNDECIDED, change=Interval(centre=math.nan), passes=0)
        lines = self._of(cell)
        tolerance, threshold = math.log1p(lines.tolerance), math.log1p(lines.threshold)
        if alarming.low is not None and alarming.low > tolerance:
            return Verdict(word=Word.REGRESSED, change=alarming.exp(), passes=len(figures))
        if clearing.high is not None and clearing.high < threshold:
            # An improvement is said, not gated, so it is said at the level that clears.
            word = Word.IMPROVED if clearing.high < -tolerance else Word.UNCHANGED
            return Verdict(word=word, change=clearing.exp(), passes=len(figures))
        wanting = self._wanting(figures, clearing.centre, lines)
        return Verdict(word=Word.UNDECIDED, change=clearing.exp(), passes=len(figures), wanting=wanting)

    def _wanting(self, figures: Sequence[float], mean: float, lines: Lines) -> int | None:
        """Give the passes still needed for either verdict, whichever is nearer."""
        if len(figures) < 2:
            return None
        deviation = float(np.std(figures, ddof=1))
        needed = (
            passes_until(math.log1p(lines.threshold) - mean, deviation, _CLEARING_LEVEL),
            passes_until(mean - math.log1p(lines.tolerance), deviation, self._alarm_level),
        )
        known = [one - len(figures) for one in needed if one is not None]
        return max(1, min(known)) if known else None
