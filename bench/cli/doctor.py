"""``gnbench doctor``: the machine as a benchmark sees it."""

from __future__ import annotations

from bench.cli import options as opt
from bench.errors import ExitStatus


def doctor(json: opt.AsJson = False) -> int:
    """Show the machine as a benchmark sees it, what makes figures untrustworthy here, and what to do about it."""
    from dataclasses import asdict

    from bench.cli.show import console, document, examination_table
    from bench.doctor import examine

    found = examine()
    if json:
        document(asdict(found))
    else:
        console().print(examination_table(found))
    return ExitStatus.DONE
