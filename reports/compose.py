"""Checked frames to a ``Document``: which sections there are, in which order, and what stands above and below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from . import machine, sentences, views
from . import quantities as q
from .document import Document, Subject
from .schema import FORMAT_VERSION
from .sections import facts, pictured
from .style import looks

_SECTIONS = (
    facts.at_a_glance,
    facts.whole_models,
    pictured.speedup,
    pictured.scaling,
    pictured.bytes_moved,
    pictured.memory,
    pictured.error,
    pictured.stability,
    facts.first_calls,
    facts.without_figure,
    facts.environment,
    facts.reproduce,
)


def compose(results: pd.DataFrame, samples: pd.DataFrame, infos: Sequence[Mapping[str, Any]]) -> Document:
    """Say everything that a report of these checked frames says."""
    remembered = {name: slot for info in infos for name, slot in machine.part(info, "colours").items()}
    subject = Subject(
        cells=views.cells(results, machine.reference(infos)),
        samples=samples,
        infos=tuple(infos),
        looks=looks(results["implementation"].unique(), remembered),
    )
    made = [one(subject) for one in _SECTIONS]
    return Document(
        title="GroupNorm benchmark",
        subject=_subject(results, infos),
        sentences=sentences.answer(subject.cells),
        strip=_strip(subject.cells),
        warnings=tuple(dict.fromkeys(str(word) for info in infos for word in info.get("warnings") or ())),
        sections=tuple(section for section in made if not section.is_empty),
        looks=subject.looks,
        foot=_foot(results, infos),
    )


def _subject(results: pd.DataFrame, infos: Sequence[Mapping[str, Any]]) -> str:
    first = results.iloc[0].to_dict() if len(results) else {}
    common = views.common_columns(results)
    shared = " ".join(
        str(first[name]) for name in ("device", "dtype", "layout", "direction") if name in common and not results.empty
    )
    where = machine.processor(infos[0]) if infos else ""
    return " · ".join(word for word in (shared, where) if word)


def _strip(cells: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    ranks, counts = views.winners(cells), views.answer_counts(cells)
    timed = len(views.timed(cells))
    floor = views.noise_floors(cells)["noise_floor"].max()
    leaders = counts[counts["wins"] > 0].sort_values("wins", ascending=False).head(3)
    strip = [("problems", str(len(ranks))), ("cells with a figure", f"{timed} of {len(cells)}")]
    strip += [(f"wins of {row['implementation']}", str(row["wins"])) for row in views.records(leaders)]
    strip += [("no clear winner", str(int((ranks["leader"].notna() & ranks["winner"].isna()).sum())))]
    return (*strip, ("largest noise floor", q.percent(floor)))


def _foot(results: pd.DataFrame, infos: Sequence[Mapping[str, Any]]) -> str:
    runs = [q.listed([str(one) for one in results["run_id"].unique()])] if len(results) else []
    times = [f"finished {info['finished']}" for info in infos if info.get("finished")]
    unknown = results.attrs.get("unknown_columns") or []
    left = [f"columns not shown: {', '.join(unknown)}"] if unknown else []
    return " · ".join([f"format version {FORMAT_VERSION}", *(f"run {one}" for one in runs), *times, *left])
