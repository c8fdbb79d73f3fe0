"""Accuracy by norm against batch size or epoch: a line a norm, a band from the lowest seed to the highest."""

from __future__ import annotations

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .. import study_looks
from .canvas import STYLE, blank, legend, value_axis

_FENCE = 2.0
"""What is further below the lower quartile than so many interquartile ranges is left to the table."""


@rc_context(STYLE)
def draw(view: pd.DataFrame, x: str, label: str) -> Figure:
    """Draw the view ``study_views.by_batch`` (x ``batch_size``) or ``study_views.curves`` (x ``epoch``)."""
    figure, axes = blank(3.3)
    names = list(dict.fromkeys(view["option"]))
    looks = study_looks.norms(names)
    for name in names:
        rows, look = view[view["option"] == name], looks[name]
        places = rows[x].astype(float)
        axes.fill_between(places, rows["low"], rows["high"], color=look.tint.light, alpha=0.16, linewidth=0)
        axes.plot(places, rows["mean"], color=look.tint.light, marker=look.marker, markersize=5)
    if x == "batch_size":
        value_axis(axes, view[x].astype(int))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    # Norms differ by tenths of a point near the top; a network that learnt nothing would hide that.
    quarter, three = (float(view["mean"].quantile(share)) for share in (0.25, 0.75))
    fence = quarter - _FENCE * max(three - quarter, 0.005)
    axes.set_ylim(bottom=max(fence, float(view["low"].min()) - 0.003))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    axes.set_xlabel(label)
    legend(figure, looks, names)
    return figure
