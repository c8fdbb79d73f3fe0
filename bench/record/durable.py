"""Files that are whole or not there, and the error for those that are neither."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bench.errors import UsageError


class DamagedRun(UsageError):  # noqa: N818 - says what is the matter, as its parent's name does not
    """A file of a run directory cannot be read back; the message names the file and, where it has lines, the line."""

    def __init__(self, path: Path, found: str, mend: str, *, line: int | None = None) -> None:
        super().__init__(f"{path}" if line is None else f"{path}, line {line}", found, mend)


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``path`` and put it in its place at once: a reader sees the old bytes or the new ones.

    Raises
    ------
    OSError
        The folder cannot be written; ``path`` is as it was.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's 0600 would hide a shared run from its readers
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


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
