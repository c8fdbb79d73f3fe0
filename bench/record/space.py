"""Will the disk hold what a run writes? Asked before hours are spent, not after."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.record.durable import replace_file

_COMPANIONS = 3
_ROUNDS = 20
_ROUND_BYTES = 56
"""A batch in the journal: its seconds and a call's with 17 digits each, its position, its page faults, commas."""
_NAME_BYTES = 700
"""What a visit says of one name beside its batches."""
_FRAMES_SHARE = 0.5
"""The frames' bytes over the journal's: measured 0.3 to 0.4, for Parquet packs what JSON spells out."""
_REPORT_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """Bytes that a run will write."""

    least: int
    """If every block is visited once; below that nothing can come of it."""
    most: int
    """If every block gets its most passes."""


def writing(*, blocks: int, names: int, passes: int) -> Writing:
    """Estimate what a run writes: the journal, the frames, the report."""
    visit = (names + _COMPANIONS) * (_NAME_BYTES + _ROUNDS * _ROUND_BYTES)
    one_pass = int(blocks * visit * (1 + _FRAMES_SHARE))
    return Writing(least=one_pass + _REPORT_BYTES, most=one_pass * passes + _REPORT_BYTES)


def refuse_too_little(
    folder: Path, needed: Writing, argument: str, warn: Callable[[str], object], free_bytes: int | None = None
) -> None:
    """Prove that the folder can be written, and hold its free space against what will be written.

    Parameters
    ----------
    folder, argument
        The run directory, and the option that named it.
    warn
        Is told where the space may not do.
    free_bytes
        Asked of the system when None.

    Raises
    ------
    UsageError
        It cannot be written, or not even one pass fits.
    """
    probe = folder / ".probe"
    try:
        replace_file(probe, lambda file: file.write(bytes(1 << 16)))
        probe.unlink()
    except OSError as error:
        found = f"cannot write to {folder} ({error.strerror or error})"
        raise UsageError(argument, found, "free space there, or name another folder") from None
    free = shutil.disk_usage(folder).free if free_bytes is None else free_bytes
    if free < needed.least:
        found = f"{folder} has {_megabytes(free)} free, where the first pass alone writes {_megabytes(needed.least)}"
        raise UsageError(argument, found, "free space there, or name another folder")
    if free < needed.most:
        warn(
            f"{folder} has {_megabytes(free)} free, and the run may write {_megabytes(needed.most)}: should the disk "
            "fill, nothing is lost and the run can go on"
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
