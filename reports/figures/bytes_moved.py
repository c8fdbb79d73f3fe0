"""Bytes of a call beside the least possible, one mark a cell."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..quantities import byte_count
from ..style import INK, Look
from .canvas import STYLE, WIDTH_INCHES, blank, plain, quantity_axis

_LETTER_INCHES = 0.072
"""Width of a letter of 8 pt DejaVu Sans."""
_SPREAD = 0.09
"""Vertical distance between the marks of one problem, which would hide each other at the least."""


@rc_context(STYLE)
def draw(view: pd.DataFrame, column: str, looks: Mapping[str, Look]) -> Figure:
    """Draw ``column`` (bytes) of each cell to the right, a row a problem, with a bar at its ``minimum_bytes``."""
    problems = list(dict.fromkeys(view["problem"]))
    names = list(dict.fromkeys(view["implementation"]))
    label_inches = _LETTER_INCHES * max(map(len, problems), default=0)
    figure, axes = blank(1.0 + 0.34 * len(problems), max(WIDTH_INCHES, 2.6 + label_inches))
    least = view.drop_duplicates("problem")
    axes.plot(
        least["minimum_bytes"].astype(float),
        [problems.index(problem) for problem in least["problem"]],
        color=INK.light,
        marker="|",
        markersize=17,
        markeredgewidth=1.6,
        linestyle="none",
    )
    for place, name in enumerate(names):
        rows = view[view["implementation"] == name]
        offset = (place - (len(names) - 1) / 2) * _SPREAD
        axes.plot(
            rows[column].astype(float),
            [problems.index(problem) + offset for problem in rows["problem"]],
            color=looks[name].tint.light,
            marker=looks[name].marker,
            linestyle="none",
            clip_on=False,
        )
    quantity_axis(axes, "x", byte_count, log=True)
    axes.set_yticks(range(len(problems)), [plain(problem, 60) for problem in problems], fontsize=8)
    axes.set_ylim(len(problems) - 0.5, -0.5)
    axes.set_xlabel("bytes a call")
    handles = [
        Line2D(
            [],
            [],
            color=INK.light,
            marker="|",
            markersize=11,
            markeredgewidth=1.6,
            linestyle="none",
            label="least possible",
        )
    ]
    handles += [
        Line2D([], [], color=looks[name].tint.light, marker=looks[name].marker, linestyle="none", label=plain(name))
        for name in names
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, handletextpad=0.3, columnspacing=1.2)
    return figure
