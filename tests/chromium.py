"""A headless Chromium, spoken to over the two pipes of its DevTools protocol: no package, no port, no driver."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE_S = 60.0
# It reads what is asked of it from descriptor 3 and answers on 4, which may both be taken here.
_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, wanted in zip(ends, (3, 4)):
    os.dup2(end, wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""


def found() -> str | None:
    """Find the browser: $CHROMIUM, else the first of the names it goes by."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One page, with a mouse."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._rest, self._number = b"", 0
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=1200, height=900, deviceScaleFactor=1, mobile=False)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Call a method of the protocol; give its result."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": given} | self._session
        os.write(self._writing, json.dumps(asked).encode() + b"\0")
        while (told := self._next()).get("id") != self._number:
            pass
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    def _next(self) -> dict[str, Any]:
        until_s = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._rest:
            ready, *_ = select.select([self._reading], [], [], until_s - time.monotonic())
            assert ready, f"the browser said nothing for {_PATIENCE_S:g} s"
            got = os.read(self._reading, 1 << 16)
            assert got, "the browser ended"
            self._rest += got
        told, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(told)
        return message

    def open(self, path: Path, *, scripts: bool = True) -> None:
        """Load a file and wait until it is there; ``scripts=False`` as a reader without JavaScript."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=path.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> Any:
        """Evaluate JavaScript; give what it comes to as plain data."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def mouse(self, kind: str, x: float, y: float) -> None:
        """``press``, ``move`` or ``release`` the mouse at a place of the screen."""
        name = {"press": "mousePressed", "move": "mouseMoved", "release": "mouseReleased"}[kind]
        self.call("Input.dispatchMouseEvent", type=name, x=x, y=y, button="left", buttons=1, clickCount=1)

    def drag(self, x: float, start: float, end: float) -> None:
        """Press the mouse at (x, start), move it down or up to ``end`` in three steps, let go."""
        self.mouse("press", x, start)
        for share in (1 / 3, 2 / 3, 1.0):
            self.mouse("move", x, start + (end - start) * share)
        self.mouse("release", x, end)


@contextmanager
def page(browser: str, folder: Path) -> Iterator[Page]:
    """Start the browser with a profile in ``folder``; it is gone when the block ends."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    command = [browser, *arguments, "--remote-debugging-pipe", f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _START, str(theirs_in), str(theirs_out), *command],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Page(ours_in, ours_out)
    finally:
        process.kill()
        process.wait()
        os.close(ours_in)
        os.close(ours_out)
