"""A cell as a file, for the process that profilers start (``cell``)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.plan.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What one process is to call, and how often."""

    problem: dict[str, Any]
    name: str
    plugins: list[str]
    threads: int
    seed: int
    calls: int


def title(name: str, problem: Problem) -> str:
    """Name a cell as timelines show it.

    >>> title("cpp", Problem(N=1, C=8, H=4, W=4, G=2))[:20]
    'cpp N1-C8-H4-W4-G2-f'
    """
    return f"{name} {problem.key}"


def write(path: Path, request: Request) -> None:
    """Write a request where a profiler's command line can name it."""
    path.write_text(json.dumps(asdict(request), indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> Request:
    """Read what ``write`` wrote."""
    return Request(**json.loads(path.read_text(encoding="utf-8")))
