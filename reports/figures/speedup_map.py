"""The speed-up map: problem × implementation, the figure printed in each square."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ..quantities import is_null, ratio
from ..schema import Status
from ..style import INK, QUIET, STEPS
from ..views import records
from .canvas import STYLE, blank, plain

_LETTER_INCHES = 0.078
"""Width of a letter of 8.5 pt DejaVu Sans: squares must have room beside the longest problem."""


@rc_context(STYLE)
def draw(speedups: pd.DataFrame, names: list[str]) -> Figure:
    """Draw the view ``views.speedup_map``, its implementations in the order of ``names``."""
    problems = list(dict.fromkeys(speedups["problem"]))
    steps = speedups.pivot(index="problem", columns="implementation", values="step").astype("float64")
    labels = [plain(problem, 60) for problem in problems]
    label_inches = _LETTER_INCHES * max(map(len, labels), default=0)
    figure, axes = blank(0.9 + 0.27 * len(problems), 0.5 + label_inches + 0.8 * len(names))
    # seaborn draws once to see whether labels overlap, before the labels have their size: nothing to lay out yet.
    figure.set_layout_engine("none")
    sns.heatmap(
        steps.reindex(index=problems, columns=names),
        cmap=ListedColormap([STEPS[step].light for step in sorted(STEPS)]),
        vmin=-2.5,
        vmax=2.5,
        cbar=False,
        xticklabels=[plain(name, 11) for name in names],
        yticklabels=labels,
        ax=axes,
    )
    for row in records(speedups):
        place = (names.index(row["implementation"]) + 0.5, problems.index(row["problem"]) + 0.5)
        text, is_figure = _text(row)
        axes.text(
            *place,
            text,
            ha="center",
            va="center",
            fontsize=8.5 if is_figure else 7.5,
            fontweight="bold" if row["is_winner"] else "normal",
            color=INK.light if is_figure else QUIET.light,
        )
    figure.set_layout_engine("constrained")
    axes.set(xlabel="", ylabel="")
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=8.5, rotation=0)
    axes.tick_params(axis="x", labeltop=True, labelbottom=False)
    return figure


def _text(row: dict[str, object]) -> tuple[str, bool]:
    if row["status"] != Status.OK:
        return str(row["status"]).replace("_", " "), False
    return ("not timed", False) if is_null(row["speedup"]) else (ratio(row["speedup"]), True)
