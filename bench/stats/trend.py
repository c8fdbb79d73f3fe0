"""Does a series rise or fall? Without numpy, which a worker need not load for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def trend(values: Sequence[float]) -> int:
    """Give Mann and Kendall's S: pairs that rise less pairs that fall (H. B. Mann, Econometrica 13, 1945).

    >>> trend([1, 2, 3]), trend([1, 3, 2]), trend([2, 2, 1])
    (3, 1, -2)
    """
    return sum(int(later > earlier) - int(later < earlier) for earlier, later in itertools.combinations(values, 2))
