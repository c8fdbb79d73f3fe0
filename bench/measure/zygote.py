"""The process that has imported torch and run nothing; workers are forked from it.

    python -P -m bench.measure.zygote CONTROL_FD [--fork]

On the control socket: ``w`` with two descriptors (a connection, a mark) gives a worker and its process number;
``r`` with a process number waits for that worker and gives how it ended. Without --fork the first worker is this
process itself.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import struct
import sys
from multiprocessing.connection import Connection

from bench.measure.mark import Mark
from bench.measure.worker import serve

_PID = struct.Struct("q")
_PR_SET_PDEATHSIG = 1


def main(control_fd: int, *, fork: bool) -> None:
    """Serve the control socket until the driver closes it."""
    faulthandler.enable()  # a crash's Python stack goes to the run's log
    with socket.socket(fileno=control_fd) as control:
        while True:
            message, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not message:
                return
            if message == b"r":
                _reap(control)
            elif fork:
                _fork(control, *fds)
            else:
                control.sendall(_PID.pack(os.getpid()))
                _serve(*fds)
                return


def _reap(control: socket.socket) -> None:
    pid = _PID.unpack(control.recv(_PID.size))[0]
    _, status = os.waitpid(pid, 0)
    control.sendall(_PID.pack(os.waitstatus_to_exitcode(status)))


def _fork(control: socket.socket, connection_fd: int, mark_fd: int) -> None:
    zygote = os.getpid()
    pid = os.fork()
    if pid == 0:
        control.close()
        # A hung worker must not outlive a driver that was killed: its zygote ends, and this with it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == zygote:
            _serve(connection_fd, mark_fd)
        os._exit(0)
    os.close(connection_fd)
    os.close(mark_fd)
    control.sendall(_PID.pack(pid))


def _serve(connection_fd: int, mark_fd: int) -> None:
    mark = Mark(mark_fd)
    os.close(mark_fd)
    serve(Connection(connection_fd), mark)


if __name__ == "__main__":
    main(int(sys.argv[1]), fork="--fork" in sys.argv[2:])
