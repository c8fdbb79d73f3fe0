"""What a gate leaves in its folder for people and for CI: the comment, JUnit's XML, the picture, the frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.gate.folder import COMMENT, FOREST, JUNIT, VERDICTS, GateFolder
from bench.record.durable import replace_file
from reports import gate
from reports.figures import forest
from reports.forms import gate_junit, gate_markdown

_DPI = 160


def write(folder: GateFolder, frame: pd.DataFrame, info: Mapping[str, Any]) -> None:
    """Write the folder's reports; a gate without a timed cell has no picture."""
    replace_file(folder.path / VERDICTS, lambda file: frame.to_parquet(file, index=False))
    folder.write(COMMENT, gate_markdown.comment(frame, info))
    folder.write(JUNIT, gate_junit.xml(frame, info))
    timed = gate.latencies(frame)
    if len(timed):
        drawn = forest.draw(timed, info)
        # On white: a comment on a dark page shows the picture as it is.
        replace_file(folder.path / FOREST, lambda file: drawn.savefig(file, format="png", dpi=_DPI, facecolor="white"))
