"""``gnbench selftest``: is this instrument true, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus

Quick = Annotated[bool, typer.Option("--quick", help="Half a minute, on one thread; coverage is not judged.")]
Budget = Annotated[
    str | None, typer.Option("--budget", help="Seconds that the whole may take, about (170; 30 if quick).")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="A new folder that keeps the runs and selftest.json (by default nothing).")
]


def selftest(
    quick: Quick = False,
    budget: Budget = None,
    threads: opt.Threads = None,
    seed: opt.Seed = None,
    out: Out = None,
    json: opt.AsJson = False,
) -> int:
    """Measure kernels whose answers are known, liars among them: are the figures true here (exit 0) or not (1)."""
    from bench.cli.show import console, document, listening, selftest_table
    from bench.plan import axes
    from bench.selftest.run import selftest as measured

    with listening() as listener:
        found = measured(
            quick=quick,
            seconds=None if budget is None else axes.number(budget, "--budget"),
            out=out,
            threads=_threads(threads),
            seed=0 if seed is None else axes.whole(seed, "--seed"),
            listener=listener,
        )
    if json:
        document(found.to_dict())
    else:
        console().print(selftest_table(found))
    return ExitStatus.DONE if found.is_true else ExitStatus.ANSWER_IS_NO


def _threads(text: str | None) -> int | None:
    from bench.host import available_cores
    from bench.plan import axes

    if text is None:
        return None
    return available_cores() if text == "all" else axes.whole(text, "--threads")
