"""Runs under callgrind: every cell of both sides called once while instructions are counted, and each count written.

    python -P -m bench.gate.counted QUESTION.json ANSWERS.jsonl DUMPS REQUESTS.so

One thread and one fixed hash seed, so that a count repeats; the lesser of two calls, because Python's own caches
settle. An empty call's count is taken off. Instructions are those of valgrind's machine, which has AVX2 and no more.
"""

from __future__ import annotations

import ctypes
import gc
import json
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from bench.measure import sides
from bench.measure.call import bind, kernel_of
from bench.measure.inputs import make_inputs
from bench.measure.messages import Side
from bench.plan.problem import Problem
from kernels.table import Implementation

_CALLS = 2
_WARMING, _LITTLE_WARMING = 10, 2
"""Calls: Python rewrites bytecode by the eighth, which is 2 to 4 % of a call that does next to nothing."""
_LARGE_BYTES = 1 << 20
"""Of a call that does enough to hide that: 0.02 %."""


class Counter:
    """Counts the instructions of a call, by callgrind's dumps.

    Parameters
    ----------
    dumps
        What callgrind was told to call its files; it numbers them.
    requests
        The library of client requests.
    """

    def __init__(self, dumps: str, requests: str) -> None:
        self._dumps = dumps
        self._number = 0
        self._requests = ctypes.CDLL(requests)
        self._requests.begin()  # until now ten times as fast
        self._empty = 0
        self._empty = self.least(lambda: None)

    def least(self, call: Callable[[], Any], warming: int = _WARMING) -> int:
        """Give the fewest instructions of some calls, after others that are not counted."""
        for _ in range(warming):
            call()
        return min(self._counted(call) for _ in range(_CALLS)) - self._empty

    def _counted(self, call: Callable[[], Any]) -> int:
        self._requests.count_from_here()
        call()
        self._requests.count_to_here()
        self._number += 1
        dump = Path(f"{self._dumps}.{self._number}")
        count = total(dump.read_text())
        dump.unlink()
        return count


def total(dump: str) -> int:
    r"""Read the instructions of a callgrind file.

    >>> total("events: Ir\nfn=main\n5 7\ntotals: 12\n")
    12
    """
    line = next(line for line in dump.splitlines() if line.startswith(("totals:", "summary:")))
    return int(line.split()[1])


def main(question: Path, answers: Path, dumps: str, requests: str) -> None:
    """Count what is asked, a line of ``answers`` each: problem's place, sided row, instructions."""
    asked = json.loads(question.read_text())
    torch.set_num_threads(1)
    gc.disable()
    rows: dict[str, Implementation] = {}
    for side in asked["sides"]:
        rows |= sides.load(Side(**side), shuffle=random.Random(0), announce=lambda _: None)
    _call_all_once(asked["problems"], rows)
    counter = Counter(dumps, requests)
    with answers.open("a", encoding="utf-8") as written:
        for place, one in enumerate(asked["problems"]):
            problem = Problem(**one["problem"])
            inputs = make_inputs(problem, 0)
            warming = _WARMING if problem.minimum_bytes < _LARGE_BYTES else _LITTLE_WARMING
            for name in one["names"]:
                count = counter.least(bind(kernel_of(rows[name], problem), problem, inputs), warming)
                written.write(json.dumps([place, name, count]) + "\n")
                written.flush()


def _call_all_once(problems: list[dict[str, Any]], rows: dict[str, Implementation]) -> None:
    """Have every row compile what it wants, the two sides side by side: 20 s each for a C++ row, and not counted."""
    first = {name: Problem(**one["problem"]) for one in reversed(problems) for name in one["names"]}

    def call(name: str) -> None:
        bind(kernel_of(rows[name], first[name]), first[name], make_inputs(first[name], 0))()

    with ThreadPoolExecutor() as pool:
        list(pool.map(call, first))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
