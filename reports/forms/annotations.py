"""A gate's failures as GitHub's workflow commands, which it shows beside the file that they name.

The format: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import pandas as pd

from .. import gate
from .. import quantities as q

_MOST = 10
"""GitHub shows ten errors of a step and drops the rest."""


def lines(frame: pd.DataFrame, info: gate.Info) -> list[str]:
    """Give a line for each failure, at most ten, the last of them counting the rest."""
    failed = gate.failing(frame)
    said = []
    for row in failed[: _MOST - (len(failed) > _MOST)]:
        written = gate.cells(row)
        place = "" if q.is_null(row["place"]) else f"file={_property(row['place'])},"
        title = _property(f"{written['implementation']} {written['verdict']}")
        words = (written["metric"], written["problem"], written["change"], written["why"])
        said.append(f"::error {place}title={title}::{_message(' '.join(one for one in words if one))}")
    if len(failed) > _MOST:
        said.append(f"::error title=GroupNorm gate::{len(failed) - _MOST + 1} more; see the gate's comment")
    if not failed and info["outcome"] != "no regression":
        level = "error" if info["outcome"] == "regression" else "warning"
        said.append(f"::{level} title=GroupNorm gate::{_message(gate.headline(frame, info))}")
    return said


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
