"""The CPU's counters around a burst of calls: ``perf stat``, attached to a worker from outside.

perf starts with its events off (``-D -1``) and is told over two pipes when to count (``--control``), so that neither
its own start nor anything but the burst is in the figures. What it cannot count is a reason, never an error: virtual
machines have no hardware events, and ``perf_event_paranoid`` may forbid them.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

EVENTS = (
    "cycles",
    "instructions",
    "cache-misses",
    "LLC-loads",
    "LLC-load-misses",
    "page-faults",
    "task-clock",
)
LINE_BYTES = 64
"""A cache line of every x86 and most ARM processors: what one miss moves."""

_START_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 10.0
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_FORBIDDEN = ("perf_event_paranoid", "permission", "not permitted", "access to performance")

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What a burst of calls counted, over all its calls."""

    counts: dict[str, float] = field(default_factory=dict)
    """Event to count; task-clock in ms, as perf gives it. What was not counted is not there."""
    reason: str | None = None
    """Why something is missing."""


class Perf:
    """``perf stat`` on one process, off until ``enable``.

    Raises
    ------
    PerfError
        perf is not there, or may not count.
    """

    def __init__(self, pid: int, output: Path) -> None:
        executable = shutil.which("perf")
        if executable is None:
            raise PerfError("perf is not on PATH; install it (package linux-tools or perf)")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._output = output
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with perf itself
        try:
            self._process = subprocess.Popen(
                [
                    *(executable, "stat", "-x,", "-o", str(output), "-e", ",".join(EVENTS)),
                    *("-D", "-1", "-p", str(pid), "--control", f"fd:{commands},{answers}"),
                ],
                pass_fds=(commands, answers),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._messages,
                env=os.environ | {"LC_ALL": "C"},
            )
        except OSError as error:
            self._close_pipes()
            raise PerfError(f"perf cannot be started ({error.strerror})") from error
        finally:
            os.close(commands)
            os.close(answers)

    def tell(self, command: str) -> None:
        """Give perf a command (``enable``, ``disable``) and wait until it has obeyed."""
        try:
            os.write(self._commands, f"{command}\n".encode())
        except BrokenPipeError:
            raise PerfError(self._why()) from None
        ready, _, _ = select.select([self._answers], [], [], _START_TIMEOUT_S)
        if not ready:
            raise PerfError(f"perf did not answer in {_START_TIMEOUT_S:g} s")
        if not os.read(self._answers, 64):  # closed: perf has ended
            raise PerfError(self._why())

    def counts(self) -> Counted:
        """End perf and read what it counted."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_END_TIMEOUT_S)
        try:
            return parse(self._output.read_text(encoding="utf-8"))
        except OSError:
            raise PerfError(self._why()) from None

    def close(self) -> None:
        """End perf, whatever state it is in."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._messages.close()
        for one in (self._commands, self._answers):
            os.close(one)

    def _why(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        self._messages.seek(0)
        return refusal(self._messages.read().decode(errors="replace"))


class PerfError(Exception):
    """perf cannot count; the message is the reason."""


def counting(pid: int, burst: Callable[[], Answer]) -> tuple[Answer, Counted]:
    """Run a burst with the counters of process ``pid`` on; where they cannot be, run it all the same and say why."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gnbench-perf-"))
        try:
            perf = Perf(pid, Path(folder) / "counts.csv")
            stack.callback(perf.close)
            perf.tell("enable")
        except PerfError as error:
            return burst(), Counted(reason=str(error))
        answer = burst()
        try:
            perf.tell("disable")
            return answer, perf.counts()
        except (PerfError, subprocess.TimeoutExpired) as error:
            return answer, Counted(reason=f"perf gave no counts ({error})")


def parse(text: str) -> Counted:
    r"""Read what ``perf stat -x,`` wrote: count, unit, event and more, a line an event.

    >>> parse("12,,cycles:u,0,100.00,,\n<not supported>,,LLC-loads,0,100.00,,\n").counts
    {'cycles': 12.0}
    """
    counts, missing = {}, {}
    for line in text.splitlines():
        parts = line.split(",")
        if len(parts) < 3 or line.startswith("#"):
            continue
        event = parts[2].partition(":")[0]  # where only user space may be counted, perf says so with ":u"
        if event not in EVENTS:
            continue
        if parts[0].startswith("<"):
            missing[event] = parts[0].strip("<>")
        else:
            counts[event] = float(parts[0])
    return Counted(counts=counts, reason=_reason(missing))


def _reason(missing: dict[str, str]) -> str | None:
    """Say which events have no count: a processor or a virtual machine that has none says "not supported"."""
    said = []
    for words, why in (
        ("not supported", "by this processor, or not let through to this virtual machine"),
        ("not counted", "since the processor had no room for them"),
    ):
        events = [event for event in EVENTS if missing.get(event) == words]
        said += [f"perf: {', '.join(events)} {words} {why}"] if events else []
    return "; ".join(said) or None


def refusal(messages: str) -> str:
    r"""Say in one line why perf ended without counting.

    >>> refusal("Error:\nNo permission to enable cycles event.")[:27]
    'perf may not count here (pe'
    """
    if any(word in messages.lower() for word in _FORBIDDEN):
        try:
            level = _PARANOID.read_text(encoding="ascii").strip()
        except OSError:
            level = "unknown"
        return (
            f"perf may not count here (perf_event_paranoid is {level}); "
            "'sysctl kernel.perf_event_paranoid=1' or the capability CAP_PERFMON allows it"
        )
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    return f"perf ended without counting ({lines[0] if lines else 'it said nothing'})"
