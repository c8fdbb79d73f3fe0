"""Time of a training step against batch size: a line an implementation, dashed where no group norm is computed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import seconds
from ..style import Look
from .canvas import STYLE, blank, legend, quantity_axis, value_axis


@rc_context(STYLE)
def draw(view: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the view ``study_views.steps``."""
    figure, axes = blank(3.3)
    names = list(dict.fromkeys(view["who"]))
    for name in names:
        rows, look = view[view["who"] == name], looks[name]
        style = "--" if name.endswith(" norm") else "-"
        axes.plot(
            rows["batch_size"].astype(float), rows["step_s"], color=look.tint.light, marker=look.marker, linestyle=style
        )
    value_axis(axes, view["batch_size"].astype(int))
    quantity_axis(axes, "y", seconds, log=True)
    axes.set_xlabel("batch size")
    axes.set_ylabel("median training step")
    legend(figure, looks, names)
    return figure
