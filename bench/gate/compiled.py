"""What a row's compiled kernels take of a multiprocessor, asked of both sides' rows where their sources differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bench.executors.local import LocalExecutor
from bench.gate.exact import Exact, of_kernels
from bench.gate.sources import BASE, HEAD, Sides
from bench.measure import messages
from bench.measure.link import WorkerLost

ARCHITECTURES = ("sm_80", "sm_90", "sm_100", "sm_120")
ROWS = ("triton", "cuda")
"""Rows whose kernels are compiled without a GPU."""
_FUNCTION = "bench.gate.inspecting:inspect"
_TIMEOUT_S = 600.0


def compared(
    executor: LocalExecutor,
    sides: Sides,
    rows: Sequence[str],
    architectures: Sequence[str],
    warn: Callable[[str], object],
) -> Iterator[tuple[str, Exact]]:
    """Give each row's kernels' metrics; ``warn`` is told what cannot be compiled."""
    for row in rows:
        if not sides.differ_in(row):
            continue
        for arch in architectures:
            found = [_asked(executor, messages.sided(row, label), arch) for label in (BASE, HEAD)]
            said = next((one for one in found if isinstance(one, str)), None)
            if said is not None:
                warn(f"{row}'s kernels are not compared for {arch}: {said}")
                break
            base, head = found
            assert not isinstance(base, str)
            assert not isinstance(head, str)
            for one in of_kernels(base, head, arch):
                yield row, one


def _asked(executor: LocalExecutor, name: str, arch: str) -> Mapping[str, Mapping[str, Any]] | str:
    """Ask a row in a worker of its own; what keeps it from answering is a text."""
    worker = executor.fresh_worker([name])
    request = messages.Consult(name=name, function=_FUNCTION, question={"arch": arch})
    try:
        found = worker.ask(request, _TIMEOUT_S)
    except WorkerLost as lost:
        return f"{lost.status}: {lost.reason}"
    if found.answer is None:
        return str(found.reason)
    kernels: Mapping[str, Mapping[str, Any]] = found.answer["kernels"]
    return kernels
