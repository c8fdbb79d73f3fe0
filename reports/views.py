"""Checked frame to small frames, each the answer to one of a reader's questions.

No statistics of measurements: intervals, speed-ups and noise floors arrive as columns. What is done here is
presentation: counts, the fastest of several rows, whether two given intervals overlap, and one geometric mean over
problems, named as such. Every function takes what ``cells`` gives.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from .quantities import is_null, problem_label
from .schema import KEY_COLUMNS, PROBLEM_COLUMNS, Status

MUCH = 1.5
"""From this ratio on a cell of the map has the strong colour; a choice of the picture, not a threshold of method."""

NO_CLEAR_WINNER = "no clear winner"

_SPEEDUP = ("speedup", "speedup_low", "speedup_high")
_SHAPE_COLUMNS = ("N", "C", "H", "W", "G")


def common_columns(results: pd.DataFrame) -> set[str]:
    """Name the problem's columns, sizes aside, that have one value in the whole frame."""
    return {name for name in PROBLEM_COLUMNS if name not in _SHAPE_COLUMNS and results[name].nunique() == 1}


def cells(results: pd.DataFrame, reference: str = "native") -> pd.DataFrame:
    """Add ``problem`` (its label, with the run where there are several) and ``is_reference``; small problems first."""
    common = common_columns(results)
    many_runs = results["run_id"].nunique() > 1
    labels = [problem_label(row, common) + (f" · {row['run_id']}" if many_runs else "") for row in records(results)]
    sizes = results["N"] * results["C"] * results["H"] * results["W"]
    named = results.assign(
        problem=pd.Series(labels, index=results.index, dtype="string"),
        is_reference=results["implementation"] == reference,
        _size=sizes,
    )
    return (
        named.sort_values(["_size", "N", "C", "G", "problem", "implementation"], kind="stable")
        .drop(columns="_size")
        .reset_index(drop=True)
    )


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of a frame as plain mappings from column to value."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def implementations(cells: pd.DataFrame) -> list[str]:
    """Name the implementations, the reference first, then those with the most figures."""
    counted = cells.groupby("implementation").agg(
        reference=("is_reference", "any"), figures=("latency_s", "count"), refused=("status", "size")
    )
    counted["name"] = counted.index
    ordered = counted.sort_values(["reference", "figures", "name"], ascending=[False, False, True])
    return [str(name) for name in ordered.index]


