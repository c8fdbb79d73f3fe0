"""``gnbench capture -- COMMAND``: a preset of what a user's own program asks of GroupNorm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Command = Annotated[
    list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments.", show_default=False)
]
OutFile = Annotated[Path, typer.Option("--out", help="The TOML file to write.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file where it is there already.")]


def capture(command: Command, out: OutFile = Path("captured.toml"), force: Force = False) -> int:
    """Run a program, record every GroupNorm call of its processes, and write them as a file for gnbench run --config.

    The program's results, output and exit status stay what they are; the file is written however it ends, by Ctrl-C
    too. Exit 2 where no call was seen.
    """
    import os
    import shlex
    from datetime import UTC, datetime

    from bench.capture.child import run
    from bench.capture.preset import preset
    from bench.capture.written import check, nothing_seen, write
    from bench.cli.show import to_error

    check(out, force=force)
    ended = run(command, os.environ)
    made = preset(ended.seen, model=shlex.join(command), at=datetime.now(UTC), ended=ended.words)
    if not made.problems:
        raise nothing_seen(made, ended.words)
    write(out, made)
    for remark in made.remarks:
        to_error(remark)
    early = f"; the program ended with {ended.words}" if ended.words else ""
    to_error(f"{out}: {made.summary}{early}")
    return ended.status
