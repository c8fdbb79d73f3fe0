"""How a run is told to stop: Ctrl-C, SIGTERM and SIGHUP are one thing, a ``KeyboardInterrupt`` with a status."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_SIGNALS = tuple(number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None)


GOES_ON = "interrupted; a run that had begun goes on with 'gnbench run --resume RUN'"


class Told(KeyboardInterrupt):
    """A signal asked the run to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupted(KeyboardInterrupt):
    """A run was stopped; what it had measured is on disk, and so is a report of it where there was anything."""

    def __init__(self, cause: KeyboardInterrupt, path: Path, report: Path | None) -> None:
        so_far = f"a report of what was measured is {report}" if report else "nothing was measured yet"
        super().__init__(f"interrupted; {so_far}; go on with 'gnbench run --resume {path}'")
        self.status = status_of(cause)
        self.path = path


def status_of(cause: KeyboardInterrupt) -> int:
    """Give the exit status that a shell expects of a program ended by this signal: 130 for Ctrl-C, 143 for SIGTERM."""
    if isinstance(cause, Interrupted):
        return cause.status
    return 128 + (cause.number if isinstance(cause, Told) else signal.SIGINT)


@contextmanager
def told_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise ``Told``, as Ctrl-C raises ``KeyboardInterrupt``.

    A signal that is ignored stays so (``nohup``). Outside the main thread nothing changes: Python lets no other
    thread hear signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in heard:
        signal.signal(number, _tell)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def _tell(number: int, _frame: FrameType | None) -> None:
    raise Told(number)
