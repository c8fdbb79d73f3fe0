"""Means and their intervals: Student's t over passes, Welch's between two runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A figure and the ends of its interval; the ends are None where one value alone was there."""

    centre: float
    low: float | None = None
    high: float | None = None

    @property
    def half_width(self) -> float | None:
        """Half the distance between the ends, in the figure's unit."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def exp(self) -> Interval:
        """Give the same interval of the exponential: from log ratios to ratios."""
        return Interval(
            centre=math.exp(self.centre),
            low=None if self.low is None else math.exp(self.low),
            high=None if self.high is None else math.exp(self.high),
        )


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Give the mean and its interval by Student's t: mean ± t · s / √n with n - 1 degrees of freedom."""
    if len(values) == 0:
        return None
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(centre=mean)
    return _around(mean, float(np.std(values, ddof=1)) / math.sqrt(len(values)), len(values) - 1, level)


def geometric_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Give the geometric mean of positive values and exp of the t interval of their logarithms."""
    interval = t_interval(logs(values).tolist(), level)
    return interval and interval.exp()


def welch_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval | None:
    """Give mean(a) - mean(b) and its interval by Welch's t with Satterthwaite's degrees of freedom.

    With one value on either side there is a difference but no interval; with none on either side, nothing.
    """
    if len(a) == 0 or len(b) == 0:
        return None
    difference = float(np.mean(a) - np.mean(b))
    if len(a) == 1 or len(b) == 1:
        return Interval(centre=difference)
    deviations = (float(np.std(one, ddof=1)) for one in (a, b))
    return welch_of_moments(difference, (next(deviations), len(a)), (next(deviations), len(b)), level)


def welch_of_moments(
    difference: float, first: tuple[float, int], second: tuple[float, int], level: float = 0.95
) -> Interval:
    """Give Welch's interval of a difference of means from each side's standard deviation and number of values."""
    (one, many), (other, others) = first, second
    left, right = one**2 / many, other**2 / others
    variance = left + right
    if variance == 0:
        return Interval(centre=difference, low=difference, high=difference)
    # By shares of the variance, so that squares of tiny variances do not underflow to 0 / 0.
    freedom = 1 / ((left / variance) ** 2 / (many - 1) + (right / variance) ** 2 / (others - 1))
    return _around(difference, math.sqrt(variance), freedom, level)


def interquartile_mean(values: Sequence[float]) -> float | None:
    """Give the mean of the middle half: a quarter of the weight trimmed at each end.

    Sorted value i of n covers [i, i + 1] and weighs what of it lies in [n/4, 3n/4], so that a quarter that is not a
    whole number of values trims a fraction of one.

    >>> interquartile_mean([0.0, 1.0, 3.0, 100.0])
    2.0
    """
    n = len(values)
    if n == 0:
        return None
    places = np.arange(n)
    weights = np.clip(np.minimum(places + 1, 3 * n / 4) - np.maximum(places, n / 4), 0, None)
    return float(np.average(np.sort(values), weights=weights))


def relative_spread(values: Sequence[float]) -> float | None:
    """Give the standard deviation of the logarithms of positive values: their relative spread, while it is small."""
    return float(np.std(logs(values), ddof=1)) if len(values) > 1 else None


def logs(values: Sequence[float]) -> NDArray[np.float64]:
    """Give the natural logarithms; ValueError where a value is not positive and finite."""
    array = np.asarray(values, dtype=np.float64)
    if not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"a figure is not positive and finite among {array.tolist()}")
    return np.log(array)


def _around(centre: float, error: float, freedom: float, level: float) -> Interval:
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    return Interval(centre=centre, low=centre - reach, high=centre + reach)
