"""The report of a study's frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from bench.study.claims import claims
from reports import study


def write_pages(
    trials: pd.DataFrame, epochs: pd.DataFrame, steps: pd.DataFrame, info: Mapping[str, Any], out: Path
) -> list[Path]:
    """Write the report of a study's frames and name its files; a study of steps alone has no trials."""
    data = info.get("data")
    overlap = data["test"] / data["train"] if data else None
    return study.write(
        trials,
        epochs,
        dict(info),
        out,
        claims=[asdict(one) for one in claims(trials, overlap)] if len(trials) else [],
        importance=_importance(trials) if len(trials) else None,
        steps=steps,
    )


def _importance(trials: pd.DataFrame) -> pd.DataFrame:
    from bench.study.importance import importance  # noqa: PLC0415 (scikit-learn is an extra)

    return importance(trials)
