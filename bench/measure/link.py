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
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Protocol

import bench
from bench.errors import UsageError
from bench.measure import messages, watch
from bench.measure.mark import Mark, shared_memory_fd
from reports.schema import Status

_START_TIMEOUT_S = 120.0
_ENDING_TIMEOUT_S = 2.0
_PID = struct.Struct("q")
_ENDED = struct.Struct("qqq")
CAN_FORK = sys.platform.startswith("linux")


class WorkerLost(Exception):  # noqa: N818 - an event of the machine, not an error of the program
    """A worker died or gave no answer: who was running, what became of it, and how."""

    def __init__(self, name: str | None, status: Status, reason: str) -> None:
        super().__init__(f"{name or 'nobody'}: {reason}")
        self.name = name
        self.status = status
        self.reason = reason


class Answering(Protocol):
    """Whoever answers requests: a worker, or two as one."""

    @property
    def pid(self) -> int:
        """A process number, for tools that watch from outside."""

    def ask(self, request: messages.Request, timeout_s: float) -> Any:
        """Send a request and wait for its reply; WorkerLost where there is none."""

    def close(self) -> None:
        """End whatever answers."""


class Worker:
    """One worker, as the driver sees it."""

    def __init__(self, zygote: Zygote, pid: int, connection: Connection, mark: Mark) -> None:
        self._zygote = zygote
        self._pid = pid
        self._connection = connection
        self._mark = mark
        self._is_gone = False
        self._kills_before = watch.oom_kills()
        self._limit: watch.Limit | None = None

    @property
    def pid(self) -> int:
        """The worker's process number, for tools that watch it from outside."""
        return self._pid

    def ask(self, request: messages.Request, timeout_s: float) -> Any:
        """Send a request and wait for its reply.

        Raises
        ------
        WorkerLost
            The worker died, took more memory than it may, or did not answer in ``timeout_s``; it is gone then.
        """
        try:
            if isinstance(request, (messages.Open, messages.Consult)):
                self._limit_memory(request.memory_bytes)
            self._connection.send_bytes(messages.encode(request))
            self._wait(timeout_s)
            reply = messages.decode(self._connection.recv_bytes())
        except (EOFError, OSError) as error:  # OSError: it died in the middle of a message
            self._is_gone = True
            raise self._died(self._zygote.end(self._pid, kill=False)) from error
        finally:
            self._zygote.cut_log()
        if isinstance(reply, messages.Broken):
            self.close()
            raise WorkerLost(self._whose_turn(), Status(reply.status), reply.reason)
        return reply

    def _wait(self, timeout_s: float) -> None:
        """Wait for an answer, looking after the worker where it is late."""
        until = time.monotonic() + timeout_s
        while not self._connection.poll(max(0.0, min(watch.WATCH_S, until - time.monotonic()))):
            self._zygote.cut_log()
            if watch.is_dead(self._pid):
                raise EOFError
            if self._limit is not None and (taken := watch.family_bytes(self._pid)) > self._limit.most_bytes:
                self.close()
                raise WorkerLost(self._whose_turn(), Status.OUT_OF_MEMORY, watch.over(taken, self._limit))
            if time.monotonic() >= until:
                self.close()
                raise WorkerLost(self._whose_turn(), Status.TIMEOUT, f"no answer in {timeout_s:g} s")

    def _limit_memory(self, spare_bytes: int | None) -> None:
        self._limit = None
        if spare_bytes is not None:
            before = watch.resident_bytes(self._pid)
            self._limit = watch.Limit(before_bytes=before, spare_bytes=spare_bytes)

    def _died(self, ended: watch.Ended | None) -> WorkerLost:
        name, note = self._whose_turn(), self._mark.note()
        if ended is None:
            return WorkerLost(name, Status.CRASHED, "its zygote is gone too")
        how = _describe(ended.code)
        if ended.was_killed or note:
            return WorkerLost(name, Status.CRASHED, note or "closed the worker's connection to the driver and went on")
        status, reason = watch.judged(ended, how, limit=self._limit, kills_before=self._kills_before)
        return WorkerLost(name, status, reason)

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

    def end(self, pid: int, *, kill: bool = True) -> watch.Ended | None:
        """End one worker and all that it has started, and say how it ended; None when the zygote is gone too."""
        if not CAN_FORK:
            if kill:
                self._process.kill()
            return watch.Ended(code=self._process.wait(), most_bytes=0, was_killed=False)
        try:
            if kill:
                os.kill(pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
            self._control.sendall(b"r" + _PID.pack(pid))
            code, most_bytes, was_killed = _ENDED.unpack(_receive(self._control, _ENDED.size))
        except (OSError, EOFError):
            return None
        return watch.Ended(code=code, most_bytes=most_bytes, was_killed=bool(was_killed))

    def cut_log(self) -> None:
        """Keep the workers' output from filling the disk."""
        watch.cut(self._log)

    def close(self) -> None:
        """End the zygote; with it goes every worker."""
        self._control.close()
        try:
            self._process.wait(_ENDING_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a group: compilers that a worker started go too
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
