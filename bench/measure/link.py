"""The driver's end of the wall: starts workers, asks them, gives up on them, and says who died.

A zygote is a process that has imported torch and run nothing; a worker is a fork of it, so that a fresh process
costs hundredths of a second instead of the two seconds of importing torch. Where forking such a process is not
safe (anything but Linux) each worker is started anew. The mark (see ``mark``) tells whose turn it was at a death.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import bench
from bench.errors import UsageError
from bench.measure import messages
from bench.measure.mark import Mark, shared_memory_fd
from reports.schema import Status

_START_TIMEOUT_S = 120.0
_ENDING_TIMEOUT_S = 2.0
_PID = struct.Struct("q")
CAN_FORK = sys.platform.startswith("linux")


class WorkerLost(Exception):  # noqa: N818 - an event of the machine, not an error of the program
    """A worker died or gave no answer: who was running, what became of it, and how."""

    def __init__(self, name: str | None, status: Status, reason: str) -> None:
        super().__init__(f"{name or 'nobody'}: {reason}")
        self.name = name
        self.status = status
        self.reason = reason


class Worker:
    """One worker, as the driver sees it."""

    def __init__(self, zygote: Zygote, pid: int, connection: Connection, mark: Mark) -> None:
        self._zygote = zygote
        self._pid = pid
        self._connection = connection
        self._mark = mark
        self._is_gone = False

    @property
    def pid(self) -> int:
        """The worker's process number, for tools that watch it from outside."""
        return self._pid

    def ask(self, request: messages.Request, timeout_s: float) -> Any:
        """Send a request and wait for its reply.

        Raises
        ------
        WorkerLost
            The worker died, or did not answer in ``timeout_s``; it is gone then.
        """
        try:
            self._connection.send_bytes(messages.encode(request))
            if not self._connection.poll(timeout_s):
                self.close()
                raise WorkerLost(self._whose_turn(), Status.TIMEOUT, f"no answer in {timeout_s:g} s")
            reply = messages.decode(self._connection.recv_bytes())
        except (EOFError, OSError) as error:  # OSError: it died in the middle of a message
            self._is_gone = True
            how = self._zygote.end(self._pid, kill=False)
            raise WorkerLost(self._whose_turn(), Status.CRASHED, how) from error
        if isinstance(reply, messages.Broken):
            self.close()
            raise WorkerLost(self._whose_turn(), Status(reply.status), reply.reason)
        return reply

    def close(self) -> None:
        """End the worker, if it has not ended by itself."""
        self._connection.close()
        if not self._is_gone:
            self._is_gone = True
            self._zygote.end(self._pid)

    def _whose_turn(self) -> str | None:
        return self._mark.get() or None


class Zygote:
    """The process that workers are forked from.

    Parameters
    ----------
    environment
        Variables added to this process's own (see ``devices.environment``).
    log
        Where a worker's own standard output and error go.
    """

    def __init__(self, environment: Mapping[str, str], log: IO[bytes] | int = subprocess.DEVNULL) -> None:
        if not hasattr(socket, "send_fds"):
            raise UsageError("this system", "workers need descriptors passed over sockets", "use Linux, WSL or macOS")
        self._environment = dict(environment)
        self._log = log
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        # -P and the path of this very package: neither the current folder nor another checkout may answer for us.
        root = str(Path(bench.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "bench.measure.zygote",
                    str(theirs.fileno()),
                    *(["--fork"] if CAN_FORK else []),
                ],
                env=os.environ | self._environment | {"PYTHONPATH": path},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # a terminal's Ctrl-C is the driver's to handle
            )
        self._used = False

    def worker(self) -> Worker:
        """Give a fresh worker.

        Raises
        ------
        WorkerLost
            The zygote could not start, with what it wrote last as the reason.
        """
        if self._used and not CAN_FORK:
            self.close()
            self._start()
        self._used = True
        ours, theirs = socket.socketpair()
        fd = shared_memory_fd()
        try:
            with theirs:
                socket.send_fds(self._control, [b"w"], [theirs.fileno(), fd])
            self._control.settimeout(_START_TIMEOUT_S)
            pid = _PID.unpack(_receive(self._control, _PID.size))[0]
            mark = Mark(fd)
        except (OSError, EOFError) as error:
            ours.close()
            raise WorkerLost(None, Status.CRASHED, self._how_it_ended()) from error
        finally:
            os.close(fd)
        return Worker(self, pid, Connection(ours.detach()), mark)

    def end(self, pid: int, *, kill: bool = True) -> str:
        """End one worker and say how it ended."""
        if not CAN_FORK:
            if kill:
                self._process.kill()
            return _describe(self._process.wait())
        try:
            if kill:
                os.kill(pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
            self._control.sendall(b"r" + _PID.pack(pid))
            return _describe(_PID.unpack(_receive(self._control, _PID.size))[0])
        except (OSError, EOFError):
            return "its zygote is gone too"

    def close(self) -> None:
        """End the zygote; with it goes every worker."""
        self._control.close()
        try:
            self._process.wait(_ENDING_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _how_it_ended(self) -> str:
        try:
            return _describe(self._process.wait(_ENDING_TIMEOUT_S))
        except subprocess.TimeoutExpired:
            return "no answer"

    @property
    def is_alive(self) -> bool:
        """Say whether workers can still be had."""
        return self._process.poll() is None


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _describe(code: int) -> str:
    """Say how a process ended, a signal by its name (negative codes are signals, as in ``subprocess``)."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    meaning = signal.strsignal(-code)
    return f"{name} ({meaning.lower()})" if meaning else name
