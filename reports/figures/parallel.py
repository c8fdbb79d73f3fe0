"""Parallel coordinates: a line a trial over norm, groups, batch size, learning rate and accuracy.

Every setting has few values, so that lines would lie on each other. At a tick they are spread, the most accurate at
the top: what leads to accuracy is then seen as lines that do not cross. ``layout`` says where everything stands, in
the points that SVG counts in, so that the page's script needs no geometry of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import study_looks
from .. import study_views as found
from ..document import Axis
from ..quantities import significant
from ..style import INK, QUIET
from ..views import records
from .canvas import STYLE, blank, plain

_WIDTH, _HEIGHT = 620.0, 330.0  # points
_TOP, _BOTTOM, _LEFT, _RIGHT = 30.0, 312.0, 44.0, 566.0
_BAND = 15.0
"""Points over which the lines of one tick are spread, where ticks have room for it."""
_FENCE = 3.0
"""Accuracies further below the lower quartile than so many interquartile ranges stand at the edge: a few networks that
learnt nothing would press all others into a line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where axes and lines stand."""

    axes: tuple[Axis, ...]
    lines: tuple[tuple[float, ...], ...]
    """y on each axis, a trial each, in the order of the view's rows."""


def layout(view: pd.DataFrame) -> Layout:
    """Place the trials of the view ``study_views.shown``."""
    wholes = [_rate(value) for value in sorted(view["learning_rate"].unique())]
    categories: list[tuple[str, Sequence[str], Sequence[str]]] = [
        ("norm", list(view["norm"]), _in_order(view["norm"], found.option_rank)),
        ("groups", list(view["groups_word"]), _in_order(view["groups_word"], _groups_rank)),
        ("batch size", [str(one) for one in view["batch_size"]], _in_order(view["batch_size"].astype(str), int)),
        ("learning rate", [_rate(one) for one in view["learning_rate"]], list(dict.fromkeys(wholes))),
    ]
    places = np.linspace(_LEFT, _RIGHT, len(categories) + 1)
    axes, columns = [], []
    for (name, values, order), x in zip(categories, places, strict=False):
        ticks = _places(order)
        axes.append(Axis(name=name, x=float(x), ticks=tuple(ticks.items())))
        columns.append(_spread(values, ticks))
    axis, last = _accuracies(view["shown_accuracy"].to_numpy(float), float(places[-1]))
    return Layout(axes=(*axes, axis), lines=tuple(zip(*columns, last, strict=True)))


def _in_order(values: pd.Series, rank: Callable[[str], object]) -> list[str]:
    return sorted((str(one) for one in values.unique()), key=rank)  # type: ignore[arg-type]


def _groups_rank(word: str) -> tuple[int, int]:
    return (1, int(word)) if word.isdigit() else (0 if word == found.NO_GROUPS else 2, 0)


def _rate(value: float) -> str:
    return f"{value:.2g}"


def _places(order: Sequence[str]) -> dict[str, float]:
    inset = _BAND
    if len(order) == 1:
        return {order[0]: (_TOP + _BOTTOM) / 2}
    return dict(zip(order, np.linspace(_BOTTOM - inset, _TOP + inset, len(order)).tolist(), strict=True))


def _spread(values: Sequence[str], ticks: dict[str, float]) -> list[float]:
    """Spread what stands at a tick over its band, in the order of the rows: the most accurate at the top."""
    room = (_BOTTOM - _TOP) / max(1, len(ticks))
    band = min(2 * _BAND, 0.6 * room)
    total = {value: list(values).count(value) for value in ticks}
    seen = dict.fromkeys(ticks, 0)
    at = []
    for value in values:
        share = 0.5 if total[value] == 1 else seen[value] / (total[value] - 1)
        at.append(ticks[value] + band * (share - 0.5))
        seen[value] += 1
    return at


def _accuracies(values: np.ndarray[tuple[int], np.dtype[np.float64]], x: float) -> tuple[Axis, list[float]]:
    quarter, three = np.quantile(values, (0.25, 0.75))
    low, high = float(values.min()), float(values.max())
    fence = float(quarter - _FENCE * max(three - quarter, 0.005))
    is_cut = low < fence
    low = max(low, fence)
    if high - low < 1e-9:
        low, high = low - 0.005, high + 0.005
    at = _BOTTOM - (np.clip(values, low, high) - low) / (high - low) * (_BOTTOM - _TOP)
    inner = [one for one in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= one <= high]
    ticks = [(f"{100 * one:.4g} %", float(_BOTTOM - (one - low) / (high - low) * (_BOTTOM - _TOP))) for one in inner]
    if is_cut:
        ticks = [one for one in ticks if _BOTTOM - one[1] > 12]
        ticks.insert(0, (f"≤ {significant(100 * low)} %", _BOTTOM))
    scale = (_BOTTOM, 100 * low, _TOP, 100 * high)
    return Axis(name="accuracy", x=x, ticks=tuple(ticks), scale=scale), at.tolist()


@rc_context(STYLE)
def draw(view: pd.DataFrame, placed: Layout) -> Figure:
    """Draw the view ``study_views.shown`` where ``layout`` put it."""
    figure, _ = blank(_HEIGHT / 72, _WIDTH / 72)
    figure.clear()
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(_HEIGHT, 0))
    axes.set_axis_off()
    x = [axis.x for axis in placed.axes]
    width = 1.3 if len(view) <= 150 else 0.9
    # The most accurate are drawn last, above all others.
    for row, line in reversed(list(zip(records(view), placed.lines, strict=True))):
        tint = study_looks.norm(str(row["norm"])).tint
        axes.plot(x, line, color=tint.light, linewidth=width, alpha=0.6, gid=f"line-{row['trial']}", clip_on=False)
    for axis in placed.axes:
        _axis(axes, axis)
    return figure


def _axis(axes: Axes, axis: Axis) -> None:
    axes.plot([axis.x, axis.x], [_TOP - 4, _BOTTOM + 4], color=QUIET.light, linewidth=1.2, clip_on=False)
    axes.text(axis.x, _TOP - 12, axis.name, ha="center", va="bottom", weight="bold", color=INK.light)
    is_last = axis.scale is not None
    for label, y in axis.ticks:
        axes.plot([axis.x - 3, axis.x + 3], [y, y], color=QUIET.light, linewidth=1, clip_on=False)
        where = {"x": axis.x + (6 if is_last else -6), "y": y, "ha": "left" if is_last else "right", "va": "center"}
        axes.text(s=plain(label), color=INK.light, fontsize=8, **where)  # type: ignore[arg-type]
