"""Every timed cell's change with its interval, the largest first; lines at 0, the tolerance and the threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..gate_schema import Word
from ..quantities import is_null
from ..style import INK, QUIET
from ..views import records
from .canvas import STYLE, blank, plain, quantity_axis

_COLOURS = {Word.REGRESSED: "#d55e00", Word.IMPROVED: "#009e73", Word.UNDECIDED: "#cc79a7"}
_MARKERS = {Word.REGRESSED: "D", Word.IMPROVED: "s", Word.UNDECIDED: "o"}
_MOST = 60
_ROW_INCHES = 0.19
_BEYOND_PERCENT = 60.0


@rc_context(STYLE)
def draw(timed: pd.DataFrame, info: Mapping[str, Any]) -> Figure:
    """Draw the view ``gate.latencies``; of more than sixty cells the largest changes."""
    rows = records(timed)[:_MOST]
    figure, axes = blank(1.1 + _ROW_INCHES * max(1, len(rows)), 7.2)
    for place, row in enumerate(rows):
        word = Word(row["verdict"])
        centre = _percent(row["change"])
        ends = None
        if not is_null(row["change_low"]):
            ends = [[max(0.0, centre - _percent(row["change_low"]))], [max(0.0, _percent(row["change_high"]) - centre)]]
        axes.errorbar(
            [centre],
            [place],
            xerr=ends,
            color=_COLOURS.get(word, QUIET.light),
            marker=_MARKERS.get(word, "o"),
            markersize=4.5,
            elinewidth=1.4,
            capsize=2.0,
        )
    for at, style in ((0.0, "-"), (100 * info["tolerance"], ":"), (100 * info["threshold"], "--")):
        axes.axvline(at, color=INK.light, linewidth=0.9, linestyle=style)
    names = [plain(f"{row['implementation']}  {row['problem']}", 58) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    quantity_axis(axes, "x", lambda value: f"{value:+.0f} %" if value else "0", log=False)
    more = f"; {len(timed) - _MOST} smaller changes are not drawn" if len(timed) > _MOST else ""
    axes.set_xlabel(f"head's time over base's (dotted: tolerance, dashed: threshold){more}")
    return figure


def _percent(ratio: float) -> float:
    return max(-_BEYOND_PERCENT, min(_BEYOND_PERCENT, 100 * (ratio - 1)))
