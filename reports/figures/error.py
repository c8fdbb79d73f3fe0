"""Error against latency, one dot a cell: whoever is fast by being wrong stands at the upper left."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import seconds, significant
from ..schema import Status
from ..style import QUIET, Look
from .canvas import STYLE, blank, legend, quantity_axis


@rc_context(STYLE)
def draw(view: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the right and timed cells of the view ``views.errors``, in ULP of the output's type."""
    view = view[(view["status"] == Status.OK) & view["latency_s"].notna() & view["error_ulp"].notna()]
    figure, axes = blank(3.5)
    names = list(dict.fromkeys(view["implementation"]))
    # Half a ULP is what rounding the exact result leaves.
    axes.axhline(0.5, color=QUIET.light, linestyle=":", linewidth=1.2)
    axes.annotate(
        "rounding alone",
        (1, 0.5),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=QUIET.light,
    )
    for name in names:
        rows = view[view["implementation"] == name]
        axes.plot(
            rows["latency_s"],
            rows["error_ulp"],
            color=looks[name].tint.light,
            marker=looks[name].marker,
            linestyle="none",
        )
    quantity_axis(axes, "x", seconds, log=True)
    axes.set_ylim(bottom=0)
    quantity_axis(axes, "y", lambda value: significant(value, 2), log=False)
    axes.set_ylabel("largest error (ULP)")
    axes.set_xlabel("latency")
    legend(figure, looks, names)
    return figure
