"""Where the spread between launches comes from: A/A of native on five cells, each remedy alone and all together.

    python docs/measurements/variance.py --launches 20 --rounds 10 --threads 1,2 [--jemalloc LIBRARY] --out variance.csv

A launch is fresh: a new zygote (torch imported anew) and a worker of it, two of each where the sides do not share a
process. A launch's figure for a cell is the interquartile mean of the log ratio B / A over its rounds; the table
gives the standard deviation of that figure between launches, in per cent.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.devices.environment import worker_environment
from bench.measure import messages
from bench.measure.link import Worker, Zygote
from bench.measure.rounds import calls_for
from bench.plan.problem import Problem
from bench.stats.intervals import interquartile_mean

CELLS = (
    Problem(N=1, C=320, H=32, W=32, G=32),
    Problem(N=2, C=640, H=16, W=16, G=32),
    Problem(N=4, C=128, H=32, W=32, G=8),
    Problem(N=1, C=64, H=28, W=28, G=8),
    Problem(N=32, C=32, H=28, W=28, G=8),
)
BATCH_S = 2.5e-3
TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Which remedies are on."""

    name: str
    shares_a_process: bool = False
    pins_cores: bool = False
    pins_allocator: bool = False
    preload: str | None = None
    fresh_memory: bool = False
    warms_after_waking: bool = False
    stops_the_waiting: bool = False
    medians_of_calls: bool = False
    huge_pages: bool = False


def settings(jemalloc: str | None) -> Iterator[Setting]:
    """List each remedy alone and together, on two processes and in one."""
    all_on = {
        "pins_cores": True,
        "pins_allocator": True,
        "fresh_memory": True,
        "warms_after_waking": True,
        "stops_the_waiting": True,
    }
    nothing = Setting(name="two processes, nothing else")
    yield nothing
    yield replace(nothing, name="+ cores pinned", pins_cores=True)
    yield replace(nothing, name="+ allocator pinned", pins_allocator=True)
    if jemalloc:
        yield replace(nothing, name="+ jemalloc", preload=jemalloc)
    yield replace(nothing, name="+ memory at random offsets", fresh_memory=True)
    yield replace(nothing, name="+ a warm-up batch after every wake", warms_after_waking=True)
    yield replace(nothing, name="+ waiting worker stopped", stops_the_waiting=True)
    yield replace(nothing, name="+ medians of calls", medians_of_calls=True)
    yield replace(nothing, name="+ huge pages", huge_pages=True)
    yield replace(nothing, name="two processes, cores, allocator, offsets, warm-up, stop", **all_on)
    yield replace(nothing, name="the same, medians of calls", medians_of_calls=True, **all_on)
    yield replace(nothing, name="the same, huge pages", huge_pages=True, **all_on)
    one = Setting(name="one process, nothing else", shares_a_process=True)
    yield one
    yield replace(one, name="+ cores pinned", pins_cores=True)
    yield replace(one, name="+ allocator pinned", pins_allocator=True)
    if jemalloc:
        yield replace(one, name="+ jemalloc", preload=jemalloc)
    yield replace(one, name="+ memory at random offsets", fresh_memory=True)
    yield replace(one, name="+ medians of calls", medians_of_calls=True)
    yield replace(one, name="+ huge pages", huge_pages=True)
    engine = replace(one, pins_cores=True, pins_allocator=True, fresh_memory=True)
    yield replace(engine, name="one process, cores, allocator, offsets")
    yield replace(engine, name="the same, medians of calls (the engine)", medians_of_calls=True)


class Side:
    """One of the two sides: a name in a worker, and how it is timed."""

    def __init__(self, setting: Setting, worker: Worker, name: str) -> None:
        self.setting = setting
        self.worker = worker
        self.name = name
        self.calls = 1

    def warm(self) -> None:
        """Warm up; the batch's calls follow from it."""
        call_s = self.worker.ask(messages.Warm(name=self.name), TIMEOUT_S).call_s
        self.calls = calls_for(call_s, clock_s=1e-7, batch_s=BATCH_S)

    def seconds(self, round_: int) -> float:
        """Time one batch, seconds a call."""
        if self.setting.warms_after_waking:
            self._time(round_)
        batch = self._time(round_)
        return batch.call_s if self.setting.medians_of_calls else batch.seconds / self.calls

    def _time(self, round_: int) -> Any:
        request = messages.Time(round=round_, batches=[(self.name, self.calls)], verify=False)
        return self.worker.ask(request, TIMEOUT_S).batches[0]


