"""``gnbench merge``: the parts of a sweep to one run directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import ExitStatus

Parts = Annotated[list[Path], typer.Argument(help="Run directories made with --shard.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="The run directory to make.", show_default=False)]


def merge(parts: Parts, out: Out) -> int:
    """Join the parts of a sweep that were measured apart; say what measures those that are missing."""
    from bench.cli.show import console, to_error
    from bench.merge import merge as join
    from bench.merge import missing, read_parts
    from bench.record.frames import read
    from reports.forms.terminal import summary

    found = read_parts(parts)
    if (lacking := missing(found)) is not None:
        to_error(f"{len(lacking.places)} of {lacking.of} parts are missing; these commands measure them:")
        for command in lacking.commands:
            console().print(command, soft_wrap=True, markup=False)
        return ExitStatus.ANSWER_IS_NO
    joined = join(found, out, command=["gnbench", *sys.argv[1:]])
    console().print(summary(read(joined.path).results, joined.info()))
    console().print(f"report: {joined.report_path}", soft_wrap=True)
    return ExitStatus.DONE
