"""Latency against one axis, all else held: one panel, one line an implementation, with intervals."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import seconds
from ..slices import AXES
from ..style import Look
from .canvas import STYLE, blank, legend, points, quantity_axis, value_axis


@rc_context(STYLE)
def draw(part: pd.DataFrame, axis: str, looks: Mapping[str, Look]) -> Figure:
    """Draw one slice of the view ``slices.along``."""
    figure, axes = blank(3.3)
    names = list(dict.fromkeys(part["implementation"]))
    for name in names:
        points(axes, part[part["implementation"] == name], "value", looks[name], line=True)
    value_axis(axes, part["value"].astype(int))
    quantity_axis(axes, "y", seconds, log=True)
    axes.set_xlabel(f"{AXES[axis]} ({part['slice'].iloc[0]})")
    legend(figure, looks, names)
    return figure