@contextmanager
def workers(setting: Setting, threads: int) -> Iterator[list[Worker]]:
    """Start one worker, or two, each of a zygote of its own."""
    environment = environment_of(setting, threads)
    zygotes = [Zygote(environment) for _ in range(1 if setting.shares_a_process else 2)]
    try:
        started = [zygote.worker() for zygote in zygotes]
        for worker in started:
            request = messages.Load(
                device="cpu", threads=threads, names=["native"], plugins=[], order_seed=random.getrandbits(32)
            )
            worker.ask(request, TIMEOUT_S)
            if not setting.pins_cores:
                unpin(worker)
        yield started
        for worker in started:
            os.kill(pid_of(worker), signal.SIGCONT)
    finally:
        for zygote in zygotes:
            zygote.close()


def environment_of(setting: Setting, threads: int) -> Mapping[str, str]:
    """Give the worker's variables, without the remedies that are off."""
    environment = worker_environment("cpu", threads)
    if not setting.pins_allocator:
        environment = {key: value for key, value in environment.items() if not key.startswith("MALLOC_")}
    if setting.preload:
        environment["LD_PRELOAD"] = setting.preload
    if setting.huge_pages:
        environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    return environment


def unpin(worker: Worker) -> None:
    """Give the worker's threads every core that this process has."""
    for thread in os.listdir(f"/proc/{pid_of(worker)}/task"):
        os.sched_setaffinity(int(thread), os.sched_getaffinity(0))


def pid_of(worker: Worker) -> int:
    """Give the process that a signal is for."""
    return worker._pid  # noqa: SLF001 - only a study stops and unpins workers


def launch(setting: Setting, threads: int, rounds: int, seed: int) -> list[float]:
    """Give one launch's log ratio of every cell."""
    rng = random.Random(seed)
    figures = []
    with workers(setting, threads) as started:
        for cell in CELLS:
            sides = opened(setting, started, cell, rng)
            ratios = []
            for round_ in range(rounds):
                first = rng.randrange(2)
                seconds = {}
                for place in (first, 1 - first):
                    if setting.stops_the_waiting and not setting.shares_a_process:
                        os.kill(pid_of(sides[1 - place].worker), signal.SIGSTOP)
                        os.kill(pid_of(sides[place].worker), signal.SIGCONT)
                    seconds[place] = sides[place].seconds(round_)
                ratios.append(float(np.log(seconds[1] / seconds[0])))
            for worker in started:
                os.kill(pid_of(worker), signal.SIGCONT)
                worker.ask(messages.Close(), TIMEOUT_S)
            figures.append(interquartile_mean(ratios) or 0.0)
    return figures


def opened(setting: Setting, started: Sequence[Worker], cell: Problem, rng: random.Random) -> list[Side]:
    """Open the cell in every worker and warm both sides."""
    for worker in started:
        request = messages.Open(
            problem=cell.to_dict(),
            names=["native"],
            reference="native",
            seed=1,
            placement_seed=rng.getrandbits(32) if setting.fresh_memory else 0,
            cold=False,
        )
        worker.ask(request, TIMEOUT_S)
        worker.ask(messages.Check(name="native"), TIMEOUT_S)
    names = ("native", messages.TWIN) if setting.shares_a_process else ("native", "native")
    sides = [Side(setting, worker, name) for worker, name in zip((started[0], started[-1]), names, strict=True)]
    for side in sides:
        side.warm()
    sides[1].calls = sides[0].calls
    return sides


def main() -> None:
    """Run the study; write every launch's figures and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--jemalloc", help="the library to preload for the row of its name")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    parser.add_argument("--out", type=Path, default=Path("variance.csv"))
    asked = parser.parse_args()
    rows = []
    for threads in map(int, asked.threads.split(",")):
        for place, setting in enumerate(settings(asked.jemalloc)):
            if asked.only not in setting.name:
                continue
            began = time.perf_counter()
            for number in range(asked.launches):
                figures = launch(setting, threads, asked.rounds, seed=1000 * place + number)
                rows += [
                    {
                        "threads": threads,
                        "place": place,
                        "setting": setting.name,
                        "launch": number,
                        "cell": cell.key.split("-float")[0],
                        "log_ratio": figure,
                    }
                    for cell, figure in zip(CELLS, figures, strict=True)
                ]
            frame = pd.DataFrame(rows)
            frame.to_csv(asked.out, index=False)
            mine = frame[(frame["threads"] == threads) & (frame["place"] == place)]
            spread = 100 * mine.groupby("cell", sort=False)["log_ratio"].std()
            print(f"| {threads} | {setting.name} | " + " | ".join(f"{one:.2f}" for one in spread), end=" | ")  # noqa: T201
            print(f"{spread.max():.2f} | {time.perf_counter() - began:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
