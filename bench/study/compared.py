"""The frame of trials to pairs: which rows may be compared, and the difference of two settings seed by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.stats.resampled import Resampled, resampled
from reports.study_views import completed

UNIT = ("seed", "fold")
"""One training and one test part; both sides of a pair have the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Differences of two sides, one a unit, each averaged over the settings that both sides have."""

    differences: tuple[float, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    settings: int
    """How many settings each difference is averaged over."""
    test_samples: int | None

    @property
    def mean(self) -> float:
        """The mean difference; 0 without any."""
        return sum(self.differences) / max(1, len(self.differences))

    def interval(self, test_over_train: float, level: float, *, stepped: bool = True) -> Resampled | None:
        """Give the mean difference and its interval; ``stepped`` where figures are right answers over test samples."""
        step = 1 / (self.test_samples * self.settings) if stepped and self.test_samples else 0.0
        return resampled(
            self.differences,
            test_over_train=test_over_train,
            clusters=(self.seeds, self.folds),
            level=level,
            resolution=step,
        )


def comparable(trials: pd.DataFrame) -> pd.DataFrame:
    """Give the rows that answer questions of accuracy, with their ``option``.

    Those of purpose "compare", whose learning rate was chosen on validation data. A study without any (a plain grid)
    has its rates chosen here, likewise on validation data alone: per setting the rate of the best mean over seeds
    and folds.
    """
    rows = completed(trials)
    rows = rows[rows["accuracy"].notna()]
    chosen = rows[rows["purpose"] == "compare"]
    return chosen if len(chosen) else _best_rates(rows[rows["purpose"] == "sweep"])


def _best_rates(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return rows
    setting = ["option", "implementation", "batch_size", "budget"]
    means = rows.groupby([*setting, "learning_rate"], dropna=False)["validation_accuracy"].mean()
    best = means.reset_index().sort_values("validation_accuracy", ascending=False, kind="stable", na_position="last")
    best = best.drop_duplicates(setting)[[*setting, "learning_rate"]]
    return rows.merge(best, on=[*setting, "learning_rate"])


def paired(
    first: pd.DataFrame, second: pd.DataFrame, *, over: Sequence[str], value: str = "accuracy", log: bool = False
) -> Pairs:
    """Subtract ``second`` from ``first`` unit by unit, averaged over the settings ``over`` that both have.

    A unit that lacks one of the settings is left out: its average would be of something else.

    Parameters
    ----------
    first, second
        Rows of ``completed``; several rows of one unit and setting are averaged.
    over
        Columns that must agree within a pair.
    value
        The column to compare.
    log
        Compare logarithms: the mean difference is then the logarithm of a ratio.
    """
    sides = [_by_unit(rows, over, value, log=log) for rows in (first, second)]
    difference = (sides[0] - sides[1]).dropna()
    table = difference.unstack(list(range(len(over)))) if over else difference.to_frame()
    table = table.dropna()
    units = list(table.index)
    return Pairs(
        differences=tuple(float(one) for one in table.mean(axis=1)),
        seeds=tuple(int(seed) for seed, _ in units),
        folds=tuple(int(fold) for _, fold in units),
        settings=max(1, table.shape[1]),
        test_samples=_fewest_samples(first, second),
    )


def log_ratios(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, ...]:
    """Give log(first's step / second's) for each norm and batch size that both have; settings in their order."""
    sides = [
        rows["step_s"].astype(float).groupby([rows["option"], rows["batch_size"]]).mean() for rows in (first, second)
    ]
    return tuple(math.log(one) for one in (sides[0] / sides[1]).dropna())


def times_vary(rows: pd.DataFrame) -> bool:
    """Say whether trials of a setting have step times of their own; one taken once for all of them is no replicate."""
    keys = [rows[name] for name in ("option", "implementation", "batch_size")]
    return bool((rows["step_s"].groupby(keys).nunique() > 1).any())


def _by_unit(rows: pd.DataFrame, over: Sequence[str], value: str, *, log: bool) -> pd.Series:
    figures = rows[value].astype(float)
    if log:
        figures = pd.Series(np.log(figures.where(figures > 0)), index=figures.index)
    return figures.groupby([rows[name] for name in (*over, *UNIT)]).mean()


def _fewest_samples(*sides: pd.DataFrame) -> int | None:
    known = pd.concat([rows["test_samples"] for rows in sides]).dropna()
    return int(known.min()) if len(known) and known.min() > 0 else None


def overlap(rows: pd.DataFrame) -> float:
    """Give test over training samples of k folds, 1 / (k - 1); 0 of one split, whose seeds tell of training only."""
    folds = rows["fold"].nunique()
    return 1 / (folds - 1) if folds > 1 else 0.0


def seed_noise(rows: pd.DataFrame) -> float | None:
    """Give the standard deviation of accuracy over seeds, all else held; None without a setting of two seeds."""
    setting = [rows[name] for name in ("option", "batch_size", "budget", "fold")]
    by_seed = rows["accuracy"].astype(float).groupby([*setting, rows["seed"]]).mean()
    spread = by_seed.groupby(level=[0, 1, 2, 3]).agg(["var", "count"])
    spread = spread[spread["count"] > 1]
    if spread.empty:
        return None
    return float(np.sqrt(np.average(spread["var"], weights=spread["count"] - 1)))
