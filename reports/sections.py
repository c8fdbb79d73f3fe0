"""Frames to a ``Document``: one function a section, each naming its view, its picture and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from . import findings, machine, sentences, slices, tables, views
from . import quantities as q
from .document import Document, Picture, Section
from .figures import bytes_time, error, memory, scaling, speedup_map, stability
from .schema import FORMAT_VERSION, STATUS_MEANING, Status
from .style import Look, looks

MOST_SLICES = 3
"""Pictures an axis; the table of the last one says how many slices were not drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a report is about."""

    cells: pd.DataFrame
    """Of ``views.cells``."""
    samples: pd.DataFrame
    infos: tuple[Mapping[str, Any], ...]
    """One ``run.json`` a run."""
    looks: Mapping[str, Look]


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
    strip += [(f"wins of {row['implementation']}", str(row["wins"])) for row in leaders.to_dict("records")]
    strip += [("no clear winner", str(int((ranks["leader"].notna() & ranks["winner"].isna()).sum())))]
    return (*strip, ("largest noise floor", q.percent(floor)))


def _foot(results: pd.DataFrame, infos: Sequence[Mapping[str, Any]]) -> str:
    runs = [q.listed([str(one) for one in results["run_id"].unique()])] if len(results) else []
    times = [f"finished {info['finished']}" for info in infos if info.get("finished")]
    unknown = results.attrs.get("unknown_columns") or []
    left = [f"columns not shown: {', '.join(unknown)}"] if unknown else []
    return " · ".join([f"format version {FORMAT_VERSION}", *(f"run {one}" for one in runs), *times, *left])


def _counts(subject: Subject) -> Section:
    frame = views.answer_counts(subject.cells)
    table = tables.of_frame(
        "Each implementation: how often measured, how often clearly fastest, and its speed-up to the reference",
        frame,
        {
            "implementation": ("implementation", None),
            "cells": ("cells", q.count),
            "measured": ("measured", q.count),
            "wins": ("clearly fastest", q.count),
            "speedup": ("speed-up, geometric mean", q.ratio),
            "speedup_least": ("least", q.ratio),
            "speedup_most": ("most", q.ratio),
        },
    )
    return Section(key="implementations", title="Implementations at a glance", tables=(table,) if len(frame) else ())


def _map(subject: Subject) -> Section:
    view = views.speedup_map(subject.cells)
    if view.empty:
        return Section(key="speedup", title="Speed-up")
    finding = findings.speedup_map(subject.cells)
    table = tables.speedup_table(
        subject.cells, view, "Speed-up to the reference with its 95 % interval between passes; above 1 is faster"
    )
    undecided = views.winners(subject.cells)
    undecided = undecided[undecided["winner"].isna()]
    picture = Picture(
        key="map",
        finding=finding,
        reading="Blue is faster than the reference, red slower, strong from 1.5 times on; grey is where the interval"
        " or the noise floor holds 1. ★ marks a clear winner. The reference's column shows its own time.",
        draw=partial(speedup_map.draw, view, views.implementations(subject.cells)),
        table=table,
        is_its_table=True,
    )
    doubt = tables.of_frame(
        "Problems without a clear winner, and why", undecided, {"problem": ("problem", None), "verdict": ("why", None)}
    )
    return Section(
        key="speedup", title="Speed-up by problem", pictures=(picture,), tables=(doubt,) if len(undecided) else ()
    )


def _scaling(subject: Subject) -> Section:
    pictures: list[Picture] = []
    prose = []
    for place, axis in enumerate(slices.AXES):
        view = slices.along(subject.cells, axis)
        chosen = list(dict.fromkeys(view["slice"]))
        pictures += [
            _slice(subject, view[view["slice"] == name], axis, f"axis{place}-{number}")
            for number, name in enumerate(chosen[:MOST_SLICES])
        ]
        if len(chosen) > MOST_SLICES:
            prose.append(
                f"{q.plural(len(chosen) - MOST_SLICES, 'slice')} along {axis} not drawn; they are in the data."
            )
    if pictures:
        prose.insert(0, "Each picture moves one axis and holds all others; both axes are logarithmic.")
    return Section(key="scaling", title="Latency along each axis", prose=tuple(prose), pictures=tuple(pictures))


def _slice(subject: Subject, part: pd.DataFrame, axis: str, key: str) -> Picture:
    table = tables.of_frame(
        f"Latency along {axis} at {part['slice'].iloc[0]}",
        part,
        {
            "value": (axis, q.count),
            "implementation": ("implementation", None),
            "latency_s": ("latency", q.seconds),
            "latency_low_s": ("low", q.seconds),
            "latency_high_s": ("high", q.seconds),
        },
    )
    return Picture(
        key=key,
        finding=findings.scaling(part, axis),
        reading="Bars are 95 % intervals between passes.",
        draw=partial(scaling.draw, part, axis, subject.looks),
        table=table,
    )


def _bytes(subject: Subject) -> Section:
    view = views.bytes_time(subject.cells)
    if view.empty:
        return Section(key="bytes", title="Bytes")
    table = tables.of_frame(
        "Bytes, time, bandwidth and a plain copy's time over the cell's",
        view,
        {
            "problem": ("problem", None),
            "implementation": ("implementation", None),
            "minimum_bytes": ("fewest bytes", q.byte_count),
            "latency_s": ("latency", q.seconds),
            "bandwidth_bytes_per_s": ("bandwidth", q.bandwidth),
            "roofline_fraction": ("of a copy's speed", q.percent),
        },
    )
    picture = Picture(
        key="bytes-time",
        finding=findings.bytes_time(view),
        reading="The dashed line is a plain copy of as many bytes, timed in the same rounds. GroupNorm does about one"
        " operation a byte, so a kernel on the line has nothing left to gain from arithmetic.",
        draw=partial(bytes_time.draw, view, subject.looks),
        table=table,
    )
    return Section(key="bytes", title="Time against bytes moved", pictures=(picture,))


def _memory(subject: Subject) -> Section:
    view = views.memory(subject.cells)
    if view["extra_bytes"].notna().sum() == 0:
        return Section(key="memory", title="Memory")
    table = tables.of_frame(
        "Memory of a call",
        view,
        {
            "problem": ("problem", None),
            "implementation": ("implementation", None),
            "extra_bytes": ("beyond inputs and outputs", q.byte_count),
            "peak_bytes": ("peak", q.byte_count),
            "saved_bytes": ("kept for backward", q.byte_count),
            "page_faults": ("page faults", q.count),
        },
    )
    picture = Picture(
        key="memory",
        finding=findings.memory(view),
        reading="To the left is leaner; the first column is exactly nothing.",
        draw=partial(memory.draw, view, subject.looks),
        table=table,
    )
    return Section(key="memory", title="Memory", pictures=(picture,))


def _error(subject: Subject) -> Section:
    view = views.errors(subject.cells)
    if view.empty:
        return Section(key="error", title="Error")
    table = tables.of_frame(
        "Error against the float64 oracle",
        view,
        {
            "problem": ("problem", None),
            "implementation": ("implementation", None),
            "status": ("status", None),
            "error_ulp": ("largest, ULP", q.ulp),
            "error_max_abs": ("largest, absolute", q.small),
            "error_rms": ("rms, relative", q.small),
            "error_vs_reference": ("over the reference's", q.ratio),
        },
    )
    picture = Picture(
        key="error",
        finding=findings.error(view),
        reading="A ULP is the spacing of the output's type at the result's largest magnitude. Rounding the exact"
        " result would leave half of one. Wrong cells are in the table only.",
        draw=partial(error.draw, view, subject.looks),
        table=table,
    )
    return Section(key="error", title="Numerical error", pictures=(picture,))


def _stability(subject: Subject) -> Section:
    floors = views.noise_floors(subject.cells)
    if floors.empty:
        return Section(key="stability", title="Stability")
    table = tables.of_frame(
        "How steady each problem was: twin's distance, spread between passes and within them",
        floors,
        {
            "problem": ("problem", None),
            "noise_floor": ("noise floor", q.percent),
            "spread_between": ("between passes", q.percent),
            "spread_within": ("within a pass", q.percent),
            "passes": ("passes", q.count),
            "rounds": ("rounds", q.count),
            "outliers": ("outliers", q.count),
        },
    )
    noisiest = floors.sort_values("noise_floor", ascending=False, kind="stable", na_position="last").iloc[0]
    dots = views.rounds(subject.cells, subject.samples, noisiest["problem"])
    if dots.empty:
        return Section(key="stability", title="Stability", tables=(table,))
    intervals = subject.cells[subject.cells["problem"] == noisiest["problem"]]
    picture = Picture(
        key="stability",
        finding=findings.stability(dots, noisiest["problem"], noisiest["noise_floor"]),
        reading="The noisiest problem of the run. Bands are the 95 % intervals over passes; where columns differ more"
        " than the dots inside one, more rounds would not have helped.",
        draw=partial(stability.draw, dots, intervals, subject.looks),
        table=table,
    )
    return Section(key="stability", title="Stability", pictures=(picture,))


def _first_calls(subject: Subject) -> Section:
    view = views.first_calls(subject.cells)
    table = tables.of_frame(
        "The slowest first call of each implementation, compilation included",
        view,
        {
            "implementation": ("implementation", None),
            "first_call_s": ("first call", q.seconds),
            "latency_s": ("later calls", q.seconds),
            "problem": ("problem", None),
        },
    )
    return Section(key="first-call", title="First call", tables=(table,) if len(view) else ())


def _without_figure(subject: Subject) -> Section:
    view = views.without_figure(subject.cells)
    meant = {word: STATUS_MEANING[Status(word)] for word in view["status"].unique()}
    made = []
    if len(view):
        made.append(
            tables.of_frame(
                "Cells without a figure, and why",
                view.assign(status=[f"{one.replace('_', ' ')}: {meant[one]}" for one in view["status"]]),
                {
                    "implementation": ("implementation", None),
                    "status": ("status", None),
                    "reason": ("reason", None),
                    "count": ("cells", q.count),
                    "problem": ("for example", None),
                },
            )
        )
    notes = views.remarks(subject.cells)
    if len(notes):
        written = {"implementation": ("implementation", None), "reason": ("remark", None), "count": ("cells", q.count)}
        made.append(tables.of_frame("Remarks on cells with a figure", notes, written))
    left = [one for info in subject.infos for one in info.get("left_out") or ()]
    if left:
        total = sum(int(one.get("count") or 0) for one in left)
        made.append(
            tables.of_pairs(
                f"Combinations of the sweep that are no problem: {total} left out",
                ("reason", "combinations", "for example"),
                [[str(one.get(key) or q.NULL) for key in ("reason", "count", "example")] for one in left],
            )
        )
    return Section(key="without-figure", title="Failed, skipped and left out", tables=tuple(made))


def _environment(subject: Subject) -> Section:
    table = machine.table(subject.infos)
    return Section(key="environment", title="The machine and the run", tables=(table,) if table.rows else ())


def _reproduce(subject: Subject) -> Section:
    commands = machine.commands(subject.infos)
    if not commands:
        return Section(key="reproduce", title="Reproduce")
    return Section(
        key="reproduce",
        title="How to reproduce",
        prose=("Inputs are made from the seed, so the same command measures the same numbers on another machine.",),
        commands=commands,
    )


_SECTIONS = (
    _counts,
    _map,
    _scaling,
    _bytes,
    _memory,
    _error,
    _stability,
    _first_calls,
    _without_figure,
    _environment,
    _reproduce,
)
