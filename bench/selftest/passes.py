"""A run's samples to one log ratio a pass, launch by launch, by the engine's own statistics."""

from __future__ import annotations

import pandas as pd

from bench.stats.paired import log_ratio_of_pass
from reports.views import call_seconds


def log_ratios(samples: pd.DataFrame, name: str, reference: str) -> list[list[float]]:
    """Give log(reference's time / this one's) of each pass, launch by launch, of a run with one problem."""
    launches: dict[object, list[float]] = {}
    for (launch, _), rows in samples.groupby(["launch", "pass"], sort=True):
        both = [_call_seconds(rows, one) for one in (reference, name)]
        ratio = log_ratio_of_pass(*both)
        if ratio is not None:
            launches.setdefault(launch, []).append(ratio)
    return list(launches.values())


def _call_seconds(rows: pd.DataFrame, name: str) -> list[float]:
    own = rows[rows["implementation"] == name].sort_values("round")
    return [float(seconds) for seconds in call_seconds(own)]
