"""Importance of each setting: a bar each, the largest at the top, with its interval over seeds."""

from __future__ import annotations

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import is_null, percent
from ..style import GREY, SLOTS
from ..views import records
from .canvas import STYLE, blank, plain, quantity_axis

YARDSTICK = "seed"


@rc_context(STYLE)
def draw(view: pd.DataFrame) -> Figure:
    """Draw the frame of importances; the seed, which measures the noise, is grey."""
    rows = records(view)
    figure, axes = blank(0.9 + 0.32 * len(rows))
    for place, row in enumerate(rows):
        tint = GREY if row["variable"] == YARDSTICK else SLOTS[0]
        axes.barh([place], [row["importance"]], color=tint.light, height=0.62)
        if not is_null(row["low"]):
            ends = [[row["importance"] - row["low"]], [row["high"] - row["importance"]]]
            axes.errorbar([row["importance"]], [place], xerr=ends, color=SLOTS[1].light, elinewidth=1.4, capsize=2.5)
    axes.set_yticks(range(len(rows)), [plain(str(row["variable"]).replace("_", " ")) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    quantity_axis(axes, "x", lambda value: percent(value) if value else "0", log=False)
    axes.set_xlabel("of the variance, lost when shuffled")
    return figure
