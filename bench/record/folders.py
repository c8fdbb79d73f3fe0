"""What the folders of runs, profiles, gates and studies have in common: a name, a lock, a JSON object, one refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.record.durable import DamagedRun, remove_unfinished, replace_file
from bench.record.holding import CannotHold, Held, hold

LOCK = ".lock"


def unused(name: str) -> Path:
    """Give a path of this name below ``runs``; with ``-2``, ``-3`` behind it where there is one already."""
    path, number = Path("runs") / name, 2
    while path.exists():
        path = path.with_name(f"{name}-{number}")
        number += 1
    return path


def make_empty(path: Path) -> None:
    """Make a folder, parents included; UsageError where it holds something, OSError where it cannot be made."""
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise UsageError("--out", f"{path} is not empty", "name a folder that is new or empty")


def cannot_write(argument: str, path: Path, error: OSError) -> UsageError:
    """Give the refusal of a folder that cannot be written, named by ``argument``."""
    why = error.strerror or str(error)
    return UsageError(argument, f"cannot write to {path} ({why})", "name a folder that you may write to")


def read_object(path: Path, mend: str) -> dict[str, Any]:
    """Read a JSON object; DamagedRun, which says ``mend``, where the file holds none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedRun(path, f"cannot be read ({error})", mend) from None
    if not isinstance(found, dict):
        raise DamagedRun(path, "holds no JSON object", mend)
    return found


def write_object(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, whole or not at all; ValueError where a float is not finite."""
    text = json.dumps(content, allow_nan=False, indent=2) + "\n"
    replace_file(path, lambda file: file.write(text.encode()))


@contextmanager
def locked(
    path: Path, argument: str, *, doing: str = "measuring into", unfinished: Sequence[str] = ()
) -> Iterator[None]:
    """Hold a folder while it is written to; the system lets go of it should the process die.

    What a process that died has left of the files ``unfinished`` is removed.

    Raises
    ------
    UsageError
        Another process holds it (it is ``doing`` so), or the folder cannot be written.
    """
    try:
        with hold(path / LOCK, path):
            remove_unfinished(path, unfinished)
            yield
    except Held as held:
        raise UsageError(argument, f"{held.who} is {doing} {path}", "wait for it, or name another folder") from None
    except CannotHold as error:
        raise cannot_write(argument, path, error.why) from None
