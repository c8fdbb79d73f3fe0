"""The same cells by each timer, side by side: ``compare_timers.py FOLDER`` of runs named TIMER-CACHE."""

import sys
from pathlib import Path

import pandas as pd

CELL = ["implementation", "N", "C", "H", "W", "G", "cache"]


def read(folder: Path) -> pd.DataFrame:
    """Put the runs' results one below the other."""
    found = [pd.read_parquet(path) for path in sorted(folder.glob("*/results.parquet"))]
    if not found:
        raise SystemExit(f"{folder}: there is no run in it")
    return pd.concat(found, ignore_index=True)


def side_by_side(results: pd.DataFrame) -> pd.DataFrame:
    """Give a row a cell: each timer's microseconds, or the status where it has no figure."""
    microseconds = (results["latency_s"] * 1e6).round(2).astype(object)
    said = results.assign(figure=microseconds.where(results["latency_s"].notna(), results["status"]))
    table = said.pivot_table(index=CELL, columns="timer", values="figure", aggfunc="first")
    return table.reset_index()


def main(folder: Path) -> None:
    """Write timers.csv, what was refused and why, and the table to standard output."""
    results = read(folder)
    table = side_by_side(results)
    table.to_csv(folder / "timers.csv", index=False)
    told = results[results["reason"].notna()][[*CELL, "timer", "status", "reason"]]
    told.to_csv(folder / "reasons.csv", index=False)
    samples = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*/samples.parquet"))])
    print(table.to_string(index=False))
    print(f"\nbatches: {len(samples)}, throttled: {int(samples['throttled'].fillna(False).astype(bool).sum())}")
    print(f"SM clock, MHz: {(samples['sm_clock_hz'] / 1e6).describe()[['min', '50%', 'max']].to_dict()}")
    print("\n".join(f"{one.implementation} by {one.timer}: {one.status}: {one.reason}" for one in told.itertuples()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
