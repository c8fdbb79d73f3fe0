"""The answer in three sentences: who wins where, by how much, and how sure that is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .quantities import is_null, listed, percent, plural, ratio
from .schema import NO_FAULT, Status
from .views import answer_counts, noise_floors, records, timed, winners


def answer(cells: pd.DataFrame) -> tuple[str, str, str]:
    """Say the answer in three sentences, whatever the frame holds."""
    return _who(cells), _by_how_much(cells), _how_sure(cells)


def _who(cells: pd.DataFrame) -> str:
    ranks = winners(cells)
    problems = plural(len(ranks), "problem")
    if ranks.empty:
        return "This run holds no problem."
    if timed(cells).empty:
        return f"No implementation has a figure on {'the' if len(ranks) == 1 else 'any of the'} {problems}."
    names = timed(cells)["implementation"].unique()
    if len(names) == 1:
        measured = plural(int(ranks["leader"].notna().sum()), "problem")
        return f"Only {names[0]} has figures, on {measured}; there is nothing to compare it with."
    wins = ranks["winner"].value_counts()
    told = [
        f"{name}{' is fastest' if place == 0 else ''} on {number}" for place, (name, number) in enumerate(wins.items())
    ]
    parts = [listed(told)] if told else []
    undecided = int(ranks["leader"].notna().sum() - wins.sum())
    if undecided:
        parts.append(f"{undecided} {'has' if undecided == 1 else 'have'} no clear winner")
    empty = int(ranks["leader"].isna().sum())
    if empty:
        parts.append(f"{empty} {'has' if empty == 1 else 'have'} no figure at all")
    return f"Of {problems}, {'; '.join(parts)}."


def _by_how_much(cells: pd.DataFrame) -> str:
    references = cells.loc[cells["is_reference"], "implementation"].unique()
    counts = answer_counts(cells)
    others = counts[(counts["problems"] > 0) & ~counts["implementation"].isin(references)]
    if others.empty:
        return "There is no speed-up to tell, because nothing was measured beside the reference."
    ranked = others.sort_values(["wins", "speedup"], ascending=False)
    sentences = [_ratio_words(row) for row in records(ranked.head(2))]
    name = references[0] if len(references) else "the reference"
    return f"Against {name}, {'; '.join(sentences)} (geometric means over problems)."


def _ratio_words(row: dict[str, Any]) -> str:
    words = f"{row['implementation']} is {ratio(row['speedup'])} as fast on {plural(row['problems'], 'problem')}"
    if row["problems"] > 1:
        words += f" (from {ratio(row['speedup_least'])} to {ratio(row['speedup_most'])})"
    return words


def _how_sure(cells: pd.DataFrame) -> str:
    floors = noise_floors(cells)
    wrong = without_agreement(cells)
    end = f"; {wrong}." if wrong else "."
    if floors.empty:
        refused = cells["status"].value_counts()
        told = listed([f"{plural(number, 'cell')} {_words(status)}" for status, number in refused.items()])
        return f"Of {plural(len(cells), 'cell')}: {told}."
    passes = floors["passes"].dropna()
    least, most = (int(passes.min()), int(passes.max())) if len(passes) else (0, 0)
    behind = f"{least} to {most} passes" if least != most else plural(most, "pass").replace("passs", "passes")
    known = floors["noise_floor"].dropna()
    noise = (
        f"two copies of the reference differ by up to {percent(known.max())} on the noisiest problem"
        f" ({percent(known.median())} on the middle one)"
        if len(known)
        else "the noise floor was not measured"
    )
    return f"Intervals are 95 % between {behind} of fresh processes, and {noise}{end}"


def without_agreement(cells: pd.DataFrame) -> str:
    """Name the implementations that failed where they should not have; empty when none did."""
    harmless = {*NO_FAULT, Status.NOT_MEASURED}
    bad = cells[~cells["status"].isin(list(harmless))]
    if bad.empty:
        return ""
    told = records(bad.groupby(["implementation", "status"], as_index=False).agg(count=("problem", "size")))
    return listed(
        [f"{one['implementation']} {_verb(one['status'])} on {plural(one['count'], 'problem')}" for one in told]
    )


def _verb(status: Any) -> str:
    return _words(status) if status in {Status.FAILED, Status.CRASHED} else f"was {_words(status)}"


def _words(status: Any) -> str:
    return "without a status" if is_null(status) else str(status).replace("_", " ")
