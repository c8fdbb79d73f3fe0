"""Kills a run with SIGKILL at random moments, goes on with it, and proves that nothing finished was lost.

    python tests/bench/kill_and_resume.py --kills 50 --seed 0

A moment is a random time after the start, the growth of the journal, or the writing of frames or report. After each
kill: what the journal held is a prefix of what it holds later, no visit stands in it twice, and no process of the run
is left. A run that ends before its kill is held against its journal, and a new one is begun.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
SWEEP = ("-N", "1", "-C", "8", "-H", "6", "-W", "5", "-G", "4,8", "--threads", "1", "--budget", "0.2",
         "--impl", "naive")  # fmt: skip
MOMENTS = ("time", "append", "frames", "report")
_MARK = "GNBENCH_TEST_MARK"
_LONGEST_S = 6.0
_LOOK_S = 0.005


class Survivor:
    """A run that is killed and gone on with; its folder, and what its journal held at the last look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.held = b""
        self.kills: Counter[str] = Counter()

    def start(self) -> subprocess.Popen[bytes]:
        is_begun = (self.folder / "run.json").exists()
        asked = ("--resume", str(self.folder)) if is_begun else (*SWEEP, "--out", str(self.folder))
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "gnbench", "run", *asked],
            env=os.environ | {"PYTHONPATH": str(ROOT), _MARK: self.mark, "NO_COLOR": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def journal(self) -> bytes:
        path = self.folder / "journal.jsonl"
        return path.read_bytes() if path.exists() else b""

    def strike(self, moment: str, rng: random.Random) -> bool:
        """Start or resume, kill at the moment; False where the run ended first."""
        process = self.start()
        deadline = time.monotonic() + (rng.uniform(0, _LONGEST_S) if moment == "time" else 60)
        appends, size = rng.randrange(1, 9), len(self.journal())
        while process.poll() is None and time.monotonic() < deadline:
            if moment == "append" and len(self.journal()) > size:
                size, appends = len(self.journal()), appends - 1
                if appends <= 0:
                    break
            if moment == "frames" and list(self.folder.glob(".results.parquet.*")):
                break
            if moment == "report" and list(self.folder.glob(".report.*")):
                break
            time.sleep(_LOOK_S)
        process.kill()
        _, said = process.communicate()
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, said.decode()
        else:
            self.kills[moment] += 1
        self.prove_nothing_is_lost()
        return process.returncode == -signal.SIGKILL

    def finish(self) -> None:
        process = self.start()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
        self.prove_nothing_is_lost()

    def prove_nothing_is_lost(self) -> None:
        left = left_of(self.mark)
        assert not left, f"left behind: {left}"
        now = self.journal()
        whole = now[: now.rfind(b"\n") + 1]
        assert whole.startswith(self.held), "a finished visit was lost or changed"
        visits = Counter((record["key"], record["pass_"]) for record in map(json.loads, whole.splitlines()))
        assert not visits or max(visits.values()) == 1, "a visit was made twice"
        self.held = whole

    def prove_it_is_complete(self) -> None:
        """Hold the frames of a finished run against its journal."""
        import pandas as pd

        info = json.loads((self.folder / "run.json").read_text())
        assert info["finished"] is not None
        records = [json.loads(line) for line in self.journal().splitlines()]
        batches = sum(len(series["seconds"]) for record in records for series in record["series"].values())
        results = pd.read_parquet(self.folder / "results.parquet", partitioning=None)
        samples = pd.read_parquet(self.folder / "samples.parquet", partitioning=None)
        assert len(samples) == batches
        assert len(results) == 4
        assert set(results["status"]) == {"ok"}
        assert set(results["passes"]) == {6}
        assert (self.folder / "report.html").stat().st_size > 0
        unfinished = (".results", ".samples", ".report", ".run")
        assert not [path for path in self.folder.iterdir() if path.name.startswith(unfinished)]


def left_of(mark: str, patience_s: float = 10.0) -> list[str]:
    """Give the processes that carry the mark once they have had time to end."""
    deadline = time.monotonic() + patience_s
    while True:
        found = [" ".join(process.cmdline()) for process in psutil.process_iter() if _carries(process, mark)]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == mark
    except psutil.Error:
        return False


def survive(moments: list[str], seed: int, folder: Path) -> Counter[str]:
    """Kill at each of these moments, beginning a new run wherever one ended first; count the kills by moment."""
    rng = random.Random(seed)
    kills: Counter[str] = Counter()
    survivor = Survivor(folder / "run-0")
    runs = 0
    for moment in moments:
        while not survivor.strike(moment, rng):
            survivor.prove_it_is_complete()
            kills += survivor.kills
            runs += 1
            survivor = Survivor(folder / f"run-{runs}")
    survivor.finish()
    survivor.prove_it_is_complete()
    return kills + survivor.kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        kills = survive([rng.choice(MOMENTS) for _ in range(asked.kills)], asked.seed, Path(folder))
    print(f"{kills.total()} kills ({dict(kills)}): no finished visit lost, none made twice, no process left")


if __name__ == "__main__":
    main()
