"""What a row did besides answering: to what everybody shares, to the harness, by threads and processes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.measure import patches, state
from bench.measure.tasks import Tasks
from reports.schema import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class Offence:
    """Whose it is, what it is in one phrase, and whether all is as it was again."""

    name: str
    reason: str
    is_mended: bool
    outweighs: bool = False
    """An error that was raised beside it is its consequence."""


class Spoilt(Exception):  # noqa: N818 - the process is no longer fit for anybody; nothing failed
    """The worker must be replaced: by whose doing, and what it was."""

    def __init__(self, name: str, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.name = name
        self.status = status
        self.reason = reason


class Conduct:
    """Looks after every act of a row: about 60 microseconds, never inside a timed batch.

    Parameters
    ----------
    descriptor
        The connection to the driver, which a row may close.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._pid = os.getpid()
        self._descriptor = descriptor
        self.keep_functions()
        self._state = state.take()
        self._tasks = Tasks()

    def settle(self) -> None:
        """Take the threads and processes as they are now for nobody's, and the state for what everybody shares."""
        self.keep_state()
        self._tasks = Tasks()

    def keep_functions(self) -> None:
        """Take the functions as they are now for the harness's own; before any plugin is imported."""
        self._functions = patches.take()

    def keep_state(self) -> None:
        """Take the state as it is now: the harness itself has changed it."""
        self._state = state.take()

    def look(self, name: str) -> Offence | None:
        """Give what ``name`` did, or a thread of another did meanwhile, after mending what can be mended."""
        self._end_if_forked()
        replaced = self._replaced()
        changed = replaced or self._changed()
        left = self._tasks.look(name)
        if changed is not None:
            is_mended = state.restore(self._state) and (left is None or left.is_gone)
            return Offence(name=name, reason=changed, is_mended=is_mended, outweighs=replaced is not None)
        return None if left is None else Offence(name=left.name, reason=left.what, is_mended=left.is_gone)

    def imported(self) -> str | None:
        """Put back what an import changed; say what of the harness it replaced, or what it left at work."""
        replaced = self._replaced()
        state.restore(self._state)
        left = self._tasks.look("")
        return replaced or (None if left is None else left.what)

    def _changed(self) -> str | None:
        now = state.take()
        changed = state.changes(self._state, now)
        if changed is None and now != self._state:
            state.restore(self._state)  # by a compiler: no fault, and not to stay
        return changed

    def _replaced(self) -> str | None:
        names = self._functions.replaced()
        if not names:
            return None
        self._functions.restore()
        return patches.told(names)

    def _end_if_forked(self) -> None:
        """End a copy of the worker that a row forked and that came back from its call: one may speak to the driver."""
        if os.getpid() != self._pid:
            os._exit(0)

    def is_cut_off(self) -> bool:
        """Say whether the connection to the driver was closed."""
        if self._descriptor is None:
            return False
        try:
            os.fstat(self._descriptor)
        except OSError:
            return True
        return False
