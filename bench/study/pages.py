"""The report of a study's frames."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd


def write_pages(
    trials: pd.DataFrame, epochs: pd.DataFrame, steps: pd.DataFrame, info: Mapping[str, Any], out: Path
) -> list[Path]:
    """Write the report of a study's frames and name its files; a study of steps alone has no trials."""
    if find_spec("reports.study") is None:
        return []
    page, claims, importance = (
        importlib.import_module(name) for name in ("reports.study", "bench.study.claims", "bench.study.importance")
    )
    data = info.get("data")
    overlap = data["test"] / data["train"] if data else None
    written: list[Path] = page.write(
        trials,
        epochs,
        dict(info),
        out,
        claims=[asdict(one) for one in claims.claims(trials, overlap)] if len(trials) else [],
        importance=importance.importance(trials) if len(trials) else None,
        steps=steps,
    )
    return written
