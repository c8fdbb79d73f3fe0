"""Two workers that answer as one, each with one side's kernels, for sides that cannot live in one process.

One of them is awake at a time: a waiting worker's OpenMP threads spin, which moved a figure by 22 %; stopped by the
system it costs nothing. Who is woken finds cold caches, so a batch is preceded by a short one that counts for nothing.
What two processes draw at their start is in the ratio: it moves by 1 to 7 % from launch to launch, not by 0.2 to 0.6.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bench.measure import messages
from bench.measure.link import Worker

_WARMING_CALLS = 3


class Couple:
    """Two workers behind one door.

    Parameters
    ----------
    first, second
        Fresh workers.
    labels
        Of the side that each is to hold.
    """

    def __init__(self, first: Worker, second: Worker, labels: tuple[str, str]) -> None:
        self._workers = dict(zip(labels, (first, second), strict=True))
        self._first, self._second = labels
        self._awake: str | None = None

    @property
    def pid(self) -> int:
        """The first worker's process number."""
        return self._workers[self._first].pid

    def ask(self, request: messages.Request, timeout_s: float) -> Any:
        """Put a request to the worker that it concerns, or to both; answer as one worker would.

        Raises
        ------
        WorkerLost
            One of them is gone.
        """
        match request:
            case messages.Load():
                return self._load(request, timeout_s)
            case messages.Open():
                return self._open(request, timeout_s)
            case messages.Time():
                return self._time(request, timeout_s)
            case messages.Cool() | messages.Close():
                return self._both(request, timeout_s)
            case _:
                return self._named(request, timeout_s)

    def close(self) -> None:
        """End both."""
        for worker in self._workers.values():
            worker.close()

    def _of(self, name: str) -> str:
        """Say who has a name: its side; of the harness's own the twin is the second's, and the rest the first's."""
        label = name.partition("@")[2]
        if label in self._workers:
            return label
        return self._second if name == messages.TWIN else self._first

    def _ask(self, label: str, request: messages.Request, timeout_s: float) -> Any:
        self._wake(label)
        return self._workers[label].ask(request, timeout_s)

    def _both(self, request: messages.Request, timeout_s: float) -> Any:
        """Ask both, and give the first one's answer; of what a visit changed, both."""
        first, second = [self._ask(label, request, timeout_s) for label in self._workers]
        if isinstance(first, messages.Closed):
            return messages.Closed(inconsistent=first.inconsistent | second.inconsistent)
        return first

    def _named(self, request: Any, timeout_s: float) -> Any:
        """Ask whom a name belongs to; the reference is checked by both, since each has a copy of it to time."""
        if isinstance(request, messages.Check) and "@" not in request.name:
            return self._both(request, timeout_s)
        return self._ask(self._of(request.name), request, timeout_s)

    def _wake(self, label: str) -> None:
        if self._awake == label:
            return
        for other, worker in self._workers.items():
            with suppress(ProcessLookupError):  # a dead one is told of by who asks it
                os.kill(worker.pid, signal.SIGCONT if other == label else signal.SIGSTOP)
        self._awake = label

    def _load(self, request: messages.Load, timeout_s: float) -> messages.Loaded:
        loaded: dict[str, messages.Loaded] = {
            label: self._ask(
                label, replace(request, sides=[side for side in request.sides if side.label == label]), timeout_s
            )
            for label in self._workers
        }
        first, second = loaded[self._first], loaded[self._second]
        rows = {row.name: row for row in [*second.rows, *first.rows]}
        return replace(first, rows=list(rows.values()))

    def _open(self, request: messages.Open, timeout_s: float) -> messages.Opened:
        opened = [
            self._ask(label, replace(request, names=self._names(label, request.names)), timeout_s)
            for label in self._workers
        ]
        return messages.Opened(
            refused=opened[0].refused | opened[1].refused, untimed=opened[0].untimed | opened[1].untimed
        )

    def _names(self, label: str, names: Sequence[str]) -> list[str]:
        """Give what one opens: its side's rows, and the harness's own, which both have."""
        return [name for name in names if self._of(name) == label or "@" not in name]

    def _time(self, request: messages.Time, timeout_s: float) -> messages.Timed:
        """Time each batch where it belongs; one that was struck or went wrong ends the round, as in one worker."""
        batches: list[messages.TimedBatch] = []
        spins_s: list[float] = []
        stolen_s = 0.0
        for name, calls in request.batches:
            label = self._of(name)
            if self._awake != label:
                warming = replace(request, batches=[(name, min(calls, _WARMING_CALLS))], verify=False)
                self._ask(label, warming, timeout_s)
            timed = self._ask(label, replace(request, batches=[(name, calls)]), timeout_s)
            batches += timed.batches
            spins_s += [timed.spin_s] if timed.spin_s is not None else []
            stolen_s += timed.stolen_s or 0.0
            if any(batch.struck or batch.status is not None for batch in timed.batches):
                break
        return messages.Timed(batches=batches, spin_s=max(spins_s, default=None), stolen_s=stolen_s)
