"""The error of a known speed-up, and whether the interval holds it, by five harnesses on the same cells and budget.

    pip install pyperf
    python docs/measurements/peers.py --trials 8 --out peers.csv

Two cells, three functions (units.py): the true speed-ups are 1 and 20 / 21. Every trial of every tool is a fresh
process with the same threads and about the same seconds of measuring; with ``busy`` another process spins all the
while. A peer's figure is the one it prints first. None of them gives an interval of a ratio, so theirs is the usual
one from the values they report: Welch's t on the logarithms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from bench.plan.config import Settings
from bench.plan.sweep import Axes, Sweep
from bench.run import run
from bench.stats.intervals import logs, welch_interval

HERE = Path(__file__).parent
CELLS = {"1x320x32x32": (1, 320, 32, 32, 32), "1x64x28x28": (1, 64, 28, 28, 8)}
TRUE = {"same": 1.0, "more": 20 / 21}
SECONDS = 1.0
"""Of measuring, for each function on each cell."""
THREADS = 2
Figure = tuple[float, float, float]
Series = tuple[float, Sequence[float]]
"""A tool's own figure of a function, s, and the values behind it."""


def functions(cell: Sequence[int]) -> Mapping[str, Callable[[], object]]:
    """Bind the three functions to one cell's tensors."""
    import torch  # noqa: PLC0415 - not in the process that drives

    sys.path.insert(0, str(HERE))
    from units import FUNCTIONS  # noqa: PLC0415

    torch.set_num_threads(THREADS)
    n, c, h, w, groups = cell
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(n, c, h, w, generator=generator), torch.randn(c, generator=generator)

    def bound(function: Callable[..., object]) -> Callable[[], object]:
        return lambda: function(x, groups, weight, weight, 1e-5)

    return {name: bound(function) for name, function in FUNCTIONS.items()}


def by_timeit(cell: Sequence[int]) -> dict[str, Series]:
    """Repeat five times, as ``python -m timeit`` does; its figure is the best."""
    found = {}
    for name, function in functions(cell).items():
        timer = timeit.Timer(function)
        once = timer.timeit(3) / 3
        number = max(1, round(SECONDS / 5 / once))
        values = [one / number for one in timer.repeat(5, number)]
        found[name] = (min(values), values)
    return found


def by_torch(cell: Sequence[int]) -> dict[str, Series]:
    """Measure with ``torch.utils.benchmark``; its figure is the median of blocks."""
    from torch.utils.benchmark import Timer  # noqa: PLC0415

    found = {}
    for name, function in functions(cell).items():
        timer = Timer("function()", globals={"function": function}, num_threads=THREADS)
        measured = timer.blocked_autorange(min_run_time=SECONDS)
        found[name] = (measured.median, measured.times)
    return found


def by_pytest_benchmark(cell: Sequence[int]) -> dict[str, Series]:
    """Measure with pytest-benchmark; its figure is the mean."""
    key = next(name for name, one in CELLS.items() if tuple(one) == tuple(cell))
    source = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\nimport pytest\nfrom peers import CELLS, functions\n"
        f"bound = functions(CELLS[{key!r}])\n@pytest.mark.parametrize('name', list(bound))\n"
        "def test(benchmark, name): benchmark(bound[name])\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        test, kept = Path(folder) / "test_peers.py", Path(folder) / "kept.json"
        test.write_text(source, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, str(test)]
        options = [f"--benchmark-json={kept}", "--benchmark-save-data", f"--benchmark-max-time={SECONDS}"]
        subprocess.run([*command, *options], check=True, capture_output=True)
        held = json.loads(kept.read_text(encoding="utf-8"))["benchmarks"]
    return {one["params"]["name"]: (one["stats"]["mean"], one["stats"]["data"]) for one in held}


def by_pyperf(cell: Sequence[int]) -> dict[str, Series]:
    """Measure with pyperf, two processes of five values; its figure is the mean."""
    import pyperf  # noqa: PLC0415

    key = next(name for name, one in CELLS.items() if tuple(one) == tuple(cell))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("base", *TRUE):
            kept = Path(folder) / f"{name}.json"
            setup = (
                f"import sys; sys.path.insert(0, {str(HERE)!r}); from peers import CELLS, functions;"
                f"bound = functions(CELLS[{key!r}])[{name!r}]"
            )
            options = ["--processes=2", "--values=5", "--warmups=1", f"--min-time={SECONDS / 12}", "-q"]
            command = [sys.executable, "-m", "pyperf", "timeit", *options, "-o", str(kept), "--copy-env"]
            subprocess.run([*command, "-s", setup, "bound()"], check=True, capture_output=True)
            measured = pyperf.Benchmark.load(str(kept))
            found[name] = (measured.mean(), measured.get_values())
    return found


