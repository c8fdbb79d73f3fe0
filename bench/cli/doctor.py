"""``gnbench doctor``: the machine as a benchmark sees it."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus

Measure = Annotated[
    bool, typer.Option("--measure", help="Measure kernels of known answer too, for half a minute (selftest --quick).")
]


def doctor(measure: Measure = False, json: opt.AsJson = False) -> int:
    """Show the machine as a benchmark sees it, what makes figures untrustworthy here, and what to do about it."""
    from dataclasses import asdict

    from bench.cli.show import console, document, examination_table, listening, selftest_table
    from bench.doctor import examine

    found, measured = examine(), None
    if not json:
        console().print(examination_table(found))
    if measure:
        from bench.selftest.run import selftest

        with listening() as listener:
            measured = selftest(quick=True, listener=listener)
    if json:
        document(asdict(found) | {"selftest": measured and measured.to_dict()})
    elif measured:
        console().print(selftest_table(measured))
    return ExitStatus.ANSWER_IS_NO if measured and not measured.is_true else ExitStatus.DONE
