"""``gnbench report``: a report from one run or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus, UsageError, nearest

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run directories, or pytest-benchmark's JSON.", show_default=False),
]
Formats = Annotated[str, typer.Option("--format", help="html, md, csv, latex, json; a comma list.")]


def report(runs: Runs, format: Formats = "html", out: opt.Out = None) -> int:  # noqa: A002 - the option's name
    """Write the report of one run or of several together, from their frames."""
    import pandas as pd

    from bench.cli.show import console
    from bench.plan.axes import split
    from bench.record import frames, pytest_benchmark
    from bench.record.rundir import open_run
    from reports.intake import FrameError
    from reports.render import FORMATS, render

    formats = split(format, "--format")
    for word in formats:
        if word not in FORMATS:
            raise UsageError("--format", f"{word!r} is unknown", nearest(word, FORMATS))
    if out is None and len(runs) > 1:
        raise UsageError("--out", "is missing", "say where the report of several runs is to go")
    if out is None and runs[0].is_file():
        raise UsageError("--out", "is missing", "say where the report of a file is to go")
    read, infos = [], []
    for path in runs:
        if path.is_file():
            found, info = pytest_benchmark.read(path, "RUN")
        else:
            directory = open_run(path, "RUN")
            found, info = frames.read(directory.path), directory.info()
        read.append(found)
        infos.append(info)
    try:
        written = render(
            pd.concat([one.results for one in read], ignore_index=True),
            pd.concat([one.samples for one in read], ignore_index=True),
            infos[0] if len(infos) == 1 else infos,
            formats=formats,
            out=out or runs[0],
        )
    except FrameError as error:
        raise UsageError("RUN", f"holds a frame that no run can have written ({error})", "measure it again") from error
    except OSError as error:
        raise UsageError("--out", f"cannot write ({error.strerror})", "name a folder that you may write to") from error
    for path in written:
        console().print(str(path), soft_wrap=True)
    return ExitStatus.DONE
