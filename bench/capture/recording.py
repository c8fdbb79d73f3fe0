"""What this process asks of GroupNorm, while it is recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from bench.capture import seeing as own_seeing
from bench.capture.preset import Preset, preset
from bench.capture.seen import Seen, summed

# Under gnbench capture the recorder is there already, by another name; torch is patched by one of them alone.
_seeing: Any = sys.modules.get("gnbench_seeing", own_seeing)


class Recording:
    """Calls seen so far, and their preset."""

    def __init__(self, *, model: str) -> None:
        self._model = model
        self.recorder: Any = _seeing.Recorder()

    @property
    def seen(self) -> Seen:
        """The calls, counted."""
        return summed([self.recorder.snapshot()])

    def preset(self, ended: str = "") -> Preset:
        """Write the calls seen so far as a preset; ``ended`` says how the program ended, where not well."""
        return preset(self.seen, model=self._model, at=datetime.now(UTC), ended=ended)


@contextmanager
def listening(recording: Recording) -> Iterator[None]:
    """Record until the block ends."""
    _seeing.listen(recording.recorder)
    try:
        yield
    finally:
        _seeing.leave(recording.recorder)
