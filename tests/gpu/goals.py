"""Tables of goals from runs: ``goals.py FOLDER [H100|H200]`` of run directories goals-*, written beside them.

``goals.csv`` and ``goals.md``: by class, layout and direction the fraction of a plain copy's speed that each row
reaches, beside the goal and the roofline model's figure; the named marks; our rows against the others.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from roofline import H100, H200, IMPLEMENTATIONS, Device, fraction, group_class, predict

from bench.plan.config import load_config
from bench.plan.problem import Problem
from bench.plan.sweep import expand

HERE = Path(__file__).parent
KEY = ["N", "C", "H", "W", "G", "dtype", "weight_dtype", "affine", "eps", "layout", "direction", "activation"]
LARGE_BYTES, SMALL_BYTES = 64e6, 1e6

# Of a copy of the fewest bytes, by class: A, B, C, C28, D.
_CLASSES = ("A", "B", "C", "C28", "D")
GOALS = {
    ("contiguous", "forward"): (0.97, 0.94, 0.92, 0.82, 0.70),
    ("channels_last", "forward"): (0.94, 0.92, 0.88, 0.78, 0.65),
    ("contiguous", "backward"): (0.97, 0.93, 0.90, 0.78, 0.57),
    ("channels_last", "backward"): (0.93, 0.90, 0.85, 0.75, 0.55),
}
# (N, C, H, W, G), device, seconds at most.
MARKS = (
    ("HunyuanVideo VAE", (1, 128, 5120, 256, 32), "H200", 175e-6),
    ("LTX-2 upsampler", (1, 512, 2880, 320, 32), "H100", 780e-6),
    ("KernelBench 35", (112, 64, 512, 512, 8), "H100", 5.5e-3),
    ("KernelBench 35", (112, 64, 512, 512, 8), "H200", 3.9e-3),
)


def cells() -> list[tuple[str, Problem]]:
    """List every cell that ``measure.sh`` times: each problem in both layouts and directions, named by its source."""
    found = []
    for file, layouts, directions, activation in (
        ("goals.toml", ("contiguous", "channels_last"), ("forward", "backward"), "silu"),
        ("kernelbench.toml", ("contiguous",), ("forward",), "none"),
    ):
        sweep = load_config(HERE / file).sweep.override(layout=layouts, direction=directions, activation=(activation,))
        found += [(one.source, one.problem) for one in expand(sweep).problems]
    return found


def goal(problem: Problem) -> float:
    """Give the fraction of a copy's speed that ours should reach."""
    if problem.input_bytes < SMALL_BYTES:
        return 1 / 1.4
    if problem.input_bytes < LARGE_BYTES:
        return 1 / 1.25
    direction = "backward" if problem.direction == "backward" else "forward"
    return GOALS[problem.layout, direction][_CLASSES.index(group_class(problem))]


def size(problem: Problem) -> str:
    """Give the row of the table: a class, or smaller than what classes are for."""
    if problem.input_bytes < SMALL_BYTES:
        return "< 1 MB"
    return "1 to 64 MB" if problem.input_bytes < LARGE_BYTES else group_class(problem)


def with_goals(results: pd.DataFrame, device: Device) -> pd.DataFrame:
    """Add to each cell its class, goal and prediction; null where a row is none that the model knows."""
    problems = [Problem(**row) for row in results[KEY].to_dict("records")]
    known = [one in IMPLEMENTATIONS for one in results["implementation"]]
    pairs = list(zip(problems, results["implementation"], known, strict=True))
    return results.assign(
        size=[size(one) for one in problems],
        goal=[goal(one) if name in {"cuda", "triton"} else None for one, name, _ in pairs],
        predicted_s=[predict(one, name, device) if is_known else None for one, name, is_known in pairs],
        predicted_fraction=[fraction(one, name, device) if is_known else None for one, name, is_known in pairs],
    )


def geometric_mean(values: pd.Series) -> float:
    """Give it over what is there; NaN of nothing."""
    there = values.dropna().astype(float)
    return float(np.exp(np.log(there).mean())) if len(there) else float("nan")


