"""Worker processes, seen from the driver: started, given one thing at a time, heard, replaced when they die."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.devices.environment import worker_environment

Message = dict[str, Any]
READY = "ready"
"""A worker says it once, when it can be given something."""
_CHUNK = 1 << 16
_STOPPING_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What a worker must know before its first task."""

    device: str
    threads: int
    data: Path | None
    folds: int
    seed: int
    implementations: Sequence[str]
    plugins: Sequence[str]

    def to_message(self) -> Message:
        """Give it as the first message."""
        return {
            "device": self.device,
            "threads": self.threads,
            "data": None if self.data is None else str(self.data),
            "folds": self.folds,
            "seed": self.seed,
            "implementations": list(self.implementations),
            "plugins": [str(Path(plugin).expanduser().resolve()) for plugin in self.plugins],
        }


class WorkerDied(Exception):  # noqa: N818 - an event
    """A worker's process ended; the message says of what."""


class Worker:
    """One worker process."""

    def __init__(self, prepared: Prepared, log: Path) -> None:
        self._log = log
        ours, theirs = socket.socketpair()
        with theirs, log.open("ab") as written:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.study.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                env=os.environ | worker_environment(prepared.device, prepared.threads),
                start_new_session=True,  # Ctrl-C is the driver's to hear
            )
        self._socket, self._read = ours, b""
        self.is_ready = False
        """It has started and loaded what it needs."""
        self.give(prepared.to_message())

    def give(self, message: Mapping[str, Any]) -> None:
        """Send a message; a death is noticed when the answer is awaited."""
        try:
            self._socket.sendall((json.dumps(message) + "\n").encode())
        except OSError:
            return

    def ask(self, message: Mapping[str, Any]) -> Message:
        """Send a message and wait for the answer.

        Raises
        ------
        WorkerDied
            There will be none.
        """
        self.give(message)
        while True:
            for heard in self.hear():
                if heard["heard"] != READY:
                    return heard

    def hear(self) -> list[Message]:
        """Take what was said, waiting for some of it; WorkerDied where there will be none."""
        if b"\n" not in self._read:
            try:
                chunk = self._socket.recv(_CHUNK)
            except ConnectionError:
                chunk = b""
            if not chunk:
                raise WorkerDied(self._death())
            self._read += chunk
        *lines, self._read = self._read.split(b"\n")
        said = [json.loads(line) for line in lines]
        self.is_ready = self.is_ready or any(one["heard"] == READY for one in said)
        return said

    def fileno(self) -> int:
        """Let a selector wait for it."""
        return self._socket.fileno()

    def stop(self) -> None:
        """End the process: it holds nothing that is not on disk."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _death(self) -> str:
        status = self._process.wait(_STOPPING_S)
        how = f"exited with status {status}" if status >= 0 else f"died of {signal.Signals(-status).name}"
        last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
        return f"its process {how}" + (f": {last[0].strip()}" if status >= 0 and last else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def wait(workers: Sequence[Worker], timeout_s: float | None) -> list[Worker]:
    """Wait until some of the workers have said something or died, and give those."""
    with selectors.DefaultSelector() as waiting:
        for worker in workers:
            waiting.register(worker, selectors.EVENT_READ, worker)
        return [key.data for key, _ in waiting.select(timeout_s)]
