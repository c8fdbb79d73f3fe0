"""Memory beyond inputs and outputs, one dot a cell."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..quantities import byte_count
from ..style import Look
from .canvas import STYLE, WIDTH_INCHES, blank, legend, quantity_axis

_LETTER_INCHES = 0.072
"""Width of a letter of 8 pt DejaVu Sans."""
_SPREAD = 0.09
"""Vertical distance between the dots of one problem, which would hide each other at 0 B."""


@rc_context(STYLE)
def draw(view: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the view ``views.memory``: a row a problem, extra bytes to the right."""
    view = view[view["extra_bytes"].notna()]
    problems = list(dict.fromkeys(view["problem"]))
    names = list(dict.fromkeys(view["implementation"]))
    label_inches = _LETTER_INCHES * max(map(len, problems), default=0)
    figure, axes = blank(0.9 + 0.34 * len(problems), max(WIDTH_INCHES, 2.6 + label_inches))
    for place, name in enumerate(names):
        rows = view[view["implementation"] == name]
        offset = (place - (len(names) - 1) / 2) * _SPREAD
        look = looks[name]
        axes.plot(
            rows["extra_bytes"].astype(float),
            [problems.index(problem) + offset for problem in rows["problem"]],
            color=look.tint.light,
            marker=look.marker,
            linestyle="none",
            clip_on=False,
        )
    # Zero is the best value there is, so the axis must be able to show it.
    axes.set_xscale("symlog", linthresh=1000)
    quantity_axis(axes, "x", byte_count, log=False)
    axes.set_xticks([0, *(10**power for power in range(3, 16, 3) if 10**power < 2 * view["extra_bytes"].max())])
    axes.set_yticks(range(len(problems)), problems, fontsize=8)
    axes.set_ylim(len(problems) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("memory beyond inputs and outputs")
    legend(figure, looks, names)
    return figure
