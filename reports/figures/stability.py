"""Every timed round of one problem: one dot a round, one column a pass, the interval over passes behind it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import seconds
from ..style import Look
from .canvas import STYLE, blank, legend, quantity_axis


@rc_context(STYLE)
def draw(dots: pd.DataFrame, intervals: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the view ``views.rounds`` with the latencies of the same cells.

    A pass has a column, and each implementation its place in it, so that dots do not hide each other.
    """
    figure, axes = blank(3.7)
    names = list(dict.fromkeys(dots["implementation"]))
    passes = sorted(set(dots["pass"]))
    for place, name in enumerate(names):
        look, rows = looks[name], dots[dots["implementation"] == name]
        offset = (place + 0.5) / len(names) * 0.7 - 0.35
        known = intervals[(intervals["implementation"] == name) & intervals["latency_low_s"].notna()]
        for row in known.to_dict("records"):
            axes.axhspan(row["latency_low_s"], row["latency_high_s"], color=look.tint.light, alpha=0.22, linewidth=0)
        axes.plot(
            np.array([passes.index(one) for one in rows["pass"]]) + offset,
            rows["call_s"],
            color=look.tint.light,
            marker=look.marker,
            markersize=3.2,
            linestyle="none",
            alpha=0.75,
        )
    axes.set_xticks(range(len(passes)), [str(one + 1) for one in passes])
    quantity_axis(axes, "y", seconds, log=True)
    axes.set_xlabel("pass (fresh processes, fresh memory)")
    legend(figure, looks, names)
    return figure
