"""What ``study.json`` says of a study, and what of its data it cannot be made of."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bench import host
from bench.about import new_run_id
from bench.errors import UsageError
from bench.study import plan, splits
from bench.study.asked import Asked
from bench.study.data import Data

_PACKAGES = ("optuna", "scikit-learn", "mlxtend")


def of_study(asked: Asked, data: Data, now: datetime, command: Sequence[str]) -> dict[str, Any]:
    """Tell what is known before the first training."""
    facts = host.facts()
    split = first_split(asked, data)
    sizes = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    facts["versions"] |= _versions()
    return {
        "study_id": new_run_id(now),
        "network": "tutorial",
        "command": list(command),
        "settings": asked.to_dict(),
        "sampler": asked.sampler,
        "start": now.isoformat(timespec="seconds"),
        "end": None,
        "data": data.facts() | sizes,
        "counts": {},
        "warnings": host.warnings(facts),
        **facts,
    }


def _versions() -> dict[str, str]:
    there = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    return {name: there[name] for name in _PACKAGES if name in there}


def rates(asked: Asked, chosen: Mapping[plan.Group, float]) -> list[dict[str, Any]]:
    """Tell the rates chosen; one at an end of the list says that a better one may lie beyond it."""
    ends = {min(asked.learning_rates), max(asked.learning_rates)}
    return [
        {
            "budget": group.budget,
            "norm": group.norm,
            "batch_size": group.batch_size,
            "learning_rate": rate,
            "at_an_end": rate in ends,
        }
        for group, rate in chosen.items()
    ]


def first_split(asked: Asked, data: Data) -> splits.Split:
    """Give the split of the first seed and fold, whose sizes stand for all."""
    return splits.split(data.labels, study_seed=asked.seed, seed=0, folds=asked.folds, fold=0)


def refuse_few(asked: Asked, data: Data) -> None:
    """Refuse a batch that a fold's training part cannot fill, and more folds than a class has images."""
    split = first_split(asked, data)
    if len(split.test) < data.classes:
        found = f"{asked.folds} folds of {len(data.labels):,} images leave {len(split.test)} to test"
        raise UsageError("--folds", found, "give fewer")
    if max(asked.batch_sizes) > len(split.train):
        found = f"{max(asked.batch_sizes)} is more than the {len(split.train):,} images of a fold's training part"
        raise UsageError("--batch-size", found, "give a smaller one")
