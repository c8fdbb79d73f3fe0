"""A gate's frame and its facts to the words that every form of its report says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from . import quantities as q
from .gate_schema import LATENCY, WORD_MEANING, WORST_FIRST, Outcome, Word
from .views import records

Info = Mapping[str, Any]

FAILING = frozenset({Word.REGRESSED, Word.BROKEN, Word.GONE})
"""Verdicts that a gate fails for, unless they are allowed."""
_QUIET = frozenset({Word.UNCHANGED, Word.NOT_COMPARED})


def headline(frame: pd.DataFrame, info: Info) -> str:
    """Say the outcome in one sentence."""
    outcome, counts = info["outcome"], _counts(frame)
    if outcome == Outcome.NO_VERDICT:
        control = info["control"]
        ends = q.interval(control["low"], control["high"])
        return f"no verdict: this machine treats equal code unequally (a control that should be 1 is {ends})"
    said = [f"{counts[word]} {_words(word)}" for word in WORST_FIRST if counts.get(word) and word not in _QUIET]
    if outcome == Outcome.REGRESSION and info["suite"] and info["suite"]["verdict"] == Word.REGRESSED:
        said.insert(0, f"all cells together are {percent(info['suite']['centre'])} slower")
    if outcome == Outcome.UNDECIDED:
        said.append(wanting(info))
    rest = counts.get(Word.UNCHANGED, 0)
    said += [f"{rest} unchanged"] if rest else []
    return f"{outcome}: {'; '.join(said) or 'neither side has anything to compare'}"


def wanting(info: Info) -> str:
    """Say what an undecided gate would need."""
    if info["wanted_s"] is None:
        return "how much longer it would take cannot be told from its few passes"
    seconds = q.significant(info["wanted_s"], 2)
    return f"about {seconds} s more would decide it: gnbench gate --resume {info['folder']} --budget {seconds}"


def conditions(info: Info) -> str:
    """Say what was held against what, and under which lines."""
    dirty = ", a working tree with changes that no commit holds" if info["is_dirty"] else ""
    return (
        f"Base {info['base']}, head {info['head']}{dirty}. Threshold {percent(1 + info['threshold'])}, tolerance"
        f" {percent(1 + info['tolerance'])}; the whole gate alarms falsely with at most {percent(1 + info['alpha'])}."
        f" {info['passes']} passes on fresh workers, {info['seconds']:.0f} s."
    )


def percent(ratio: float) -> str:
    """Write a ratio as its distance from 1.

    >>> percent(1.05), percent(0.98), percent(1.0)
    ('5 %', '-2 %', '0 %')
    """
    return f"{round(100 * (ratio - 1), 2):g} %"


def told(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows worth reading, the worst and then the largest changes first; unchanged ones are left out."""
    rank = {str(word): place for place, word in enumerate(WORST_FIRST)}
    kept = frame[~frame["verdict"].isin([str(word) for word in _QUIET])].copy()
    kept["rank"] = kept["verdict"].map(rank).astype(float) + 0.5 * kept["allowed"].notna()
    kept["distance"] = -(kept["change"].astype(float) - 1).abs().fillna(float("inf"))
    return kept.sort_values(["rank", "distance", "implementation"], kind="stable").drop(columns=["rank", "distance"])


def cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Write one row's cells."""
    write = _WRITERS.get(row["unit"], q.count)
    return {
        "verdict": _words(row["verdict"]) + (" (allowed)" if not q.is_null(row["allowed"]) else ""),
        "implementation": row["implementation"],
        "problem": "" if q.is_null(row["problem"]) else row["problem"],
        "metric": row["metric"],
        "base": write(row["base"]),
        "head": write(row["head"]),
        "change": change(row),
        "why": why(row),
    }


_WRITERS = {"s": q.seconds, "B": q.byte_count, "1": q.small}


def change(row: Mapping[str, Any]) -> str:
    """Write a change with its interval, in per cent."""
    if q.is_null(row["change"]):
        if q.is_null(row["base"]) or row["base"] == row["head"]:
            return q.NULL
        return "to nothing" if row["base"] else "from nothing"
    centre = f"{100 * (row['change'] - 1):+.1f} %"
    if q.is_null(row["change_low"]):
        return centre
    return f"{centre} [{100 * (row['change_low'] - 1):+.1f}, {100 * (row['change_high'] - 1):+.1f}]"


def why(row: Mapping[str, Any]) -> str:
    """Say what is beside the figures: an allowance, a reason, the passes wanted."""
    parts = [row["allowed"], row["reason"]]
    if not q.is_null(row["passes_wanted"]) and row["verdict"] == Word.UNDECIDED:
        parts.append(f"{int(row['passes_wanted'])} passes more")
    return "; ".join(str(one) for one in parts if not q.is_null(one))


def failing(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows that the gate fails for, worst first."""
    return [row for row in records(told(frame)) if row["verdict"] in FAILING and q.is_null(row["allowed"])]


def meaning(word: str) -> str:
    """Say in a line what a verdict means."""
    return WORD_MEANING[Word(word)]


def latencies(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the cells that were timed, the largest change first."""
    timed = frame[(frame["metric"] == LATENCY) & frame["change"].notna()]
    return timed.sort_values("change", ascending=False, kind="stable")


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    return {str(word): int(count) for word, count in frame["verdict"].value_counts().items()}


def _words(word: str) -> str:
    return str(word).replace("_", " ")
