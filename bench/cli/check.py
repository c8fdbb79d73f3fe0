"""``gnbench check``: does an implementation keep what every GroupNorm owes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus

Big = Annotated[
    bool, typer.Option("--big", help="Also what takes gigabytes or seconds of compiling, and all cases of slow rows.")
]


def check(
    impl: opt.Impl = None,
    exclude: opt.Exclude = None,
    plugin: opt.Plugin = None,
    device: opt.Device = None,
    threads: opt.Threads = None,
    seed: opt.Seed = None,
    cell_timeout: opt.CellTimeout = None,
    big: Big = False,
    json: opt.AsJson = False,
) -> int:
    """Hold implementations against the laws of a GroupNorm: exit 1 where a name of --impl breaks a required one."""
    from bench.check.run import Asked
    from bench.check.run import check as checked
    from bench.cli.conformance import conformance
    from bench.cli.show import console, document, interruptible
    from bench.plan.config import Config, Settings
    from bench.plan.sweep import Sweep

    settings = {"impl": impl, "exclude": exclude, "threads": threads, "seed": seed, "cell_timeout_s": cell_timeout}
    configured = opt.with_options(Config(sweep=Sweep(entries=()), settings=Settings()), device, settings)
    configured = opt.with_plugins(configured, plugin)
    asked = Asked(settings=configured.settings, device=configured.sweep.device, big=big)
    with interruptible(), _progress() as told:
        rows = checked(asked, told)
    if json:
        document({"implementations": [row.to_dict() for row in rows]})
    else:
        console().print(conformance(rows))
    named = set(configured.settings.impl)
    return ExitStatus.ANSWER_IS_NO if any(not row.is_right and row.implementation in named for row in rows) else 0


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show on standard error which row's turn it is, where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def told(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=of)
            bar.update(tasks[name], completed=done)

        yield told
