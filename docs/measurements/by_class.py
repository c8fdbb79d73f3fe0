"""Tables of runs by class of cell: dtype, layout, direction and activation, each row's speed-up over the reference.

A class's figure is the geometric mean over its problems; its interval is Student's t over passes, each of which gives
one mean over those problems that it has for both. ``least`` is its slowest cell.

    python docs/measurements/by_class.py runs/forward runs/backward
"""

# ruff: noqa: T201 (a script: it prints its table)
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bench.record import frames
from bench.stats.intervals import interquartile_mean
from bench.stats.paired import speedup
from reports.schema import PROBLEM_COLUMNS
from reports.views import call_seconds

_CLASS = ["direction", "dtype", "layout", "activation"]


def log_ratios(samples: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Give the log ratio of each cell in each pass, paired by round."""
    place = [*PROBLEM_COLUMNS, "pass", "round"]
    timed = samples.assign(call_s=call_seconds(samples))[["implementation", *place, "call_s"]]
    theirs = timed[timed["implementation"] == reference].drop(columns="implementation")
    paired = timed.merge(theirs, on=place, suffixes=("", "_reference"))
    paired["log_ratio"] = np.log(paired["call_s_reference"].astype(float) / paired["call_s"].astype(float))
    cell = ["implementation", *PROBLEM_COLUMNS, "pass"]
    return paired.groupby(cell, as_index=False)["log_ratio"].agg(lambda found: interquartile_mean(list(found)))


def main(runs: list[Path]) -> None:
    """Print one line a class and implementation."""
    print("| direction | dtype | layout | activation | row | problems | speed-up | 95 % interval | least | most |")
    print("|---|---|---|---|---|---:|---:|---|---:|---:|")
    for run in runs:
        ratios = log_ratios(frames.read(run).samples, "native")
        for (*words, name), rows in ratios.groupby([*_CLASS, "implementation"], sort=False):
            if name in {"native", "@twin", "@copy"}:
                continue
            cells = rows.groupby(list(PROBLEM_COLUMNS))["log_ratio"].mean()
            # What a problem is worth over all passes is taken off, so that a pass that lacks one is not another mean.
            rest = rows["log_ratio"] - rows.set_index(list(PROBLEM_COLUMNS)).index.map(cells).to_numpy()
            means = rest.groupby(rows["pass"]).mean() + cells.mean()
            found = speedup(means.to_list())
            assert found is not None
            ends = f"[{found.low:.2f}, {found.high:.2f}]" if found.low is not None else ""
            print(
                f"| {' | '.join(words)} | {name.lstrip('@')} | {len(cells)} | {found.centre:.2f} | {ends} "
                f"| {np.exp(cells.min()):.2f} | {np.exp(cells.max()):.2f} |"
            )


if __name__ == "__main__":
    main([Path(one) for one in sys.argv[1:]])
