"""A profile's frames to small frames and lists, each the answer to one of a reader's questions.

``named`` is what ``views.cells`` makes of a frame of ``profile_schema.ProfileRow``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from . import quantities as q
from . import views
from .profile_schema import CELL_COLUMNS
from .schema import Status


def profiled(named: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells that were right and have a profile."""
    return named[named["status"] == Status.OK]


def ratios(named: pd.DataFrame, column: str) -> dict[str, float]:
    """Give each implementation's bytes over the least possible, geometric mean over problems, the leanest first."""
    rows = named[named[column].notna() & (named[column] > 0)]
    found = {}
    for name, part in rows.groupby("implementation"):
        over = part[column].to_numpy(float) / part["minimum_bytes"].to_numpy(float)
        found[str(name)] = float(np.exp(np.log(over).mean()))
    return dict(sorted(found.items(), key=lambda one: (one[1], one[0])))


def top_kernels(kernels: pd.DataFrame, cell: Mapping[str, Any], most: int) -> pd.DataFrame:
    """Give the ``most`` longest operators, and kernels, of one cell."""
    own = kernels
    for name in CELL_COLUMNS:
        own = own[own[name] == cell[name]]
    ordered = own.sort_values(["kind", "self_s"], ascending=[True, False], kind="stable")
    return ordered.groupby("kind", sort=False).head(most)


def missing(named: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Give what is missing, of which implementations, in how many cells, and why; equal reasons are one."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in views.records(named):
        told = [("touched bytes", row["touched_reason"]), ("hardware counters", row["counters_reason"])]
        if row["status"] == Status.OK:
            told.append(("latency", row["reason"]))  # the only remark there is: an interpreted row is not timed
        else:
            words = (row["status"], row["reason"])
            told.append(("everything", ": ".join(str(word) for word in words if not q.is_null(word))))
        for what, why in told:
            if not q.is_null(why):
                found.setdefault((what, str(why)), []).append(str(row["implementation"]))
    return [(what, ", ".join(dict.fromkeys(names)), str(len(names)), why) for (what, why), names in found.items()]
