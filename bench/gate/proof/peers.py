"""What other tools' rules say of the same recording: equal code, or one cell slowed.

Each rule compares a saved run with a later one, as those tools do: two runs one after the other, each of as many passes
as a gate took. Here both lie in the same processes; their own users' two runs do not even share those.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu, ttest_ind

from bench.gate.proof.recording import Recorded, cells_of
from bench.gate.proof.replay import Added

Seconds = npt.NDArray[np.float64]
Rule = Callable[[Seconds, Seconds], bool]

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "pytest-benchmark mean:5%": lambda base, head: bool(head.mean() > 1.05 * base.mean()),
        "pytest-benchmark min:5%": lambda base, head: bool(head.min() > 1.05 * base.min()),
        "asv, ratio 1.1": lambda base, head: bool(
            np.median(head) > 1.1 * np.median(base) and mannwhitneyu(base, head).pvalue < 0.002
        ),
        "Criterion, beyond 1 %": lambda base, head: bool(
            head.mean() > 1.01 * base.mean() and ttest_ind(base, head, equal_var=False).pvalue < 0.05
        ),
    }
)
"""From the tools' sources. asv wants a Mann-Whitney p below 0.002 besides; Criterion a t test's p below 0.05, where it
bootstraps the t, and an interval of the change beyond 1 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a rule said of one gate."""

    start: int
    """The pass that it began at."""
    has_alarmed: bool
    """Of any cell."""
    has_found: bool
    """Of the slowed cell."""


def many(name: str, passes: Sequence[Recorded], added: Added, *, gates: int, length: int, seed: int) -> list[Said]:
    """Let a rule of ``RULES`` compare ``length`` passes with the next ``length``, from random passes on."""
    rng = random.Random(f"{seed}:{name}:{added}")
    cells = cells_of(passes)
    found = []
    for _ in range(gates):
        start, slowed = rng.randrange(len(passes)), rng.choice(cells)
        alarmed = set()
        for cell in cells:
            base, head = (_rounds(passes, cell, start + shift, length) for shift in (0, length))
            if RULES[name](base, head * (1 + added.slowdown if added.to_all or cell == slowed else 1.0)):
                alarmed.add(cell)
        found.append(Said(start=start, has_alarmed=bool(alarmed), has_found=slowed in alarmed))
    return found


def _rounds(passes: Sequence[Recorded], cell: str, start: int, length: int) -> Seconds:
    """Give the rounds of one side of a cell over some passes; a peer knows no pairs."""
    taken = (passes[(start + place) % len(passes)].seconds.get(cell, ((), ()))[0] for place in range(length))
    return np.array([second for rounds in taken for second in rounds] or [math.nan])
