"""A study's frames to small frames, each the answer to one of a reader's questions.

``named`` is what ``completed`` makes of the frame of trials. Means and ranges are over seeds and folds; no view infers
anything: what the figures show is said by the study's claims.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from . import quantities as q
from .views import records

COMPLETE = "complete"
BUDGETS = ("epochs", "updates")
NO_GROUPS = "no groups"
EACH_CHANNEL = "a channel each"
_KINDS = ("none", "batch", "layer", "group", "instance")
_FAVOURITE = 8
"""The number of groups that the tutorial recommends."""


def option(norm: str, groups: Any) -> str:
    """Name a point of the flat axis of norm and groups.

    >>> option("group", 8.0), option("layer", 1)
    ('group 8', 'layer')
    """
    return f"group {int(groups)}" if norm == "group" else norm


def options(trials: pd.DataFrame) -> pd.Series:
    """Name each row's point of the flat axis."""
    names = [option(str(norm), groups) for norm, groups in zip(trials["norm"], trials["groups"], strict=True)]
    return pd.Series(names, index=trials.index, dtype=object)


def option_rank(name: str) -> tuple[int, int]:
    """Order points of the flat axis: none, batch, layer, groups by their number, instance."""
    kind, _, groups = name.partition(" ")
    return (_KINDS.index(kind) if kind in _KINDS else len(_KINDS), int(groups or 0))


def completed(trials: pd.DataFrame) -> pd.DataFrame:
    """Keep the trials that ended well, with their ``option``."""
    kept = trials[trials["status"] == COMPLETE]
    return kept.assign(option=options(kept))


def target(named: pd.DataFrame) -> str:
    """Name the accuracy that most trials have: on validation data, as tuning trials have too, else on the test set."""
    known = {name: int(named[name].notna().sum()) for name in ("validation_accuracy", "accuracy")}
    return max(known, key=lambda name: known[name])


def target_words(column: str) -> str:
    """Say which accuracy a column holds.

    >>> target_words("accuracy")
    'accuracy on the test set'
    """
    return "accuracy on validation data" if column == "validation_accuracy" else "accuracy on the test set"


def groups_word(norm: str, groups: Any) -> str:
    """Name the tick of the axis of groups.

    >>> groups_word("batch", None), groups_word("instance", None), groups_word("group", 8)
    ('no groups', 'a channel each', '8')
    """
    if norm == "instance":
        return EACH_CHANNEL
    return NO_GROUPS if norm in {"none", "batch"} or q.is_null(groups) else str(int(groups))


def shown(named: pd.DataFrame) -> pd.DataFrame:
    """Give one row a completed trial for the picture of all of them, the most accurate first."""
    column = target(named)
    rows = named[named[column].notna()]
    words = [groups_word(str(norm), groups) for norm, groups in zip(rows["norm"], rows["groups"], strict=True)]
    made = rows.assign(groups_word=words, shown_accuracy=rows[column].astype(float))
    return made.sort_values(["shown_accuracy", "trial"], ascending=[False, True], kind="stable")


def compared(named: pd.DataFrame) -> pd.DataFrame:
    """Keep the trials with an accuracy on the test set; those whose rate was chosen, where there are any."""
    rows = named[named["accuracy"].notna()]
    chosen = rows[rows["purpose"] == "compare"]
    return chosen if len(chosen) else rows


def reference(named: pd.DataFrame) -> str | None:
    """Name the implementation that norms are shown with: ``native`` where it took part."""
    names = sorted({str(name) for name in named["implementation"].dropna()})
    return "native" if "native" in names else next(iter(names), None)


def of_reference(named: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows without an implementation and those of the reference."""
    return named[named["implementation"].isna() | (named["implementation"] == reference(named))]


def drawn_options(named: pd.DataFrame) -> list[str]:
    """Name the norms of a picture: of the numbers of groups one alone, the recommended or the one nearest to it."""
    names = sorted(named["option"].unique(), key=option_rank)
    groups = [name for name in names if name.startswith("group ")]
    kept = min(groups, key=lambda name: (abs(option_rank(name)[1] - _FAVOURITE), name), default=None)
    return [name for name in names if name not in groups or name == kept]


def by_batch(named: pd.DataFrame, budget: str) -> pd.DataFrame:
    """Give accuracy on the test set by norm and batch size: mean, lowest and highest seed."""
    rows = of_reference(compared(named))
    return _ranges(rows[rows["budget"] == budget], ["option", "batch_size"], "accuracy")


def curves(named: pd.DataFrame, epochs: pd.DataFrame, budget: str, batch_size: int) -> pd.DataFrame:
    """Give accuracy on validation data by norm and epoch: mean, lowest and highest seed (each its mean over folds)."""
    rows = of_reference(compared(named))
    rows = rows[(rows["budget"] == budget) & (rows["batch_size"] == batch_size)]
    both = epochs.merge(rows[["study_id", "trial", "option", "seed", "fold"]], on=["study_id", "trial"])
    return _ranges(both[both["validation_accuracy"].notna()], ["option", "epoch"], "validation_accuracy")


def _ranges(rows: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    seeds = rows.groupby([*by, "seed"])[value].mean()
    found = seeds.groupby(level=by).agg(["mean", "min", "max", "count"]).reset_index()
    found = found.rename(columns={"min": "low", "max": "high", "count": "seeds"})
    order = found["option"].map(option_rank)
    return found.assign(order=order).sort_values(["order", by[1]], kind="stable").drop(columns="order")


def steps(named: pd.DataFrame) -> pd.DataFrame:
    """Give the time of a training step by implementation (or norm without one) and batch size: medians over trials.

    Of norms that every implementation computed: a study may train some of them with the reference alone.
    """
    rows = named[named["step_s"].notna()]
    by_name = [set(part["option"]) for _, part in rows[rows["implementation"].notna()].groupby("implementation")]
    shared = set.intersection(*by_name) if by_name else set()
    rows = rows[rows["implementation"].isna() | rows["option"].isin(shared)]
    who = rows["implementation"].astype(object).where(rows["implementation"].notna(), rows["norm"].map(_without))
    keys = [who.rename("who"), rows["batch_size"]]
    columns = ["step_s", "norm_share", "peak_bytes"]
    found = rows[columns].astype(float).groupby(keys).median()
    return found.assign(trials=rows.groupby(keys).size()).reset_index()


def _without(norm: str) -> str:
    return "no norm" if norm == "none" else f"{norm} norm"


def counts(trials: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Count trials by purpose, status and reason."""
    told = Counter(
        (str(row["purpose"]), str(row["status"]), q.NULL if q.is_null(row["reason"]) else str(row["reason"]))
        for row in records(trials)
    )
    return [(purpose, status, str(number), reason) for (purpose, status, reason), number in sorted(told.items())]


def part(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give a mapping of ``study.json``; empty where it is missing or something else."""
    found = facts.get(name)
    return dict(found) if isinstance(found, Mapping) else {}
