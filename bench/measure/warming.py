"""When a call is warm: a rule over the batches seen so far. No clock, no device."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.devices.base import WarmUp
from bench.stats.trend import trend


class Warming:
    """Is fed a call's batches and asked for the next one's calls, until the call is steady or time is over.

    Parameters
    ----------
    rule
        When it is steady.
    """

    def __init__(self, rule: WarmUp) -> None:
        self._rule = rule
        self._call_s: list[float] = []
        self._clocks_hz: list[float | None] = []
        self._spent_s = 0.0
        self._long_enough = False
        self.calls = 1
        """Calls of the next batch."""

    @property
    def call_s(self) -> float:
        """Seconds of a call: the last batch's, or the median of the window where there is one of more than two."""
        last = self._call_s[-self._rule.window :]
        return last[-1] if self._rule.window == 2 else statistics.median(last)

    def feed(self, seconds: float, clock_hz: float | None = None) -> None:
        """Take the seconds of a batch of ``calls`` calls, and the device's clock during it."""
        self._call_s.append(seconds / self.calls)
        self._clocks_hz.append(clock_hz)
        self._spent_s += seconds
        self._long_enough = seconds >= self._rule.batch_s or self.calls >= self._rule.most_calls
        if not self._long_enough:
            self.calls *= 2

    @property
    def is_over(self) -> bool:
        """Say whether to stop: steady, or given up."""
        given_up = len(self._call_s) >= self._rule.most_batches or self._spent_s >= self._rule.most_s
        return self.is_steady or given_up

    @property
    def is_steady(self) -> bool:
        """Say whether the last batches agree, show no trend, and the clock is at its plateau."""
        window = self._call_s[-self._rule.window :]
        if not self._long_enough or len(window) < self._rule.window:
            return False
        return self._agree(window) and not self._drifts(window) and self._is_at_plateau()

    def _agree(self, window: Sequence[float]) -> bool:
        centre = window[0] if len(window) == 2 else statistics.median(window)
        return all(abs(one - centre) <= self._rule.within * centre for one in window)

    def _drifts(self, window: Sequence[float]) -> bool:
        """Say whether the times still move one way, and by more than is worth waiting for.

        Of five values without a trend, |S| is 8 or more in 10 of 120 orders.
        """
        if self._rule.drift is None:
            return False
        pairs = len(window) * (len(window) - 1) // 2
        first, last = window[0], window[-1]
        return abs(trend(window)) >= 0.8 * pairs and abs(last - first) > self._rule.drift * min(first, last)

    def _is_at_plateau(self) -> bool:
        if self._rule.clock_within is None:
            return True
        known = [clock for clock in self._clocks_hz if clock is not None]
        recent = [clock for clock in self._clocks_hz[-self._rule.window :] if clock is not None]
        # Under a power cap the clock settles below its highest: then it must only have stopped moving.
        low, high = min(recent, default=0.0), max(recent, default=0.0)
        return not known or high - low <= self._rule.clock_within * high
