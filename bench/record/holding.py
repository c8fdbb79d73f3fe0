"""A lock on a file that says who holds it; the system lets go of it should the holder die."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bench.record.durable import replace_file


class Held(Exception):  # noqa: N818 - says what is the matter
    """Another process holds the lock; ``who`` says which, as far as is known."""

    def __init__(self, who: str) -> None:
        super().__init__(who)
        self.who = who


class CannotHold(Exception):  # noqa: N818 - says what is the matter
    """The lock's file cannot be made or opened."""

    def __init__(self, why: OSError) -> None:
        super().__init__(str(why))
        self.why = why


@contextmanager
def hold(path: Path, run: Path, mode: int = 0o644) -> Iterator[None]:
    """Hold the lock of a file while a run lasts.

    Parameters
    ----------
    path
        The lock's file; who holds it stands beside it, since taking the lock empties the file itself.
    run
        The run directory that it is held for.
    mode
        Permissions of the file where it is made: 0o666 lets other users take the lock too.

    Raises
    ------
    Held
        Another process has it.
    CannotHold
        The file cannot be written.
    """
    lock = FileLock(path, mode=mode)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Held(_who(path)) from None
    except OSError as error:
        raise CannotHold(error) from None
    try:
        note = json.dumps({"pid": os.getpid(), "run": str(run.absolute())}).encode()
        with suppress(OSError):  # a lock without a name is a lock all the same
            replace_file(_note(path), lambda file: file.write(note))
        yield
    finally:
        lock.release()


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.holder")


def _who(path: Path) -> str:
    try:
        note = json.loads(_note(path).read_text())
        return f"process {int(note['pid'])}, which writes {note['run']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
