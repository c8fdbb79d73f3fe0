"""Which rows of the plugin table take part in a run."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import UsageError, nearest
from bench.measure.messages import Loaded, RowFacts
from bench.plan.config import Settings

ALL = "all"


def refuse_unusable(device: str, table: Loaded) -> None:
    """Refuse a device that the worker which answered with this table cannot use; UsageError."""
    if table.device_problem is not None:
        raise UsageError("--device", f"{device} cannot be used ({table.device_problem})", "use --device cpu")


def select(rows: Sequence[RowFacts], settings: Settings) -> tuple[str, ...]:
    """Choose the names: those asked for (every row when none are), the reference, minus the excluded.

    Raises
    ------
    UsageError
        A name is unknown, or none of those asked for can run here.
    """
    known = {row.name: row for row in rows}
    for argument, names in (
        ("--impl", [name for name in settings.impl if name != ALL]),
        ("--exclude", settings.exclude),
        ("--reference", [settings.reference]),
    ):
        for name in names:
            if name not in known:
                raise UsageError(argument, f"no implementation is called {name!r}", nearest(name, known))
    asked = list(known) if not settings.impl or ALL in settings.impl else list(dict.fromkeys(settings.impl))
    chosen = [name for name in asked if name not in settings.exclude]
    if not chosen:
        raise UsageError("--exclude", "leaves no implementation", "exclude fewer")
    if settings.impl and all(known[name].unavailable for name in chosen):
        reasons = "; ".join(f"{name}: {known[name].unavailable}" for name in chosen)
        raise UsageError("--impl", f"nothing that was asked for can run here ({reasons})", "see 'gnbench list'")
    return tuple(dict.fromkeys([settings.reference, *chosen]))
