"""Instructions of a call, base's and head's, by valgrind's callgrind where it is there: the CPU's time without noise.

Both sides are in one process under valgrind, or each in its own where they clash; it starts in some 15 s, and then
takes a few hundredths of a second a cell.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.gate.pairs import Pair, by_problem
from bench.gate.sources import BASE, HEAD, Sides
from bench.measure.messages import Side

_SOURCE = Path(__file__).with_suffix(".c")
_LEAST_S = 10.0
"""Less is not enough to begin."""
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def valgrind() -> str | None:
    """Give the path of valgrind, where it is installed."""
    return shutil.which("valgrind")


@dataclass(frozen=True, kw_only=True, slots=True)
class Counting:
    """Counts cells' instructions on both sides."""

    sides: Sides
    apart: bool
    """Each side has a process of its own."""
    warn: Callable[[str], object]
    """Is told what cannot be counted."""

    def instructions(self, pairs: Sequence[Pair], until: float) -> dict[str, tuple[int, int]]:
        """Give base's and head's instructions of a call by the cell's key, small problems first.

        ``until`` is of ``time.perf_counter``; what is not counted by then is left out, and said.
        """
        ordered = dict(sorted(by_problem(pairs).items(), key=lambda one: (one[0].minimum_bytes, one[0].key)))
        found: dict[tuple[str, str], int] = {}
        with tempfile.TemporaryDirectory(prefix="gnbench-callgrind-") as folder:
            requests = self._built(Path(folder))
            if requests is None:
                return {}
            both = (self.sides.base, self.sides.head)
            for held in [[side] for side in both] if self.apart else [both]:
                found |= self._counted(ordered, held, Path(folder), requests, until)
        counts = {pair.key: (found.get((pair.key, BASE)), found.get((pair.key, HEAD))) for pair in pairs}
        known = {key: (base, head) for key, (base, head) in counts.items() if base is not None and head is not None}
        if missing := len(counts) - len(known):
            self.warn(f"instructions of {missing} of {len(counts)} cells are not counted: valgrind ended before")
        return known

    def _built(self, folder: Path) -> Path | None:
        """Compile the client requests; what keeps them from it is told."""
        requests = folder / "requests.so"
        command = [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", str(requests), str(_SOURCE)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            self.warn(f"instructions are not counted: {command[0]}: {error.strerror}")
            return None
        if done.returncode:
            said = (done.stderr.strip() or "no reason given").splitlines()[0]
            self.warn(f"instructions are not counted: valgrind's headers are wanted ({said})")
            return None
        return requests

    def _counted(
        self,
        ordered: Mapping[Any, Sequence[Pair]],
        held: Sequence[Side],
        folder: Path,
        requests: Path,
        until: float,
    ) -> dict[tuple[str, str], int]:
        labels = [side.label for side in held]
        groups = list(ordered.values())
        rows = sorted({pair.row for pairs in groups for pair in pairs})
        question = {
            "sides": [asdict(side) | {"names": rows} for side in held],
            "problems": [
                {
                    "problem": pairs[0].problem.to_dict(),
                    "names": [name for pair in pairs for name, label in _sided(pair) if label in labels],
                }
                for pairs in groups
            ],
        }
        asked, answers = folder / f"asked-{labels[0]}.json", folder / f"answers-{labels[0]}.jsonl"
        asked.write_text(json.dumps(question))
        answers.touch()
        self._run(asked, answers, folder / f"dump-{labels[0]}", requests, until)
        found = {}
        for place, name, count in map(json.loads, _whole_lines(answers.read_text())):
            ((key, label),) = [(pair.key, dict(_sided(pair))[name]) for pair in groups[place] if name in pair.names]
            found[key, label] = count
        return found

    def _run(self, asked: Path, answers: Path, dumps: Path, requests: Path, until: float) -> None:
        left_s = until - time.perf_counter()
        program = valgrind()
        if left_s < _LEAST_S or program is None:
            return
        tool = ["--tool=callgrind", "--quiet", "--instr-atstart=no", f"--callgrind-out-file={dumps}"]
        child = [sys.executable, "-P", "-m", "bench.gate.counted", str(asked), str(answers), str(dumps), str(requests)]
        try:
            done = subprocess.run(
                [program, *tool, *child],
                env=os.environ | _ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=left_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            self.warn(f"callgrind ended with {done.returncode}: {lines[-1].strip() if lines else 'no reason given'}")


def _sided(pair: Pair) -> Iterator[tuple[str, str]]:
    """Give a cell's sided names, each with its side's label."""
    return zip(pair.names, (BASE, HEAD), strict=True)


def _whole_lines(text: str) -> Iterator[str]:
    """Leave out a last line that was cut off."""
    return (line for line in text.splitlines(keepends=True) if line.endswith("\n"))
