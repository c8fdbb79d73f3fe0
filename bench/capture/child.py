"""A user's command in a process of its own, with a recorder in each Python below it that imports torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from bench.capture.seen import Seen, read
from bench.errors import UsageError

_INJECT = Path(__file__).parent / "inject"
_FORWARDED = ("SIGTERM", "SIGHUP")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A program that has ended."""

    status: int
    """As a shell gives it: 128 and the signal's number where one ended it."""
    words: str
    """How it ended, where that was not with status 0; empty otherwise."""
    seen: Seen


def run(command: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Run a command to its end, whatever that is, and give what its processes asked of GroupNorm.

    Its standard input, output and error are ours. Ctrl-C is its own business; SIGTERM and SIGHUP are handed on.

    Raises
    ------
    UsageError
        It cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="gnbench-capture-") as folder:
        try:
            child = subprocess.Popen([*command], env=_with_recorder(environ, folder))
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(
                "COMMAND", f"{command[0]} cannot be started ({why})", "give a program and its arguments"
            ) from None
        with _left_to(child):
            returned = child.wait()
        return Ended(
            status=returned if returned >= 0 else 128 - returned, words=_words(returned), seen=read(Path(folder))
        )


def _with_recorder(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    path = [str(_INJECT), *filter(None, [environ.get("PYTHONPATH")])]
    return {**environ, "PYTHONPATH": os.pathsep.join(path), "GNBENCH_CAPTURE": folder}


def _words(returned: int) -> str:
    if returned >= 0:
        return f"status {returned}" if returned else ""
    try:
        return signal.Signals(-returned).name
    except ValueError:
        return f"signal {-returned}"


@contextmanager
def _left_to(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave it to the child what a signal does; we must live on to write what it did."""

    def hand_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    def leave(number: int, frame: FrameType | None) -> None:
        # A terminal sends Ctrl-C to both of us; who sends it by hand, to us alone.
        if not sys.stdin.isatty():
            hand_on(number, frame)

    handlers: dict[int, Any] = {signal.SIGINT: leave}
    handlers |= {getattr(signal, name): hand_on for name in _FORWARDED if hasattr(signal, name)}
    before = {number: signal.getsignal(number) for number in handlers}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]  # nohup's stay ignored
    for number in heard:
        signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