PEERS = {"timeit": by_timeit, "torch": by_torch, "pytest-benchmark": by_pytest_benchmark, "pyperf": by_pyperf}


def ratios_of(series: Mapping[str, Series]) -> dict[str, Figure]:
    """Give each function's speed-up over the base and the interval of the values behind it."""
    base_s, base = series["base"]
    found = {}
    for name in TRUE:
        own_s, own = series[name]
        interval = welch_interval(logs(base).tolist(), logs(own).tolist())
        half = float("nan") if interval is None or interval.half_width is None else interval.half_width
        centre = float(np.log(base_s / own_s))
        found[name] = (float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half)))
    return found


def by_ours(seed: int) -> dict[str, dict[str, Figure]]:
    """Measure with this project's own run: the same seconds for all functions and cells together."""
    entries = tuple(Axes(N=(n,), C=(c,), H=(h,), W=(w,), G=(str(g),)) for n, c, h, w, g in CELLS.values())
    settings = Settings(
        budget_s=SECONDS * len(CELLS) * 3,
        threads=THREADS,
        impl=("same", "more"),
        reference="base",
        plugins=(str(HERE / "units.py"),),
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        results = run(Sweep(entries=entries, device="cpu"), settings, out=Path(folder) / "run").results
    found: dict[str, dict[str, Figure]] = {}
    for cell, (n, c, h, w, _) in CELLS.items():
        rows = results[(results["N"] == n) & (results["C"] == c) & (results["H"] == h) & (results["W"] == w)]
        found[cell] = {
            name: tuple(
                rows[rows["implementation"] == name][list(_COLUMNS)].to_numpy(dtype=float, na_value=float("nan"))[0]
            )
            for name in TRUE
        }
    return found


_COLUMNS = ("speedup", "speedup_low", "speedup_high")


def one(tool: str, seed: int) -> dict[str, dict[str, Figure]]:
    """Make one trial of one tool."""
    if tool == "gnbench":
        return by_ours(seed)
    return {name: ratios_of(PEERS[tool](cell)) for name, cell in CELLS.items()}


@contextmanager
def spinning(busy: bool) -> Iterator[None]:
    """Keep another process busy."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if other is not None:
            other.kill()
            other.wait()


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each tool's error and coverage."""
    frame = frame.assign(error=np.log(frame["ratio"] / frame["true"]).abs())
    frame["holds"] = (frame["low"] <= frame["true"]) & (frame["true"] <= frame["high"])
    frame["is_known"] = frame["ratio"].notna()
    frame["width"] = np.log(frame["high"] / frame["low"]) / 2
    grouped = frame.groupby(["state", "tool"], sort=False)
    return pd.DataFrame(
        {
            "rms error, %": 100 * grouped["error"].apply(lambda error: float(np.sqrt(np.mean(error**2)))),
            "largest error, %": 100 * grouped["error"].max(),
            "no figure": (~frame["is_known"]).groupby([frame["state"], frame["tool"]], sort=False).sum(),
            "intervals that hold the truth": grouped["holds"].sum().astype(str)
            + " of "
            + grouped["is_known"].sum().astype(str),
            "median half-width, %": 100 * grouped["width"].median(),
            "wall, s a trial": grouped["wall_s"].mean(),
        }
    ).round(2)


def main() -> None:
    """Make all trials, tools in turn, or one of one tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--states", default="quiet,busy")
    parser.add_argument("--tools", default=",".join([*PEERS, "gnbench"]))
    parser.add_argument("--out", type=Path, default=Path("peers.csv"))
    parser.add_argument("--one", help="one trial of this tool, as JSON")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one, asked.seed)))  # noqa: T201 - the answer to the driving process
        return
    rows = []
    for trial in range(asked.trials):
        for state in asked.states.split(","):
            for tool in asked.tools.split(","):
                began = time.perf_counter()
                command = [sys.executable, __file__, "--one", tool, "--seed", str(trial)]
                with spinning(state == "busy"):
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                wall_s = time.perf_counter() - began
                for cell, figures in json.loads(done.stdout.splitlines()[-1]).items():
                    for name, (ratio, low, high) in figures.items():
                        rows.append(
                            {"state": state, "tool": tool, "trial": trial, "cell": cell, "pair": name}
                            | {"true": TRUE[name], "ratio": ratio, "low": low, "high": high, "wall_s": wall_s}
                        )
        pd.DataFrame(rows).to_csv(asked.out, index=False)
    print(table(pd.DataFrame(rows)).to_string())  # noqa: T201 - the table is the script's purpose


if __name__ == "__main__":
    main()