def by_class(told: pd.DataFrame) -> pd.DataFrame:
    """Give a line a class, layout, direction and row: cells with a figure, their fraction, the goal, the prediction."""
    keys = ["size", "layout", "direction", "implementation"]
    grouped = told.groupby(keys, sort=True)
    table = grouped.agg(
        cells=("latency_s", "count"),
        fraction=("roofline_fraction", geometric_mean),
        goal=("goal", geometric_mean),
        predicted=("predicted_fraction", geometric_mean),
    ).reset_index()
    reached = (table["fraction"] >= table["goal"]).map({True: "yes", False: "no"})
    return table.assign(reached=reached.where(table["fraction"].notna() & table["goal"].notna(), ""))


def marks(told: pd.DataFrame, device: Device) -> pd.DataFrame:
    """Give each named mark of this device: cuda's time and triton's, the mark, the prediction for cuda."""
    lines = []
    for name, shape, on, most_s in MARKS:
        here = (told[["N", "C", "H", "W", "G"]] == list(shape)).all(axis=1) & (told["direction"] == "forward")
        here &= told["layout"] == "contiguous"
        if on != device.name or not here.any():
            continue
        times = told[here].set_index("implementation")["latency_s"] * 1e6
        predicted = told[here & (told["implementation"] == "cuda")]["predicted_s"] * 1e6
        line = {one: times.get(one) for one in IMPLEMENTATIONS} | {
            "mark": most_s * 1e6,
            "cuda, predicted": predicted.max(),
        }
        lines.append({"cell, us": name} | line)
    return pd.DataFrame(lines)


def against(told: pd.DataFrame, ours: str = "cuda") -> pd.DataFrame:
    """Give by layout and direction how many times faster ``ours`` is, and in how many cells clearly slower.

    Clearly: its whole interval lies above the other's.
    """
    cell = [*KEY, "cache", "timer"]
    mine = told[(told["implementation"] == ours) & told["latency_s"].notna()]
    lines = []
    for other in ("native", "compiled", "triton"):
        theirs = told[(told["implementation"] == other) & told["latency_s"].notna()]
        both = mine.merge(theirs, on=cell, suffixes=("", "_other"))
        for (layout, direction), some in both.groupby(["layout", "direction"]):
            slower = (some["latency_low_s"] > some["latency_high_s_other"]).sum()
            lines.append({
                "against": other, "layout": layout, "direction": direction, "cells": len(some),
                "speed-up": geometric_mean(some["latency_s_other"] / some["latency_s"]), "slower": int(slower),
            })  # fmt: skip
    return pd.DataFrame(lines)


def markdown(table: pd.DataFrame) -> str:
    """Write a table of markdown; what is not there is blank."""
    if table.empty:
        return "nothing was measured"
    texts = table.map(
        lambda value: "" if pd.isna(value) else f"{value:.3g}" if isinstance(value, float) else str(value)
    )
    lines = [list(table.columns), ["---"] * len(table.columns), *texts.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def device_of(name: str) -> Device:
    """Take the model's device from a GPU's name."""
    found = re.search(r"H[12]00", name)
    if found is None:
        raise SystemExit(f"{name!r}: the model knows H100 and H200; name the nearer one")
    return {"H100": H100, "H200": H200}[found[0]]


def main(folder: Path, name: str) -> None:
    """Write goals.csv and goals.md of the runs in a folder."""
    device = device_of(name)
    files = sorted(folder.glob("goals-*/results.parquet"))
    if not files:
        raise SystemExit(f"{folder}: there is no run goals-* in it")
    told = with_goals(pd.concat([pd.read_parquet(path) for path in files], ignore_index=True), device)
    told.to_csv(folder / "goals.csv", index=False)
    without = told[told["latency_s"].isna()].groupby(["implementation", "status"]).size()
    parts = {
        f"Goals on {name}: a copy's time over a row's": markdown(by_class(told)),
        "Named marks": markdown(marks(told, device)),
        "cuda against the others": markdown(against(told)),
        "Without a figure": markdown(without.rename("cells").reset_index()),
    }
    text = "\n\n".join(f"## {title}\n\n{part}" for title, part in parts.items())
    (folder / "goals.md").write_text(f"{text}\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
