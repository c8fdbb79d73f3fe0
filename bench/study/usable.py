"""Which implementations a network can be trained with here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.errors import UsageError, nearest
from bench.study.crew import Prepared, Worker, WorkerDied

_ARGUMENT = "--implementation"


def usable(prepared: Prepared, optional: Sequence[str], warn: Callable[[str], object]) -> tuple[str, ...]:
    """Give the implementations a network can be trained with, and tell of optional ones that are left out.

    Raises
    ------
    UsageError
        One that is not optional is unknown, not differentiable, or cannot run here.
    """
    with Worker(prepared, Path(os.devnull)) as worker:
        try:
            answer = worker.ask({"do": "answer_for", "implementations": list(prepared.implementations)})
        except WorkerDied as death:
            how = str(death).removeprefix("its process ")
            if not worker.is_ready:
                found = f"a worker for {prepared.device} cannot start: it {how}"
                raise UsageError("--device", found, "see 'gnbench doctor'") from None
            found = f"the process that tried {', '.join(prepared.implementations)} {how}"
            raise UsageError(_ARGUMENT, found, "leave out what takes it down") from None
    if answer["heard"] != "answers":
        raise UsageError(_ARGUMENT, answer["reason"], "name a differentiable row of 'gnbench list'")
    kept = []
    for name, reason in answer["reasons"].items():
        if reason is None:
            kept.append(name)
        elif name in optional:
            warn(f"{name} is left out: {reason}")
        elif reason == "unknown":
            raise UsageError(_ARGUMENT, f"no implementation is called {name!r}", nearest(name, answer["known"]))
        else:
            found = f"no network can be trained with {name!r}: {reason}"
            raise UsageError(_ARGUMENT, found, "name a differentiable row of 'gnbench list'")
    return tuple(kept)
