"""A gate's verdicts for a terminal: worst first, only what is not unchanged; the rest is counted."""

from __future__ import annotations

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from .. import gate
from ..views import records
from .terminal import FittingTable

_STYLE = {"regression": "bold red", "cells gone": "bold red", "no regression": "bold green"}


def verdicts(frame: pd.DataFrame, info: gate.Info) -> RenderableType:
    """Show the outcome, the rows worth reading, and what was held against what.

    In a narrow terminal go, in this order: base, head, metric.
    """
    rows = tuple(gate.cells(row) for row in records(gate.told(frame)))
    parts: list[RenderableType] = [Text(gate.headline(frame, info), style=_STYLE.get(info["outcome"], "bold yellow"))]
    if rows:
        parts.append(FittingTable(title="", rows=rows, dropped_first=("base", "head", "metric")))
    parts.append(Text(gate.conditions(info)))
    return Group(*parts)
