"""Stretches of a big sweep: blocks whose passes are all made before those of the next.

A block's passes are to be spread over a time in which the machine changes its mood, some 60 s, but not over days: what
is measured first would be reported last, and every block's figures would have to be held till then.
"""

from __future__ import annotations

from collections.abc import Iterable

LEAST_S = 60.0
"""Seconds that one pass over a stretch takes, as estimated."""


def lengths(seconds: Iterable[float], least_s: float = LEAST_S) -> list[int]:
    """Cut visits of these seconds, in their order, into stretches of at least ``least_s``.

    What is left at the end joins the last stretch, so a sweep of less than two stretches is one.

    >>> lengths([30, 30, 30, 40, 10], 60)
    [2, 3]
    """
    found: list[int] = []
    count, sum_s = 0, 0.0
    for one in seconds:
        count, sum_s = count + 1, sum_s + one
        if sum_s >= least_s:
            found.append(count)
            count, sum_s = 0, 0.0
    if count and found:
        found[-1] += count
    elif count:
        found = [count]
    return found
