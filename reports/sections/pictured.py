"""Sections with a picture, each naming its view, its picture and its table."""

from __future__ import annotations

from functools import partial

import pandas as pd

from .. import findings, slices, tables, views
from .. import quantities as q
from ..document import Picture, Section, Subject
from ..figures import bytes_time as bytes_time_figure
from ..figures import error as error_figure
from ..figures import memory as memory_figure
from ..figures import scaling as scaling_figure
from ..figures import speedup_map as speedup_map_figure
from ..figures import stability as stability_figure

MOST_SLICES = 3
"""Pictures an axis; the section says how many slices were not drawn."""

_LATENCY: dict[str, tuple[str, tables.Writer | None]] = {
    "latency_s": ("latency", q.seconds),
    "latency_low_s": ("low", q.seconds),
    "latency_high_s": ("high", q.seconds),
}


def speedup(subject: Subject) -> Section:
    """Show the speed-up map and the problems without a clear winner."""
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
        draw=partial(speedup_map_figure.draw, view, views.implementations(subject.cells)),
        table=table,
        is_its_table=True,
    )
    doubt = tables.of_frame(
        "Problems without a clear winner, and why", undecided, {"problem": ("problem", None), "verdict": ("why", None)}
    )
    return Section(
        key="speedup", title="Speed-up by problem", pictures=(picture,), tables=(doubt,) if len(undecided) else ()
    )


def scaling(subject: Subject) -> Section:
    """Show latency along each axis that varies alone."""
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
            **_LATENCY,
        },
    )
    return Picture(
        key=key,
        finding=findings.scaling(part, axis),
        reading="Bars are 95 % intervals between passes.",
        draw=partial(scaling_figure.draw, part, axis, subject.looks),
        table=table,
    )


def bytes_moved(subject: Subject) -> Section:
    """Show time against bytes, with the plain copy."""
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
        draw=partial(bytes_time_figure.draw, view, subject.looks),
        table=table,
    )
    return Section(key="bytes", title="Time against bytes moved", pictures=(picture,))


def memory(subject: Subject) -> Section:
    """Show memory beyond inputs and outputs."""
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
        draw=partial(memory_figure.draw, view, subject.looks),
        table=table,
    )
    return Section(key="memory", title="Memory", pictures=(picture,))


def error(subject: Subject) -> Section:
    """Show error against time."""
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
        draw=partial(error_figure.draw, view, subject.looks),
        table=table,
    )
    return Section(key="error", title="Numerical error", pictures=(picture,))


def stability(subject: Subject) -> Section:
    """Show every round of the noisiest problem, and all noise floors."""
    floors = views.noise_floors(subject.cells)
    if floors.empty:
        return Section(key="stability", title="Stability")
    steadiness: dict[str, tuple[str, tables.Writer | None]] = {
        "spread_between": ("between passes", q.percent),
        "spread_within": ("within a pass", q.percent),
        "passes": ("passes", q.count),
        "rounds": ("rounds", q.count),
        "outliers": ("outliers", q.count),
        "struck": ("repeated", q.count),
        "drift": ("over the passes", None),
    }
    table = tables.of_frame(
        "Noise floor of each problem (how far two copies of the reference may differ) and the reference's spreads",
        floors,
        {"problem": ("problem", None), "noise_floor": ("noise floor", q.percent), **steadiness},
    )
    noisiest = floors.sort_values("noise_floor", ascending=False, kind="stable", na_position="last").iloc[0]
    problem = str(noisiest["problem"])
    rows = views.timed(subject.cells)
    rows = rows[rows["problem"] == problem]
    dots = views.rounds(rows, subject.samples)
    if dots.empty:
        return Section(key="stability", title="Stability", tables=(table,))
    own = tables.of_frame(
        f"Latency and spreads on {problem}",
        rows,
        {"implementation": ("implementation", None), **_LATENCY, **steadiness},
    )
    picture = Picture(
        key="stability",
        finding=findings.stability(dots, problem, noisiest["noise_floor"]),
        reading="The noisiest problem of the run. At the right, the 95 % interval over passes; where columns differ"
        " more than the dots inside one, more rounds would not have helped, more passes would.",
        draw=partial(stability_figure.draw, dots, rows, subject.looks),
        table=own,
    )
    return Section(key="stability", title="Stability", pictures=(picture,), tables=(table,))
