"""Workers that hold both sides of a gate in one process, or each side in its own where they clash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import host
from bench.events import Listener
from bench.executors.local import LocalExecutor
from bench.gate import folder
from bench.gate.asked import Asked
from bench.gate.folder import GateFolder
from bench.gate.sources import Sides
from bench.measure.messages import Loaded


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """What a gate's workers are made of."""

    asked: Asked
    folder: GateFolder
    """Has their log."""
    sides: Sides
    listener: Listener
    warn: Callable[[str], object]

    @contextmanager
    def executor(self, *, apart: bool, launched: int = 0) -> Iterator[LocalExecutor]:
        """Give workers that hold both sides, or each one of them.

        ``launched`` passes before these draw other orders and placements than theirs.
        """
        settings = self.asked.settings
        with (self.folder.path / folder.LOG).open("ab") as log:
            executor = LocalExecutor(
                device=self.asked.sweep.device,
                threads=settings.threads or host.available_cores(),
                seed=settings.seed + launched,
                listener=self.listener,
                log=log,
                sides=(self.sides.base, self.sides.head),
                apart=apart,
            )
            try:
                yield executor
            finally:
                executor.close()

    @contextmanager
    def loaded(self) -> Iterator[tuple[LocalExecutor, Loaded, bool]]:
        """Give workers with both sides, their table, and whether each side has a process of its own.

        Both are in one, unless a row that each side has alone is lost there.
        """
        asked_apart = self.asked.apart
        with self.executor(apart=asked_apart) as executor:
            table = executor.table()
            lost = frozenset() if asked_apart else _one_sided(table)
            if not lost:
                yield executor, table, asked_apart
                return
        with self.executor(apart=True) as executor:
            table = executor.table()
            if kept := lost - _one_sided(table):
                names = ", ".join(sorted(kept))
                self.warn(
                    f"base and head are in two processes, for {names} cannot live twice in one: figures are less sharp"
                )
                yield executor, table, True
                return
        with self.executor(apart=False) as executor:
            yield executor, executor.table(), False


def _one_sided(table: Loaded) -> frozenset[str]:
    """Give the rows that one side can run and the other cannot."""
    able = {row.name: not row.unavailable for row in table.rows}
    names = {name.partition("@")[0] for name in able if "@" in name}
    return frozenset(name for name in names if able.get(f"{name}@base", False) != able.get(f"{name}@head", False))
