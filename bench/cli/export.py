"""``gnbench export RUN --to FORMAT``: a run in other tools' formats."""

from __future__ import annotations

import json as text
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import ExitStatus, UsageError, nearest

FORMATS = ("pytest-benchmark", "github-action-benchmark")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.", show_default=False)]
To = Annotated[str, typer.Option("--to", help=f"{', '.join(FORMATS)}.", show_default=False)]
OutFile = Annotated[Path | None, typer.Option("--out", help="A file; standard output without it.", show_default=False)]


def export(run: Run, to: To, out: OutFile = None) -> int:
    """Write a run in another tool's format."""
    from bench.cli.show import console
    from bench.record import action_benchmark, frames, pytest_benchmark
    from bench.record.rundir import open_run

    if to not in FORMATS:
        raise UsageError("--to", f"{to!r} is unknown", nearest(to, FORMATS))
    directory = open_run(run, "RUN")
    read = frames.read(directory.path)
    content: Any = (
        pytest_benchmark.document(read, directory.info())
        if to == "pytest-benchmark"
        else action_benchmark.entries(read.results)
    )
    written = text.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if out is None:
        console().out(written, end="", highlight=False)
        return ExitStatus.DONE
    try:
        out.write_text(written, encoding="utf-8")
    except OSError as error:
        raise UsageError("--out", f"cannot write {out} ({error.strerror})", "name a file you may write") from None
    return ExitStatus.DONE
