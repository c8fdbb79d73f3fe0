"""The tables that ``gnbench study`` ends with."""

from __future__ import annotations

import pandas as pd
from rich.markup import escape
from rich.table import Table


def norm_word(norm: str, groups: object) -> str:
    """Name a norm as the option does.

    >>> norm_word("group", 8), norm_word("layer", 1)
    ('group:8', 'layer')
    """
    return f"group:{groups}" if norm == "group" else norm


def summary(trials: pd.DataFrame) -> Table:
    """Show mean test accuracy of each norm and batch size: of compared trainings, or of a plain sweep's best."""
    ended = trials[(trials["status"] == "complete") & trials["accuracy"].notna()]
    kinds = ("norm", "groups", "implementation")
    sizes = sorted(ended["batch_size"].unique())
    counts = ", ".join(f"{count:,} {status}" for status, count in trials["status"].value_counts().items())
    table = Table(title="test accuracy, %, mean over trainings", caption=f"trainings: {counts or 'none'}")
    for column in ("budget", "norm", "implementation", *(f"batch {size}" for size in sizes)):
        table.add_column(column)
    for (budget, norm, groups, implementation), rows in ended.groupby(["budget", *kinds], dropna=False, sort=False):
        means = rows.groupby("batch_size")["accuracy"].mean()
        said = str(implementation) if isinstance(implementation, str) else ""
        figures = (f"{100 * means[size]:.2f}" if size in means.index else "–" for size in sizes)
        table.add_row(str(budget), escape(norm_word(str(norm), groups)), escape(said), *figures)
    return table
