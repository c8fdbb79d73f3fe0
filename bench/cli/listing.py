"""``gnbench list``: the plugin table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cli import options as opt
from bench.errors import ExitStatus

if TYPE_CHECKING:
    from bench.measure.messages import Loaded


def list_(plugin: opt.Plugin = None, device: opt.Device = None, json: opt.AsJson = False) -> int:
    """Show the plugin table: what each row supports, and why one is unavailable here."""
    from dataclasses import asdict

    from bench.cli.show import console, document, rows_table

    loaded = _asked(plugin or [], device or "cpu")
    if json:
        document({"implementations": [asdict(row) for row in loaded.rows]})
    else:
        console().print(rows_table(loaded.rows))
    return ExitStatus.DONE


def _asked(plugins: list[str], device: str) -> Loaded:
    from bench.executors.local import LocalExecutor
    from bench.host import available_cores

    opt.refuse_missing(plugins)
    executor = LocalExecutor(device=device, threads=available_cores(), plugins=plugins)
    try:
        return executor.table()
    finally:
        executor.close()
