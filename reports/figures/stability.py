"""Every timed round of one problem: one dot a round, one column a pass, the interval over passes at the side."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import plural, significant
from ..style import QUIET, Look
from ..views import records
from .canvas import STYLE, blank, legend, quantity_axis

_MOST_PERCENT = 40.0
"""A round that a busy machine made ten times slower would flatten all others; such dots stand at the edge, counted."""


@rc_context(STYLE)
def draw(dots: pd.DataFrame, intervals: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the view ``views.rounds`` with the latencies of the same cells, each relative to its cell's latency.

    A pass has a column, and each implementation its place in it, so that dots do not hide each other.
    """
    figure, axes = blank(3.3)
    known = {row["implementation"]: row for row in records(intervals)}
    latency = {name: row["latency_s"] for name, row in known.items()}
    names = [name for name in looks if name in set(dots["implementation"])]
    passes = sorted(set(dots["pass"]))
    percent = 100 * (dots["call_s"] / dots["implementation"].map(latency) - 1)
    for place, name in enumerate(names):
        look, own = looks[name], dots["implementation"] == name
        offset = (place + 0.5) / len(names) * 0.7 - 0.35
        axes.plot(
            dots.loc[own, "pass"].map(passes.index) + offset,
            percent[own].clip(-_MOST_PERCENT, _MOST_PERCENT),
            color=look.tint.light,
            marker=look.marker,
            markersize=3.6,
            linestyle="none",
            alpha=0.8,
        )
        ends = [[100 * abs(known[name][end] / latency[name] - 1)] for end in ("latency_low_s", "latency_high_s")]
        axes.errorbar([len(passes) + offset], [0], yerr=ends, color=look.tint.light, capsize=2.5, capthick=1.2)
    axes.axvline(len(passes) - 0.5, color=QUIET.light, linewidth=0.8)
    axes.set_xticks(range(len(passes) + 1), [*(str(one + 1) for one in passes), "95 %"])
    axes.grid(visible=False, axis="x")
    quantity_axis(axes, "y", lambda value: f"{'+' if value > 0 else ''}{significant(value, 2)} %", log=False)
    beyond = int((percent.abs() > _MOST_PERCENT).sum())
    told = f"; {plural(beyond, 'round')} beyond" if beyond else ""
    axes.set_xlabel(f"pass (fresh processes, fresh memory){told}")
    axes.set_ylabel("from the cell's latency")
    legend(figure, looks, names)
    return figure
