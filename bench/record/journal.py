"""The journal of a run: one record a line, on disk when ``append`` returns.

A record is a JSON object. A process that is killed while it appends leaves a last line without its end: that
record was never promised, and reading or reopening the journal cuts it off and says so. Any other line that
is no record means that the file was changed by someone else, and is an error.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from bench.record.durable import DamagedRun, sync_folder

Tell = Callable[[str], object]
_CHUNK = 1 << 16
_log = logging.getLogger(__name__).warning


class Journal:
    """A journal open for appending; a context manager that closes it.

    Parameters
    ----------
    path
        Made where it does not exist; a torn last line is cut off first.
    tell
        Is told in one line what was cut off.

    Examples
    --------
    >>> with Journal(folder / "journal.jsonl") as journal:  # doctest: +SKIP
    ...     journal.append({"kind": "result", "latency_s": 1.5e-5})
    """

    def __init__(self, path: Path, tell: Tell = _log) -> None:
        if path.exists():
            mend(path, tell)
        self._file = path.open("ab", buffering=0)
        sync_folder(path.parent)

    def append(self, record: dict[str, Any]) -> None:
        """Add one record and return when it is on disk.

        Raises
        ------
        ValueError
            A float is not finite: what was not measured is None, never NaN or infinity.
        OSError
            The disk is full or gone; what the record left behind is cut off again.
        """
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        end = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):  # a disk that fills takes a part, and says why only when asked for the rest
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise

    def close(self) -> None:
        """Close the file; every record is on disk already."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read(path: Path, tell: Tell = _log) -> list[dict[str, Any]]:
    """Give a journal's records in their order; a torn last line is cut off the file, and ``tell`` is told.

    Raises
    ------
    DamagedRun
        A line other than a torn last one is no record.
    """
    mend(path, tell)
    return list(records(path))


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Give a mended journal's records one by one: a long run's do not fit in memory together.

    Raises
    ------
    DamagedRun
        A line is no record.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield _record(line.removesuffix(b"\n"), path, number)


def mend(path: Path, tell: Tell = _log) -> None:
    """Cut a torn last line off the file, and say so to ``tell``."""
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _CHUNK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end == size:
            return
        file.truncate(end)
        os.fsync(file.fileno())
    tell(f"{path}: cut off an unfinished last line of {size - end} bytes; its visit is measured again")


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=_refuse)
    except ValueError as error:
        raise DamagedRun(path, f"no record ({error})", _MEND, line=number) from None
    if not isinstance(record, dict):
        raise DamagedRun(path, f"no record ({type(record).__name__} instead of an object)", _MEND, line=number)
    return record


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no measurement")


_MEND = "the file was changed after it was written; restore it, or start a new run"
