"""The process that has imported torch and run nothing; workers are forked from it.

    python -P -m bench.measure.zygote CONTROL_FD [--fork]

On the control socket: ``w`` with two descriptors (a connection, a mark) gives a worker and its process number;
``r`` with a process number waits for that worker, kills it if it does not end by itself, and gives how it ended.
Without --fork the first worker is this process itself.

Whatever a worker has started goes with it: its processes become the worker's own children and, when that is dead,
the zygote's (PR_SET_CHILD_SUBREAPER), which ends them.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Container
from multiprocessing.connection import Connection

from bench.measure import tasks
from bench.measure.mark import Mark
from bench.measure.worker import serve

_PID = struct.Struct("q")
_ENDED = struct.Struct("qqq")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_DYING_S = 2.0
_LOOK_S = 0.005


def main(control_fd: int, *, fork: bool) -> None:
    """Serve the control socket until the driver closes it."""
    faulthandler.enable()  # a crash's Python stack goes to the run's log
    # A driver that was killed must leave nobody: no zygote that waits for a worker, no compiler of a worker's.
    signal.signal(signal.SIGTERM, _end_group)
    _die_with_parent(signal.SIGTERM)
    try:
        _answer(control_fd, fork=fork)
    finally:
        _end_group()


def _answer(control_fd: int, *, fork: bool) -> None:
    workers: set[int] = set()
    if fork:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with socket.socket(fileno=control_fd) as control:
        while True:
            message, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not message:
                _end_orphans(())
                return
            if message == b"r":
                _reap(control, workers)
            elif fork:
                workers.add(_fork(control, *fds))
            else:
                control.sendall(_PID.pack(os.getpid()))
                _serve(*fds)
                return


def _end_group(*_: object) -> None:
    """End this process and all that came of it; the driver made it the leader of a group of its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


def _die_with_parent(number: int) -> None:
    """Have the kernel send a signal when the parent ends; Linux alone can."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def _reap(control: socket.socket, workers: set[int]) -> None:
    pid = _PID.unpack(control.recv(_PID.size))[0]
    until = time.monotonic() + _DYING_S
    was_killed = False
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > until and not was_killed:
            was_killed = True  # it closed its connection and went on
            os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_S)
    workers.discard(pid)
    _end_orphans(workers)
    control.sendall(_ENDED.pack(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, was_killed))


def _end_orphans(workers: Container[int]) -> None:
    """End what dead workers have left; what those had started comes here next."""
    while orphans := [pid for pid in tasks.children() or () if pid not in workers]:
        tasks.end(orphans)


def _fork(control: socket.socket, connection_fd: int, mark_fd: int) -> int:
    zygote = os.getpid()
    pid = os.fork()
    if pid == 0:
        control.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # A hung worker must not outlive a driver that was killed: its zygote ends, and this with it.
        _die_with_parent(signal.SIGKILL)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if os.getppid() == zygote:
            _serve(connection_fd, mark_fd)
        os._exit(0)
    os.close(connection_fd)
    os.close(mark_fd)
    control.sendall(_PID.pack(pid))
    return pid


def _serve(connection_fd: int, mark_fd: int) -> None:
    mark = Mark(mark_fd)
    os.close(mark_fd)
    serve(Connection(connection_fd), mark)


if __name__ == "__main__":
    main(int(sys.argv[1]), fork="--fork" in sys.argv[2:])
