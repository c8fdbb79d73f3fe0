"""``gnbench compare BASE HEAD``: two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus

Base = Annotated[Path, typer.Argument(metavar="BASE", help="The run directory to compare with.", show_default=False)]
Head = Annotated[Path, typer.Argument(metavar="HEAD", help="The run directory to judge.", show_default=False)]


def compare(base: Base, head: Head, json: opt.AsJson = False) -> int:
    """Compare two runs, cell by cell and by model: the ratio of their speed-ups to the reference, with intervals."""
    import pandas as pd

    from bench.cli.show import console, document, frame_records
    from bench.compare import compare as compared
    from bench.record import frames
    from bench.record.rundir import open_run
    from reports.forms.terminal import comparison
    from reports.schema import ComparisonRow, columns, to_record

    one, other = open_run(base, "BASE"), open_run(head, "HEAD")
    found = compared(frames.read(one.path), frames.read(other.path), one.info(), other.info())
    names = list(columns(ComparisonRow))
    cells, totals = (pd.DataFrame(map(to_record, rows), columns=names) for rows in (found.rows, found.totals))
    if json:
        told = {"totals": frame_records(totals), "cells": frame_records(cells)}
        document({"differences": list(found.differences)} | told)
    else:
        console().print(comparison(cells, totals, found.differences))
    return ExitStatus.DONE
