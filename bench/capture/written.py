"""A captured preset in its file, and what is refused before a long program runs for nothing."""

from __future__ import annotations

import os
from pathlib import Path

from bench.capture.preset import Preset
from bench.errors import UsageError
from bench.record.durable import replace_file


def check(path: Path, *, force: bool) -> None:
    """Refuse a file that is there already, unless ``force``, or whose folder cannot be written; UsageError."""
    if path.is_dir():
        raise UsageError("--out", f"{path} is a folder", "name a file")
    if path.exists() and not force:
        raise UsageError("--out", f"{path} is there already", "name a new file, or replace it with --force")
    if not path.parent.is_dir():
        raise UsageError("--out", f"there is no folder {path.parent}", "make it, or name a file in one that is there")
    if not os.access(path.parent, os.W_OK):
        raise UsageError("--out", f"{path.parent} may not be written to", "name a file in a folder that may")


def write(path: Path, made: Preset) -> None:
    """Write a preset, whole or not at all; UsageError where it has no problem or cannot be written."""
    if not made.problems:
        raise nothing_seen(made)
    try:
        replace_file(path, lambda file: file.write(made.text.encode()))
    except OSError as error:
        raise UsageError("--out", f"cannot write {path} ({error.strerror})", "name a file you may write") from None


def nothing_seen(made: Preset, ended: str = "") -> UsageError:
    """Give the refusal of a program without calls: what was seen instead, and how the program ended."""
    found = f"no call of GroupNorm was seen that can be measured{f' (it ended with {ended})' if ended else ''}"
    mend = "; ".join(made.remarks) or "see docs/capture.md for what cannot be seen"
    return UsageError("COMMAND", found, mend)