def timed(cells: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells that may be ranked: right, and with a latency."""
    return cells[(cells["status"] == Status.OK) & cells["latency_s"].notna()]


def winners(cells: pd.DataFrame) -> pd.DataFrame:
    """Say who is fastest on each problem, and whether that is clear.

    Columns: ``problem``, ``leader`` (smallest time), ``winner`` (the leader where it is clear, else null),
    ``verdict`` (one line why), ``speedup``, ``speedup_low``, ``speedup_high`` (the leader's), ``noise_floor``.
    """
    return pd.DataFrame([_winner(problem, rows) for problem, rows in _by_problem(cells)], columns=_WINNER_COLUMNS)


_WINNER_COLUMNS = ["problem", "leader", "winner", "verdict", "speedup", "speedup_low", "speedup_high", "noise_floor"]


def _by_problem(cells: pd.DataFrame) -> Iterator[tuple[Hashable, pd.DataFrame]]:
    return iter(cells.groupby("problem", sort=False))


def _winner(problem: Hashable, rows: pd.DataFrame) -> dict[str, Any]:
    ranked = _ranked(timed(rows))
    if ranked.empty:
        return {"problem": problem, "leader": None, "winner": None, "verdict": "nothing was measured"}
    leader = ranked.iloc[0]
    clear, verdict = _judge(ranked)
    return {
        "problem": problem,
        "leader": leader["implementation"],
        "winner": leader["implementation"] if clear else None,
        "verdict": verdict,
        "speedup": leader["speedup"],
        "speedup_low": leader["speedup_low"],
        "speedup_high": leader["speedup_high"],
        "noise_floor": ranked["noise_floor"].max(),
    }


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Order the rows by what all of them have: the paired speed-up, else the latency; the fastest first."""
    own = rows["is_reference"] & rows["speedup"].isna()
    # The reference is as fast as itself, whether or not the row says so.
    speedup, low, high = (rows[name].mask(own, 1.0) for name in _SPEEDUP)
    if speedup.isna().any():
        speedup, low, high = 1 / rows["latency_s"], 1 / rows["latency_high_s"], 1 / rows["latency_low_s"]
    return rows.assign(score=speedup, score_low=low, score_high=high).sort_values(
        ["score", "implementation"], ascending=[False, True]
    )


def _judge(ranked: pd.DataFrame) -> tuple[bool, str]:
    if len(ranked) == 1:
        return False, "measured alone"
    if len(ranked[["timer", "cache", "threads"]].drop_duplicates()) > 1:
        return False, f"{NO_CLEAR_WINNER}: measured by different timers, caches or threads"
    first, second = ranked.iloc[0], ranked.iloc[1]
    pair = f"{first['implementation']} and {second['implementation']}"
    if is_null(first["score_low"]) or is_null(second["score_high"]):
        return False, f"{NO_CLEAR_WINNER}: no interval for {pair}"
    if first["score_low"] <= second["score_high"]:
        return False, f"{NO_CLEAR_WINNER}: the intervals of {pair} overlap"
    floor = ranked["noise_floor"].max()
    if not is_null(floor) and first["score"] / second["score"] - 1 <= floor:
        return False, f"{NO_CLEAR_WINNER}: {pair} are within the noise floor"
    return True, f"{first['implementation']} is fastest, then {second['implementation']}"


_COUNTS = ("implementation", "cells", "measured", "wins", "problems", "speedup", "speedup_least", "speedup_most")


def answer_counts(cells: pd.DataFrame) -> pd.DataFrame:
    """Count for each implementation what became of its cells and where it won.

    Columns: ``implementation``, ``cells``, ``measured``, ``wins``, ``problems`` (those that have a speed-up to the
    reference), ``speedup`` (the geometric mean over them), ``speedup_least``, ``speedup_most``.
    """
    wins = winners(cells)["winner"].value_counts()
    measured = timed(cells)
    rows = []
    for name in implementations(cells):
        ratios = measured.loc[measured["implementation"] == name, "speedup"].dropna()
        rows.append(
            {
                "implementation": name,
                "cells": int((cells["implementation"] == name).sum()),
                "measured": int((measured["implementation"] == name).sum()),
                "wins": int(wins.get(name, 0)),
                **_over_problems(ratios),
            }
        )
    return pd.DataFrame(rows, columns=list(_COUNTS))


def clone_counts(cells: pd.DataFrame) -> dict[str, Any]:
    """Give the plain copy's line beside ``answer_counts``: no cell of its own, but a speed-up on each problem."""
    return _over_problems(clones(cells)["speedup"])


def _over_problems(ratios: pd.Series) -> dict[str, Any]:
    return {
        "problems": len(ratios),
        "speedup": float(np.exp(np.log(ratios).mean())) if len(ratios) else np.nan,
        "speedup_least": ratios.min(),
        "speedup_most": ratios.max(),
    }


def speedup_map(cells: pd.DataFrame) -> pd.DataFrame:
    """Give problem × implementation: speed-up with interval, status, ``step`` (-2 … 2) and ``is_winner``."""
    best = winners(cells).set_index("problem")["winner"]
    chosen = cells[
        ["problem", "implementation", "is_reference", "status", "reason", "latency_s", *_SPEEDUP, "noise_floor"]
    ]
    return chosen.assign(
        step=pd.Series([_step(row) for row in records(chosen)], index=chosen.index, dtype="Int64"),
        is_winner=(chosen["problem"].map(best) == chosen["implementation"]).fillna(value=False).astype(bool),
    )


def clones(cells: pd.DataFrame) -> pd.DataFrame:
    """Give the speed-up of a plain copy into fresh memory, one row a problem that has it."""
    names = {"clone_speedup": "speedup", "clone_speedup_low": "speedup_low", "clone_speedup_high": "speedup_high"}
    known = cells[cells["clone_speedup"].notna()].drop_duplicates("problem")
    return known[["problem", *names]].rename(columns=names)


def _step(row: dict[str, Any]) -> int | None:
    """Say how far from 1 a speed-up is, in the map's colours; 0 where 1 is within interval or noise floor."""
    value = row["speedup"]
    if row["status"] != Status.OK or is_null(value):
        return None
    low, high = (row["speedup_low"], row["speedup_high"])
    floor = 0.0 if is_null(row["noise_floor"]) else row["noise_floor"]
    if is_null(low) or is_null(high) or low <= 1 <= high or abs(value - 1) <= floor:
        return 0
    size = 2 if max(value, 1 / value) >= MUCH else 1
    return size if value > 1 else -size


def memory(cells: pd.DataFrame) -> pd.DataFrame:
    """Give the memory of every cell that has a figure of it."""
    names = ["problem", "implementation", "extra_bytes", "peak_bytes", "saved_bytes", "page_faults"]
    return cells.loc[cells["extra_bytes"].notna() | cells["peak_bytes"].notna(), names]


def errors(cells: pd.DataFrame) -> pd.DataFrame:
    """Give the error of every cell that was compared with the oracle, the wrong ones too."""
    names = ["problem", "implementation", "status", "error_ulp", "error_max_abs", "error_rms", "error_vs_reference"]
    return cells.loc[
        cells["error_max_abs"].notna() | cells["error_ulp"].notna(), [*names, "bitwise_equal", "latency_s"]
    ]


def bytes_time(cells: pd.DataFrame) -> pd.DataFrame:
    """Give every timed cell's bytes, time, bandwidth, and ``copy_s``: a plain copy's time as the row implies it.

    ``roofline_fraction`` is that time over the row's own, so their product gives it back.
    """
    names = ["problem", "implementation", "minimum_bytes", "latency_s", "latency_low_s", "latency_high_s"]
    chosen = timed(cells)[[*names, "bandwidth_bytes_per_s", "roofline_fraction"]]
    chosen = chosen[chosen["minimum_bytes"].notna()]
    return chosen.assign(copy_s=chosen["roofline_fraction"] * chosen["latency_s"])


def first_calls(cells: pd.DataFrame) -> pd.DataFrame:
    """Give each implementation's slowest first call and the problem it was for."""
    known = cells[cells["first_call_s"].notna()]
    slowest = known.sort_values("first_call_s", ascending=False, kind="stable").drop_duplicates("implementation")
    return slowest[["implementation", "first_call_s", "problem", "latency_s"]]


def without_figure(cells: pd.DataFrame) -> pd.DataFrame:
    """Group the cells that are not ok by implementation, status and reason: ``count`` and one ``problem`` of each."""
    rows = cells[cells["status"] != Status.OK]
    rows = rows.assign(reason=rows["reason"].fillna("no reason was given"))
    return rows.groupby(["implementation", "status", "reason"], as_index=False, sort=True).agg(
        count=("problem", "size"), problem=("problem", "first")
    )


def remarks(cells: pd.DataFrame) -> pd.DataFrame:
    """Group the remarks on cells that are ok: ``implementation``, ``reason``, ``count``."""
    rows = cells[(cells["status"] == Status.OK) & cells["reason"].notna()]
    return rows.groupby(["implementation", "reason"], as_index=False, sort=True).agg(count=("problem", "size"))


def noise_floors(cells: pd.DataFrame) -> pd.DataFrame:
    """Give each problem's noise floor with the passes, rounds and spreads behind it (the reference's, or the first)."""
    rows = timed(cells).sort_values("is_reference", ascending=False, kind="stable").drop_duplicates("problem")
    names = ["problem", "implementation", "noise_floor", "spread_between", "spread_within", "passes", "rounds"]
    return rows[[*names, "outliers", "struck", "drift"]].sort_index()


def call_seconds(samples: pd.DataFrame) -> pd.Series:
    """Give each batch's seconds per call; a frame of an older version has but the whole batch."""
    whole = samples["seconds"] / samples["calls"].astype(float)
    return samples["call_s"].fillna(whole) if "call_s" in samples else whole


def rounds(rows: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Give every timed batch of the cells ``rows``: ``implementation``, ``pass``, ``round``, ``call_s``.

    Twin and plain copies, whose names begin with ``@``, have no row and stay out.
    """
    joined = samples.merge(rows[list(KEY_COLUMNS)], on=list(KEY_COLUMNS), how="inner")
    joined = joined.assign(call_s=call_seconds(joined))
    names = ["implementation", "pass", "round", "call_s"]
    return joined.sort_values(["pass", "round", "position"], kind="stable")[names].reset_index(drop=True)
