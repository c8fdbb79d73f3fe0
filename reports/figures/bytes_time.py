"""Time against the bytes that must move, with the time of a plain copy of as many."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import byte_count, seconds
from ..style import COPY_LINE, Look
from .canvas import STYLE, blank, legend, points, quantity_axis


@rc_context(STYLE)
def draw(view: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the view ``views.bytes_time``."""
    figure, axes = blank(3.7)
    names = list(dict.fromkeys(view["implementation"]))
    # One copy a problem; several rows imply the same one.
    copy = view[view["copy_s"].notna()].drop_duplicates("problem").sort_values("minimum_bytes")
    axes.plot(copy["minimum_bytes"].astype(float), copy["copy_s"], color=COPY_LINE.light, linestyle="--", zorder=1)
    for name in names:
        points(axes, view[view["implementation"] == name], "minimum_bytes", looks[name], line=False)
    quantity_axis(axes, "x", byte_count, log=True)
    quantity_axis(axes, "y", seconds, log=True)
    axes.set_xlabel("fewest bytes the problem must move")
    legend(figure, looks, names, copy=not copy.empty)
    return figure
