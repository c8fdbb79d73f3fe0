"""The frame itself: CSV for spreadsheets, JSON with the meaning of every column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..quantities import is_null
from ..schema import FORMAT_VERSION, ResultRow, columns
from ..views import records


def csv_text(results: pd.DataFrame) -> str:
    """Write every column of a checked frame, null as an empty field.

    A text that a spreadsheet would run as a formula gets an apostrophe before it, as OWASP advises.
    """
    safe = results.copy()
    for name, column in columns(ResultRow).items():
        if column.kind is str:
            risky = safe[name].str.match(r"[=+\-@\t\r]").fillna(value=False).astype(bool)
            safe[name] = safe[name].mask(risky, "'" + safe[name])
    return str(safe.to_csv(index=False, lineterminator="\n"))


def json_text(results: pd.DataFrame, infos: Sequence[Mapping[str, Any]]) -> str:
    """Write a checked frame row by row, null as null, with ``run.json`` of each run."""
    document = {
        "format_version": FORMAT_VERSION,
        "runs": [dict(info) for info in infos],
        "columns": {name: {"unit": one.unit, "meaning": one.meaning} for name, one in columns(ResultRow).items()},
        "results": [
            {name: None if is_null(value) else value for name, value in row.items()} for row in records(results)
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, default=str) + "\n"
