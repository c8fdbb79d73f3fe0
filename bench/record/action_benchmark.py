"""A run as the list that github-action-benchmark stores and draws ("customSmallerIsBetter").

The format: https://github.com/benchmark-action/github-action-benchmark, `tool: customSmallerIsBetter`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.quantities import is_null, problem_label
from reports.schema import Status
from reports.views import records


def entries(results: pd.DataFrame) -> list[dict[str, Any]]:
    """Give an entry a timed cell: its latency in microseconds, with the half-width of its interval as the range."""
    found = []
    for row in records(results):
        if row["status"] != Status.OK or is_null(row["latency_s"]):
            continue
        entry = {
            "name": f"{row['implementation']} {problem_label(row)}",
            "unit": "µs",
            "value": round(row["latency_s"] * 1e6, 4),
        }
        if not is_null(row["latency_low_s"]):
            entry["range"] = f"± {(row['latency_high_s'] - row['latency_low_s']) / 2 * 1e6:.4g}"
        if not is_null(row["speedup"]):
            entry["extra"] = f"speed-up {row['speedup']:.4g}"
        found.append(entry)
    return found
