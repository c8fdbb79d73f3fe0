"""What a row's kernels take of a GPU, and how many a call launches, asked of both sides' rows without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.executors.local import LocalExecutor
from bench.gate.exact import Exact, of_kernels
from bench.gate.sources import BASE, HEAD, Sides
from bench.measure import messages
from bench.measure.link import WorkerLost
from bench.plan.problem import Problem
from reports import quantities as q

ARCHITECTURES = ("sm_80", "sm_90", "sm_100", "sm_120")
ROWS = ("triton", "cuda")
"""Rows whose kernels are compiled without a GPU."""
_INSPECT = "bench.gate.inspecting:inspect"
_LAUNCHES = "bench.gate.inspecting:launches"
_TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """Both sides' rows, asked in workers of their own; a row whose sources are the same is not asked."""

    executor: LocalExecutor
    sides: Sides
    architectures: Sequence[str]
    warn: Callable[[str], object]
    """Is told what cannot be compared."""

    def resources(self, rows: Iterable[str]) -> Iterator[tuple[str, Exact]]:
        """Give what each row's kernels take, compiled for each architecture."""
        for row in filter(self.sides.differ_in, rows):
            for arch in self.architectures:
                found = self._both(row, _INSPECT, {"arch": arch})
                if isinstance(found, str):
                    self.warn(f"{row}'s kernels are not compared for {arch}: {found}")
                    break
                base, head = (one["kernels"] for one in found)
                for one in of_kernels(base, head, arch):
                    yield row, one

    def launches(self, rows: Iterable[str], problems: Iterable[Problem]) -> Iterator[tuple[str, Exact]]:
        """Give how many kernels a call launches on a GPU, problem by problem."""
        on_gpu = [replace(problem, device="cuda") for problem in problems]
        question = {"problems": [problem.to_dict() for problem in on_gpu], "archs": list(self.architectures)}
        for row in filter(self.sides.differ_in, rows):
            found = self._both(row, _LAUNCHES, question)
            if isinstance(found, str):
                self.warn(f"{row}'s launches are not compared: {found}")
                continue
            base, head = (one["launches"] for one in found)
            for arch in self.architectures:
                for problem, before, after in zip(on_gpu, base[arch], head[arch], strict=True):
                    if before is not None and after is not None:
                        label = f"{q.problem_label(problem.to_dict(), {'device'})} on {arch}"
                        yield row, Exact(metric="launches", base=len(before), head=len(after), kernel=label)

    def _both(self, row: str, function: str, question: dict[str, Any]) -> list[Mapping[str, Any]] | str:
        """Ask base's and head's row; what keeps one from answering is a text."""
        answers = []
        for label in (BASE, HEAD):
            name = messages.sided(row, label)
            worker = self.executor.fresh_worker([name])
            try:
                found = worker.ask(messages.Consult(name=name, function=function, question=question), _TIMEOUT_S)
            except WorkerLost as lost:
                return f"{lost.status}: {lost.reason}"
            if found.answer is None:
                return str(found.reason)
            answers.append(found.answer)
        return answers
