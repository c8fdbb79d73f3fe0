"""Frames of trials with planted truths: accuracies that are sums of named effects, a figure a seed, and a fold."""

import itertools

import numpy as np
import pandas as pd

NORMS = (
    ("none", None), ("batch", None), ("layer", 1), ("group", 2), ("group", 8), ("group", 32), ("instance", None),
)  # fmt: skip


def make(
    *,
    norms=NORMS,
    sizes=(2, 8, 32),
    rates=(0.01,),
    seeds=3,
    folds=3,
    budgets=("epochs",),
    implementations=("native",),
    purpose="compare",
    effect=lambda row: 0.0,
    step_s=lambda row: 1e-3,
    noise=0.002,
    shared=0.01,
    samples=1000,
    seed=1,
):
    """A grid; ``effect`` says by how much a row's accuracy differs from 0.9, ``shared`` is common to a unit's rows."""
    draw = np.random.default_rng(seed)
    units = {unit: shared * draw.normal() for unit in itertools.product(range(seeds), range(folds))}
    rows = []
    for budget, (norm, groups), size, rate, one, fold in itertools.product(
        budgets, norms, sizes, rates, range(seeds), range(folds)
    ):
        for name in implementations if norm not in {"none", "batch"} else (None,):
            row = {
                "study_id": "s", "trial": len(rows), "network": "tutorial", "data": "digits", "image_size": 8,
                "norm": norm, "groups": groups, "implementation": name, "batch_size": size, "learning_rate": rate,
                "seed": one, "fold": fold, "budget": budget, "epochs": 3.0, "updates": 3000 // size,
                "purpose": purpose, "status": "complete", "reason": None,
            }  # fmt: skip
            accuracy = 0.9 + units[one, fold] + effect(row) + noise * draw.normal()
            known = None if purpose == "tune" else accuracy
            row |= {"validation_accuracy": accuracy, "validation_loss": 1 - accuracy, "accuracy": known}
            row |= {"loss": known and 1 - known, "test_samples": samples, "step_s": step_s(row), "norm_share": 0.2}
            rows.append(row | {"peak_bytes": 1e6 * size, "duration_s": 2.0})
    frame = pd.DataFrame(rows).astype({"groups": "Int64", "accuracy": float, "loss": float})
    return frame.astype({"implementation": object})


def curves(trials, epochs=3):
    """Give each completed trial its epochs, rising towards its accuracy."""
    rows = [
        {
            "study_id": row.study_id, "trial": row.trial, "epoch": epoch, "updates": row.updates * epoch // epochs,
            "train_loss": 1 / epoch, "validation_loss": 1.1 / epoch, "seconds": 0.5,
            "validation_accuracy": row.validation_accuracy * (1 - 0.2 / 3**epoch),
        }
        for row in trials[trials["status"] == "complete"].itertuples()
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=EPOCH_COLUMNS)


EPOCH_COLUMNS = [
    "study_id", "trial", "epoch", "updates", "train_loss", "validation_loss", "validation_accuracy", "seconds",
]  # fmt: skip

FACTS = {
    "format": 1,
    "command": ["gnbench", "study", "--out", "my study"],
    "settings": {"norms": "none,batch,group", "seeds": 3, "threads": 2},
    "versions": {"torch": "2.13.0", "optuna": "5.0.0"},
    "host": {"system": "Linux 6.1", "python": "3.11.7", "machine": "x86_64"},
    "cpu": {"model": "AMD EPYC 9R14", "available_cores": 2},
    "start": "2026-11-30T18:00:00Z",
    "end": "2026-11-30T18:12:00Z",
    "data": {"name": "digits", "source": "scikit-learn load_digits", "classes": 10, "train_size": 1000, "sha256": None},
    "sampler": "grid",
    "counts": {"complete": 10},
}
