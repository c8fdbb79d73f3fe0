"""An empty figure in the house's look, and axes that speak in units."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from ..style import COPY_LINE, GRID, INK, QUIET, Look

WIDTH_INCHES = 4.7
"""So that 9 pt text is still 9.5 px on a phone 390 px wide."""

_ZEROS = re.compile(r"\.0+(?=\D|$)")
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": INK.light,
    "axes.labelcolor": INK.light,
    "axes.edgecolor": QUIET.light,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID.light,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET.light,
    "ytick.color": QUIET.light,
    "xtick.labelcolor": INK.light,
    "ytick.labelcolor": INK.light,
    "lines.linewidth": 1.6,
    "lines.markersize": 6.5,
    "lines.markeredgewidth": 0,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
"""matplotlib's settings; every ``draw`` stands under ``@rc_context(STYLE)``, and none outlives it."""


def blank(height_inches: float, width_inches: float = WIDTH_INCHES) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes on a transparent ground."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def quantity_axis(axes: Axes, which: str, write: Callable[[float], str], *, log: bool) -> None:
    """Let an axis speak in prefixed units; logarithmic ones have ticks at 1, 2 and 5 where there is room."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
        axis.set_major_locator(LogLocator(10, subs=_ticks(high / max(low, 1e-300))))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _ZEROS.sub("", write(value))))


def _ticks(span: float) -> tuple[float, ...]:
    return (1.0, 2.0, 5.0) if span < 100 else (1.0, 3.0) if span < 3000 else (1.0,)


def value_axis(axes: Axes, values: Iterable[int]) -> None:
    """Put the horizontal axis in powers of two, a tick at every value that is there."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(values))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def points(axes: Axes, rows: pd.DataFrame, x: str, look: Look, *, line: bool) -> None:
    """Draw one implementation's latencies against column ``x``, with their intervals."""
    below = (rows["latency_s"] - rows["latency_low_s"]).fillna(0.0)
    above = (rows["latency_high_s"] - rows["latency_s"]).fillna(0.0)
    axes.errorbar(
        rows[x].astype(float),
        rows["latency_s"],
        yerr=[below, above],
        color=look.tint.light,
        marker=look.marker,
        linestyle="-" if line else "none",
        elinewidth=1.2,
        capsize=2.0,
        capthick=1.2,
    )


def legend(figure: Figure, looks: Mapping[str, Look], names: Collection[str], *, copy: bool = False) -> None:
    """Name the colours and markers above the axes."""
    handles = [
        Line2D([], [], color=looks[name].tint.light, marker=looks[name].marker, linestyle="none", label=plain(name))
        for name in looks
        if name in names
    ]
    if copy:
        handles.append(Line2D([], [], color=COPY_LINE.light, linestyle="--", label="plain copy"))
    figure.legend(handles=handles, loc="outside upper left", ncols=4, handletextpad=0.3, columnspacing=1.2)


def plain(name: str, most: int = 22) -> str:
    """Cut a name that is too long, and keep matplotlib from reading it as a formula or as "no label"."""
    name = name if len(name) <= most else f"{name[: most - 1]}…"
    name = name.replace("$", r"\$")
    return f"\u200b{name}" if name.startswith("_") else name
