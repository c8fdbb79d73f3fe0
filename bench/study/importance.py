"""Which setting matters for accuracy: what a random forest loses when a setting is shuffled.

A forest of regression trees (scikit-learn) learns accuracy from the settings on two thirds of the trials. On the other
third each setting's column is shuffled in turn (L. Breiman, "Random Forests", Machine Learning 45, 2001). Half of what
that adds to the mean squared error, over the variance of all trials, is the setting's total Sobol index: the share of
the variance that it takes part in, alone or together with others. Norm and number of groups are one flat axis: with
groups a setting that group norm alone has, either it or the norm drops out of the answer (functional ANOVA of Optuna
left groups out, PED-ANOVA put them above the norm, on a planted study where the norm decided).

The seed is put in as if it were a setting. It can explain nothing but noise: what is no more important than the seed
is not shown to matter. The interval is over seeds drawn again with replacement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from reports.study_views import completed, option_rank, reference, target

METHOD = (
    "total share of the variance that the setting takes part in, by permutation: half of what shuffling it adds to a"
    " random forest's squared error, on trials that the forest has not seen"
)
COLUMNS = ("variable", "importance", "low", "high", "trials", "target", "method")
VARIABLES = ("norm", "batch_size", "learning_rate", "implementation", "budget", "seed")
LEAST_TRIALS = 12
"""With fewer the held-out third is four trials or less."""
_TREES = 32
_SHUFFLES = 4
_SPLITS = 6
_DRAWS = 24
_TAILS = (2.5, 97.5)  # per cent: a 95 % interval


def importance(trials: pd.DataFrame, *, seed: int = 0, draws: int = _DRAWS) -> pd.DataFrame:
    """Give the importance of each setting that varies, the largest first.

    Parameters
    ----------
    trials
        One row a trial.
    seed
        Of splits, forests, shuffles and draws.
    draws
        How often the seeds are drawn again.

    Returns
    -------
    DataFrame
        ``variable``; ``importance``, a share of the variance (settings that act together each have what they share,
        so that the sum may pass 1; noise may bring one below 0); ``low`` and ``high``, a 95 % interval over seeds
        (null of one seed); ``trials``; ``target``, the column explained; ``method``. Empty of fewer than twelve
        trials, or where accuracy or no setting varies.
    """
    table = _table(trials)
    if table is None:
        return pd.DataFrame(columns=list(COLUMNS))
    random = np.random.default_rng(seed)
    everything = np.arange(len(table.target))
    centre = np.mean([_lost(table, everything, random) for _ in range(_SPLITS)], axis=0)
    again = [_lost(table, rows, random) for rows in _drawn(table, draws, random)]
    ends = np.percentile(again, _TAILS, axis=0) if again else np.full((2, len(centre)), np.nan)
    found = pd.DataFrame(
        {
            "variable": table.names,
            "importance": centre,
            # A drawn sample holds fewer different seeds than the study; its middle may lie aside of the estimate.
            "low": np.fmin(ends[0], centre) if again else ends[0],
            "high": np.fmax(ends[1], centre) if again else ends[1],
            "trials": len(table.target),
            "target": table.column,
            "method": METHOD,
        }
    )
    return found.sort_values("importance", ascending=False, kind="stable").reset_index(drop=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    names: list[str]
    settings: NDArray[np.float64]
    """Trials × names; categories as their places in a fixed order, which trees split as they like."""
    target: NDArray[np.float64]
    column: str
    seeds: NDArray[np.int64]


def _table(trials: pd.DataFrame) -> _Table | None:
    rows = completed(trials)
    column = target(rows)
    rows = rows[rows[column].notna()]
    coded = {name: _coded(rows, name) for name in VARIABLES}
    names = [name for name in VARIABLES if len(np.unique(coded[name])) > 1]
    if len(rows) < LEAST_TRIALS or not names or rows[column].nunique() < 2:
        return None
    return _Table(
        names=names,
        settings=np.column_stack([coded[name] for name in names]),
        target=rows[column].to_numpy(float),
        column=column,
        seeds=rows["seed"].to_numpy(np.int64),
    )


def _coded(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name == "norm":
        values, order = rows["option"], sorted(rows["option"].unique(), key=option_rank)
    else:
        values = rows[name]
        if name == "implementation":
            # No row of the plugin table computes "none" and "batch". A place of their own would tell the norm.
            values = values.astype(object).where(values.notna(), reference(rows) or "")
        order = sorted(values.unique())
    places = {value: place for place, value in enumerate(order)}
    return np.array([places[value] for value in values], dtype=np.float64)


def _drawn(table: _Table, draws: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    seeds = np.unique(table.seeds)
    if len(seeds) < 2:
        return
    for _ in range(draws):
        chosen = random.choice(seeds, size=len(seeds))
        if len(np.unique(chosen)) > 1:
            yield np.concatenate([np.flatnonzero(table.seeds == one) for one in chosen])


def _lost(table: _Table, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    """Fit on two thirds and shuffle on the rest; a trial drawn twice stands on one side only."""
    trials = np.unique(rows)
    held = np.isin(rows, random.choice(trials, size=len(trials) // 3, replace=False))
    state = int(random.integers(2**31))
    forest = RandomForestRegressor(n_estimators=_TREES, min_samples_leaf=2, random_state=state, n_jobs=1)
    forest.fit(table.settings[rows[~held]], table.target[rows[~held]])
    shown = table.settings[rows[held]], table.target[rows[held]]
    if np.ptp(table.target[rows]) == 0:
        return np.zeros(len(table.names))
    lost = permutation_importance(
        forest, *shown, n_repeats=_SHUFFLES, random_state=state, scoring="neg_mean_squared_error", n_jobs=1
    )
    # Over the variance of all drawn: the held-out third has next to none where no network in it has failed.
    return np.asarray(lost.importances_mean, dtype=np.float64) / (2 * float(np.var(table.target[rows])))
