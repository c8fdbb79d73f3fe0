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


def step_table(steps: pd.DataFrame) -> Table:
    """Show what a training step takes with each normalization, and by which factor it is faster than its reference."""
    from reports.quantities import with_prefix

    first = steps.iloc[0]
    title = f"a training step of {first['network']}, {first['image_size']} x {first['image_size']} pixels"
    caption = f"intervals are 95 %, over {first['passes']} fresh processes of {first['threads']} threads"
    table = Table(title=title, caption=caption)
    for column in (
        "batch",
        "norm",
        "implementation",
        "step",
        "faster than",
        "by a factor of",
        "norm's share",
        "memory",
    ):
        table.add_column(column)
    for row in steps.to_dict("records"):
        known = {str(name): value for name, value in row.items() if not pd.isna(value)}
        ends = f"{known['speedup_low']:.3f} to {known['speedup_high']:.3f}" if "speedup_high" in known else ""
        table.add_row(
            str(known["batch_size"]),
            norm_word(known["norm"], known.get("groups")),
            escape(known.get("implementation", "")),
            with_prefix(known["step_s"], "s", 4),
            escape(known.get("reference", "–")),
            f"{known['speedup']:.3f} ({ends})" if "speedup" in known else "–",
            f"{known['norm_share']:.1%}" if "norm_share" in known else "–",
            with_prefix(known["peak_bytes"], "B", 3) if "peak_bytes" in known else "–",
        )
    return table
