"""Files that are whole or not there, and the error for those that are neither."""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bench.errors import UsageError


class DamagedRun(UsageError):  # noqa: N818 - says what is the matter, as its parent's name does not
    """A file of a run directory cannot be read back; the message names the file and, where it has lines, the line."""

    def __init__(self, path: Path, found: str, mend: str, *, line: int | None = None) -> None:
        super().__init__(f"{path}" if line is None else f"{path}, line {line}", found, mend)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_GONE = frozenset({errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ESTALE})


@contextmanager
def told_when_unwritable(folder: Path, then: str | None = None) -> Iterator[None]:
    """Turn a full or vanished disk under a run into one line that says what to do: its journal has lost nothing.

    Raises
    ------
    UsageError
        A write below ``folder`` failed for want of room, or because the folder can no longer be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL | _GONE:
            raise
        what = "there is no room left" if error.errno in _FULL else "it can no longer be written"
        remedy = "free some space" if error.errno in _FULL else "make it writable"
        then = then or f"then go on with 'gnbench run --resume {folder}': no finished visit is lost"
        mend = f"{remedy}, {then}"
        raise UsageError(f"{folder}", f"{what} ({error.strerror})", mend) from error


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``path`` and put it in its place at once: a reader sees the old bytes or the new ones.

    Raises
    ------
    OSError
        The folder cannot be written; ``path`` is as it was.
    """
    with replacing(path) as file:
        write(file)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file beside ``path`` to write; it takes the place of ``path`` when the block ends well."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's 0600 would hide a shared run from its readers
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what a process that was killed while it replaced one of these files left beside it."""
    for name in names:
        for left in folder.glob(f".{glob.escape(name)}.*"):
            left.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can (Windows opens no folder)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Read the process's file mode mask; the system can only tell it by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
